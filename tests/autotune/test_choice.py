"""Which number of actors is chosen, given what is predicted."""

import json

from hypothesis import given
from hypothesis import strategies as st

from fedlocal.autotune.choice import TOLERANCE, Choice, Prediction, choose


def predicted(actors: int, seconds: float, visited: float = 1.0) -> Prediction:
    return Prediction(actors, seconds, 0.0, 0.0, 0.0, visited)


def test_the_fastest_number_of_actors_is_chosen() -> None:
    assert choose([predicted(1, 2.0), predicted(2, 1.0), predicted(4, 1.5)]).actors == 2


def test_of_numbers_that_are_as_good_the_smallest_is_chosen() -> None:
    close = 1 + 0.9 * TOLERANCE
    assert choose([predicted(8, 1.0), predicted(2, close), predicted(4, 1.0)]).actors == 2
    assert choose([predicted(8, 1.0), predicted(2, 1 + 1.1 * TOLERANCE)]).actors == 8


def test_a_round_is_no_better_for_training_on_fewer_rows() -> None:
    assert choose([predicted(1, 1.0), predicted(2, 0.6, visited=0.5)]).actors == 1


@given(st.dictionaries(st.integers(1, 99), st.floats(1e-6, 1e3), min_size=1))
def test_no_number_is_faster_by_more_than_the_tolerance_and_no_smaller_number_as_fast(
    seconds: dict[int, float],
) -> None:
    chosen = choose([predicted(*pair) for pair in seconds.items()])
    limit = min(seconds.values()) * (1 + TOLERANCE)
    assert chosen.seconds <= limit
    assert all(time > limit for actors, time in seconds.items() if actors < chosen.actors)


def test_a_choice_says_what_was_chosen_and_why() -> None:
    best = Prediction(4, 0.98, 0.02, 0.01, 0.01)
    choice = Choice(best, [predicted(1, 1.95), best, predicted(32, 1.31)], {48: "too many"}, 1.5)
    first, second = str(choice).splitlines()
    assert first == (
        "actors=auto: 4 of 1 to 32, predicted 1.02 s a round (compute 0.98, exchange 0.02, aggregation 0.01, "
        "imbalance 0.01); 1: 1.95 s; 32: 1.31 s"
    )
    assert "2%" in second
    assert "1.5 s" in second
    stored = json.loads(json.dumps(choice.as_json()))
    assert stored["actors"] == 4
    assert [prediction["actors"] for prediction in stored["predictions"]] == [1, 4, 32]
    assert stored["refused"] == {"48": "too many"}


def test_a_choice_among_rounds_that_train_a_part_of_the_rows_is_told_for_all_rows() -> None:
    best = Prediction(4, 0.2, 0.03, 0.01, 0.01, visited=0.25)
    choice = Choice(best, [predicted(1, 1.2), best], {}, 1.5)
    assert str(choice).splitlines()[0] == (
        "actors=auto: 4 of 1 to 4, predicted 1 s a round over all rows (compute 0.8, exchange 0.12, "
        "aggregation 0.04, imbalance 0.04); 1: 1.2 s"
    )


def test_a_number_with_which_nobody_is_there_is_not_chosen() -> None:
    assert choose([predicted(1, 0.1, visited=0.0), predicted(2, 9.0)]).actors == 2


def test_a_choice_of_the_largest_number_names_it_once() -> None:
    prediction = predicted(4, 1.0)
    assert str(Choice(prediction, [prediction], {}, 0.1)).splitlines()[0].endswith("imbalance 0)")
