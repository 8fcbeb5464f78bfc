"""Measure how many rows a second a saved model answers for: one process against a pool of workers.

``python -m experiments.inference`` prints a table and writes ``result.csv`` beside this file.
"""

import argparse
import csv
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedlocal import Predictor, compose
from fedlocal.actors import usable_cores
from fedlocal.data import Dataset, Rows
from fedlocal.data.sources.feature_scaling import fit_scaling
from fedlocal.inference.model_spec import ModelSpec

FIELDS = ["model", "rows", "arm", "rows_per_s", "ratio", "ratio_q25", "ratio_q75"]
Turn = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A model by the widths of its hidden layers, and how many images of bytes it is asked about."""

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


def measured(case: Case, workers: int, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each turn of each arm; they take turns in a random order."""
    shape = (case.rows, case.side, case.side)
    x = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with (
        closing(Predictor(*untrained(case), workers=1)) as predictor,
        closing(Predictor(*untrained(case), workers=workers)) as pool,
    ):
        arms: dict[str, Turn] = {
            "one process": partial(predictor.outputs, x),
            f"pool of {workers}": partial(pool.outputs, x),
            f"pool of {workers}, with its start": partial(anew, case, workers, x),
        }
        if not np.array_equal(predictor.outputs(x), pool.outputs(x)):
            raise RuntimeError(f"{case}: the pool gives other bits")
        return taken_turns(arms, repeats)


def taken_turns(arms: Mapping[str, Turn], repeats: int) -> dict[str, list[float]]:
    """Run each arm once in each round, in a random order; return the seconds."""
    rng, seconds = random.Random(0), {name: list[float]() for name in arms}
    for _ in range(repeats):
        for name in rng.sample(list(arms), len(arms)):
            started = time.perf_counter()
            arms[name]()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def table(case: Case, seconds: Mapping[str, list[float]]) -> Iterator[dict[str, object]]:
    """Yield a line for each arm; its ratio is to one process in the same round."""
    single = np.array(seconds["one process"])
    for name, times in seconds.items():
        quartiles = np.percentile(single / np.array(times), [50, 25, 75])
        numbers = [case.rows / float(np.median(times)), *quartiles]
        values = [case.name, case.rows, name, *(round(float(number), 3) for number in numbers)]
        yield dict(zip(FIELDS, values, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--workers", type=int, default=usable_cores())
    options = parser.parse_args()
    with Path(__file__).with_name("result.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for case in CASES:
            for row in table(case, measured(case, options.workers, options.repeats)):
                writer.writerow(row)
                print(
                    "{:17} {:7} rows  {:26} {:10.0f} rows/s  x {:.2f} [{:.2f} {:.2f}]".format(*row.values())
                )


if __name__ == "__main__":
    main()
