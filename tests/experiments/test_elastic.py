"""The study of workers that follow the load: its arms can be run, and its ratios are those of turns."""

import math
from pathlib import Path

import pytest

from experiments.elastic import neighbour, runs, waiting
from experiments.runner import Options
from fedlocal import compose
from fedlocal.config.validation import check

TINY = ("dataset.train=240", "model.hidden=[4]", "rounds=2", "evaluate_every=2", "actors=3")


@pytest.mark.parametrize("backend", [*neighbour.ARMS.values(), ("backend=elastic", *waiting.MODEL)])
def test_every_arm_can_be_run(backend: tuple[str, ...]) -> None:
    check(compose(*runs.COMMON, *backend, *runs.QUICK))


def test_a_ratio_is_taken_turn_by_turn() -> None:
    row = runs.row("waiting", "a", "b", [2.0, 8.0, 4.0], [1.0, 4.0, 2.0])
    assert (row.value, row.low, row.high) == pytest.approx((2.0, 2.0, 2.0))
    assert row.note == "3"


def test_runs_that_end_with_different_weights_are_an_error() -> None:
    first, second = runs.Run("a", ()), runs.Run("b", ())
    first.hashes, second.hashes = {"1"}, {"1"}
    runs.check_bits(first, second)
    second.hashes.add("2")
    with pytest.raises(RuntimeError, match="different weights"):
        runs.check_bits(first, second)


@pytest.mark.slow
@pytest.mark.parametrize("load", [waiting, neighbour])
def test_a_load_is_measured(load: object, tmp_path: Path) -> None:
    options = Options(tmp_path, tmp_path, quick=True, trials=1, overrides=TINY)
    rows = list(load.measure(options))  # type: ignore[attr-defined]
    assert all(math.isfinite(row.value) and row.value > 0 for row in rows)
    assert {row.note for row in rows} == {"1"}
