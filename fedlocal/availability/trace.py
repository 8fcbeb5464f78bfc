"""Actors that come and go as a file says, recorded from real devices or made by hand."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fedlocal.availability.base import AvailabilityError, Draw, Presence, no_dropout

STRETCHES, ROUNDS = ("actor", "from", "to"), ("round", "actor")


class _Stretch(NamedTuple):
    """An actor is there from one round to another, both included."""

    actor: int
    first: int
    last: float
    line: int


@dataclass(frozen=True)
class Trace:
    """A CSV file says who is there; everybody else is away.

    Its header is ``actor,from,to``, with a line for each stretch of rounds that an actor is there (both ends
    included; an empty ``to``: to the end), or ``round,actor``, with a line for each round and actor. Rounds
    count from 1, actors from 0; lines may have any order.

    Parameters
    ----------
    path : str
        The file.
    repeat : bool
        Whether it begins anew when it is at its end; else it must reach as far as the run.

    Raises
    ------
    AvailabilityError
        If the file cannot be read, a line of it is wrong, or it ends before the run does.
    """

    path: str
    repeat: bool = False

    def __call__(self, actors: int, rounds: int, draw: Draw) -> Iterator[Presence]:  # noqa: ARG002
        """Return the presence of each round."""
        stretches = _read(Path(self.path).expanduser())
        for stretch in stretches:
            if stretch.actor >= actors:
                raise AvailabilityError(
                    f"{self.path}, line {stretch.line}: there is no actor {stretch.actor}: with "
                    f"actors={actors} they are 0 to {actors - 1}"
                )
            if self.repeat and math.isinf(stretch.last):
                raise AvailabilityError(
                    f"{self.path}, line {stretch.line}: a stretch without an end cannot be repeated; "
                    "give its last round, or set availability.repeat=false"
                )
        end = max(stretch.last for stretch in stretches)
        if not self.repeat and end < rounds:
            raise AvailabilityError(
                f"{self.path} ends with round {end}, but the run has rounds={rounds}; set "
                "availability.repeat=true to begin it anew, or make it longer"
            )
        return _rounds(stretches, actors, int(end) if self.repeat else None)


def _rounds(stretches: list[_Stretch], actors: int, period: int | None) -> Iterator[Presence]:
    actor = np.array([stretch.actor for stretch in stretches])
    first = np.array([stretch.first for stretch in stretches])
    last = np.array([stretch.last for stretch in stretches])
    for number in count(1):
        row = (number - 1) % period + 1 if period else number
        there = np.zeros(actors, np.bool_)
        there[actor[(first <= row) & (row <= last)]] = True
        yield no_dropout(there)


def _read(path: Path) -> list[_Stretch]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _parsed(path, file)
    except OSError as error:
        raise AvailabilityError(f"trace: cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise AvailabilityError(f"trace: {path} is not a CSV file: {error}") from error


def _parsed(path: Path, lines: Iterator[str]) -> list[_Stretch]:
    reader = csv.reader(lines)
    header = tuple(name.strip() for name in next(reader, []))
    if header not in (STRETCHES, ROUNDS):
        expected = f"{','.join(STRETCHES)} or {','.join(ROUNDS)}"
        raise AvailabilityError(f"{path}, line 1: expected the header {expected}, got {','.join(header)!r}")
    stretches = []
    for fields in reader:
        if any(field.strip() for field in fields):
            try:
                stretches.append(_stretch(header, [field.strip() for field in fields], reader.line_num))
            except ValueError as error:
                raise AvailabilityError(f"{path}, line {reader.line_num}: {error}") from error
    if not stretches:
        raise AvailabilityError(f"{path} has no line but its header: nobody would ever be there")
    return stretches


def _stretch(header: tuple[str, ...], fields: list[str], line: int) -> _Stretch:
    if len(fields) != len(header):
        raise ValueError(f"expected {len(header)} fields ({','.join(header)}), got {len(fields)}")
    named = dict(zip(header, fields, strict=True))
    actor = _number("actor", named["actor"], least=0)
    if header == ROUNDS:
        number = _number("round", named["round"], least=1)
        return _Stretch(actor, number, number, line)
    first = _number("from", named["from"], least=1)
    return _Stretch(actor, first, _number("to", named["to"], first) if named["to"] else math.inf, line)


def _number(name: str, text: str, least: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() else None
    if number is None or number < least:
        raise ValueError(f"{name}={text!r}: expected a whole number of at least {least}")
    return number
