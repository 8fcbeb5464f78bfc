"""The measurement of saved models compares what it says, and its arms give the same bits."""

import pytest

from experiments.inference.pool import Case, compared

pytestmark = pytest.mark.usefixtures("no_leaks")


def test_each_way_to_ask_has_a_ratio_to_one_process() -> None:
    single, *others = compared(Case("4-3-10", 2, (3,), 3000), 2, 1)
    assert (single.measure, single.unit) == ("one process", "ms")
    ways = ("pool of 2", "pool of 2, with its start")
    assert [row.measure for row in others] == [f"one process / {way}" for way in ways]
    assert all(row.note.endswith("rows/s") for row in (single, *others))
