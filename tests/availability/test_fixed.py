"""Actors come and go when they are told to."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlocal.availability import Always, Availability, AvailabilityError, Schedule
from tests.availability.draws import draw, presences, there

ACTORS, ROUNDS = 5, 12


def test_always_draws_nothing_and_gives_no_presences() -> None:
    def no_draw(*numbers: int) -> np.random.Generator:
        pytest.fail(f"a draw for {numbers}")

    availability: Availability = Always()
    assert availability(ACTORS, ROUNDS, no_draw) is None


def test_an_actor_is_away_before_it_joins_and_there_before_it_leaves() -> None:
    presence = there(Schedule(join={3: [1, 2]}, leave={5: [2, 4]}), ACTORS, 6).astype(int)
    np.testing.assert_array_equal(presence[:, 0], [1, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(presence[:, 1], [0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(presence[:, 2], [0, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(presence[:, 4], [1, 1, 1, 1, 0, 0])


def test_a_schedule_loses_no_actor_in_mid_round() -> None:
    assert not any(presence.lost.any() for presence in presences(Schedule(leave={2: [0]}), ACTORS, ROUNDS))


@settings(max_examples=50)
@given(st.dictionaries(st.integers(0, ACTORS - 1), st.lists(st.integers(1, ROUNDS), unique=True, min_size=1)))
def test_a_schedule_follows_its_timetable(turns: dict[int, list[int]]) -> None:
    """Each actor joins and leaves in turns, beginning with what its number's parity says."""
    timetable: dict[bool, dict[int, list[int]]] = {True: {}, False: {}}
    for actor, rounds in turns.items():
        for at, number in enumerate(sorted(rounds)):
            timetable[(at + actor) % 2 == 0].setdefault(number, []).append(actor)
    presence = there(Schedule(timetable[True], timetable[False]), ACTORS, ROUNDS)
    for actor in range(ACTORS):
        rounds = sorted(turns.get(actor, []))
        for number in range(1, ROUNDS + 1):
            passed = sum(round_ <= number for round_ in rounds)
            expected = (passed + actor) % 2 == 1 if rounds else True
            assert presence[number - 1, actor] == expected


@pytest.mark.parametrize(
    ("timetable", "reason"),
    [
        ({"join": {0: [1]}}, "join: 0 is not a round"),
        ({"leave": {"soon": [1]}}, "leave: 'soon' is not a round"),
        ({"join": {2: 1}}, r"join: round 2 has 1, expected a list of actors, such as \[0, 3\]"),
        ({"join": {2: [-1]}}, r"join: round 2 has \[-1\]"),
        ({"join": {2: "01"}}, "join: round 2 has '01'"),
        ({"join": {2: [1], 5: [1]}}, "actor 1 joins in round 5: it must join and leave in turns"),
        ({"leave": {2: [3, 3]}}, "actor 3 leaves in round 2"),
        ({"join": {2: [1]}, "leave": {2: [1]}}, "actor 1 joins in round 2: .* in different rounds"),
    ],
)
def test_an_impossible_timetable_is_refused_at_once(timetable: Any, reason: str) -> None:
    with pytest.raises(AvailabilityError, match=reason):
        Schedule(**timetable)


def test_an_actor_that_does_not_exist_is_refused_before_the_first_round() -> None:
    with pytest.raises(AvailabilityError, match="there is no actor 5: with actors=5 they are 0 to 4"):
        Schedule(join={2: [5]})(ACTORS, ROUNDS, draw())
