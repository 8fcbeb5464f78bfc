"""Actors that are always there, or come and go by a schedule."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

import numpy as np

from fedlocal.availability.base import AvailabilityError, Draw, Presence, no_dropout


class Always:
    """All actors are there in every round."""

    def __call__(self, actors: int, rounds: int, draw: Draw) -> None:
        """Return None: all actors are there, always."""


class Schedule:
    """Actors join and leave at the beginning of given rounds.

    Who is named nowhere is always there. Who joins first is away before; who leaves first is there before.

    Parameters
    ----------
    join, leave : mapping of int to list of int
        Rounds, counted from 1, and the actors that come or go with each.

    Raises
    ------
    AvailabilityError
        If a round or an actor is not a number in range, or an actor comes or goes twice in a row.
    """

    def __init__(
        self,
        join: Mapping[int, Sequence[int]] | None = None,
        leave: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        events = [(number, actor, True) for number, actor in _pairs("join", join or {})]
        events += [(number, actor, False) for number, actor in _pairs("leave", leave or {})]
        self._at: dict[int, list[tuple[int, bool]]] = {}
        self._first: dict[int, bool] = {}
        state: dict[int, bool] = {}
        for number, actor, joins in sorted(events):
            if state.get(actor) is joins or (actor, not joins) in self._at.get(number, []):
                what = "joins" if joins else "leaves"
                raise AvailabilityError(
                    f"schedule: actor {actor} {what} in round {number}: it must join and leave in turns, and "
                    "in different rounds"
                )
            state[actor] = joins
            self._first.setdefault(actor, joins)
            self._at.setdefault(number, []).append((actor, joins))

    def __call__(self, actors: int, rounds: int, draw: Draw) -> Iterator[Presence]:  # noqa: ARG002
        """Return the presence of each round."""
        if self._first and max(self._first) >= actors:
            raise AvailabilityError(
                f"schedule: there is no actor {max(self._first)}: with actors={actors} they are 0 to "
                f"{actors - 1}"
            )
        return self._rounds(actors)

    def _rounds(self, actors: int) -> Iterator[Presence]:
        there = np.ones(actors, np.bool_)
        there[[actor for actor, joins in self._first.items() if joins]] = False
        for number in count(1):
            if number in self._at:
                there = there.copy()
                for actor, joins in self._at[number]:
                    there[actor] = joins
            yield no_dropout(there)


def _pairs(name: str, timetable: Mapping[int, Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Yield rounds and actors, all of them checked."""
    for number, actors in timetable.items():
        if not _is_number(number, least=1):
            raise AvailabilityError(f"schedule: {name}: {number!r} is not a round; they count from 1")
        if not isinstance(actors, Sequence) or not all(_is_number(actor, least=0) for actor in actors):
            raise AvailabilityError(
                f"schedule: {name}: round {number} has {actors!r}, expected a list of actors, such as [0, 3]"
            )
        yield from ((number, actor) for actor in actors)


def _is_number(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
