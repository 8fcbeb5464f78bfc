"""Logistic regression on MNIST-shaped rows: 1000 clients with 60 each, 10 a round, 100 rounds.

The numbers published for this are 1814 s (Flower 1.0) and 200 s (FLUTE), on their authors' machines.
"""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from arms import Arm, Program, alternate
from processes import HERE, Command, fedlocal_command, module, serve
from rows import Row, row_of

from sections import Options

OVERRIDES = (
    "dataset=synthetic",  # 60,000 rows and 10,000 for evaluation, of 28 x 28 numbers
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
    command = Command(SHELL, [*fedlocal_command(), *OVERRIDES])
    with closing(Program(RUN, module("sections.logistic"), folder=HERE)) as program:
        arms: list[Arm] = [program, command]
        figures = alternate(arms, 2 if options.quick else 10, random.Random(options.seed))
        spans = ", ".join(f"{name} {value:.3f}" for name, value in program.last["spans"].items())
    yield row_of("logistic", SETTING, RUN, figures[RUN], "s", at_most=2, note=f"of the last: {spans}")
    yield row_of("logistic", SETTING, SHELL, figures[SHELL], "s", at_most=2)


def _run(_: Mapping[str, Any]) -> dict[str, Any]:
    """Run the federation; return its seconds, and those of all rounds."""
    begun = time.perf_counter()
    import fedlocal

    outcome = fedlocal.run(fedlocal.compose(*OVERRIDES))
    seconds = time.perf_counter() - begun
    history = outcome.histories["federated"]
    spans = {name: history.total(name) for name in ("start-up", "evaluation")} | {"rounds": history.seconds}
    return {"seconds": seconds, "spans": spans, "accuracy": outcome.arms[0].accuracy}


if __name__ == "__main__":
    serve(_run)
