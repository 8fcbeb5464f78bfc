"""Logistic regression on MNIST-shaped rows: 1000 clients with 60 each, 10 a round, 100 rounds.

The numbers published for this are 1814 s (Flower 1.0) and 200 s (FLUTE), on their authors' machines. The rows
are read from a file, as MNIST's are; it is written before the clock starts.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from experiments.performance.programs import Command, Program, fedlocal_command, module, serve
from experiments.rows import Row, row_of
from experiments.runner import Options
from experiments.turns import Arm, alternate

OVERRIDES = (
    "dataset=npz",
    "model.hidden=[]",
    "model.learning_rate=0.03",
    "actors=1000",
    "strategy.fraction_train=0.01",
    "batch_size=10",
    "rounds=100",
    "evaluate_every=20",
    "workers=2",
    "baseline=false",
    "display=off",
)
RUN, SHELL = "fedlocal.run", "the command fedlocal, from shell to prompt"
SETTING = "1000 clients, 10 a round, 100 rounds"


def measure(options: Options) -> Iterator[Row]:
    """Yield the seconds of the run in a process that is warm, and of the command."""
    with TemporaryDirectory() as folder:
        path = _write_rows(Path(folder) / "pixels.npz")
        command = Command(SHELL, [*fedlocal_command(), *OVERRIDES, path])
        with closing(Program(RUN, module("sections.logistic"), {"path": path})) as program:
            arms: list[Arm] = [program, command]
            figures = alternate(arms, 2 if options.quick else 10)
        spans = ", ".join(f"{name} {value:.3f}" for name, value in program.last["spans"].items())
    yield row_of("logistic", SETTING, RUN, figures[RUN], "s", at_most=2, note=f"of the last: {spans}")
    yield row_of("logistic", SETTING, SHELL, figures[SHELL], "s", at_most=2)


def _write_rows(path: Path) -> str:
    """Write 60,000 rows of 28 x 28 random bytes, and 10,000 to test on; return what names the file."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for suffix, rows in (("", 60_000), ("_test", 10_000)):
        arrays[f"x{suffix}"] = rng.integers(256, size=(rows, 28, 28), dtype=np.uint8)
        arrays[f"y{suffix}"] = rng.integers(10, size=rows)
    np.savez(path, **arrays)
    return f"dataset.path={path}"


def _run(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run the federation; return its seconds, and those of all rounds."""
    started = time.perf_counter()
    import fedlocal

    outcome = fedlocal.run(fedlocal.compose(*OVERRIDES, request["path"]))
    seconds = time.perf_counter() - started
    history = outcome.histories["federated"]
    spans = {name: history.total(name) for name in ("start-up", "evaluation")} | {"rounds": history.seconds}
    return {"seconds": seconds, "spans": spans, "accuracy": outcome.arms[0].accuracy}


if __name__ == "__main__":
    serve(_run)
