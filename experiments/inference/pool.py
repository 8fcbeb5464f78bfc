"""Saved models at work: one process, a pool that runs, and one that is started, asked and ended."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from experiments.rows import Row
from experiments.runner import Options
from experiments.turns import over_first
from fedlocal import Predictor, compose
from fedlocal.actors import usable_cores
from fedlocal.data import Dataset, Rows
from fedlocal.data.sources.feature_scaling import fit_scaling
from fedlocal.inference.model_spec import ModelSpec


@dataclass(frozen=True)
class Case:
    """A model by the widths of its hidden layers, and how many square images of bytes it is asked about."""

    name: str
    side: int
    hidden: tuple[int, ...]
    rows: int


CASES = (
    Case("784-512-256-10", 28, (512, 256), 1_000),
    Case("784-512-256-10", 28, (512, 256), 10_000),
    Case("784-512-256-10", 28, (512, 256), 100_000),
    Case("784-2048-2048-10", 28, (2048, 2048), 20_000),
    Case("64-10", 8, (), 500_000),
)


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratios of the times to that of one process, in each case."""
    for case in CASES[:2] if options.quick else CASES:
        yield from compared(case, usable_cores(), options.trials or (3 if options.quick else 15))


def compared(case: Case, workers: int, turns: int) -> Iterator[Row]:
    """Yield the ratios of a case; the pool must give the bits of one process."""
    x = np.random.default_rng(0).integers(0, 256, (case.rows, case.side, case.side), np.uint8)
    with (
        closing(Predictor(*untrained(case), workers=1)) as predictor,
        closing(Predictor(*untrained(case), workers=workers)) as pool,
    ):
        if not np.array_equal(predictor.outputs(x), pool.outputs(x)):
            raise RuntimeError(f"{case}: the pool gives other bits")
        calls: dict[str, Callable[[], object]] = {
            "one process": partial(predictor.outputs, x),
            f"pool of {workers}": partial(pool.outputs, x),
            f"pool of {workers}, with its start": partial(anew, case, workers, x),
        }
        setting = f"{case.name}, {case.rows:,} rows"
        yield from over_first("pool", setting, calls, turns, partial(rate, case), speed_up=True)


def rate(case: Case, seconds: float) -> str:
    """Return how many rows a second were answered for."""
    return f"{case.rows / seconds:,.0f} rows/s"


def untrained(case: Case) -> tuple[ModelSpec, Mapping[str, NDArray[np.float32]]]:
    """Return an untrained model: its answers are nonsense, and take as long as any."""
    images = np.arange(2 * case.side**2, dtype=np.uint8).reshape(2, case.side, case.side)
    scaled = fit_scaling(images, "unit", 255)
    rows, shape = Rows(scaled(images), np.arange(2)), (case.side, case.side)
    dataset = Dataset("images", rows, rows, np.arange(10), shape, scaling=scaled)
    described = ModelSpec.of_run(compose(f"model.hidden={list(case.hidden)}"), dataset, {})
    return described, described.new_model()().arrays


def anew(case: Case, workers: int, x: NDArray[np.uint8]) -> None:
    """Start workers, ask, and end them."""
    with Predictor(*untrained(case), workers=workers) as predictor:
        predictor.outputs(x)
