"""A run of the preset ``elastic`` as an arm, and the ratios of arms that took turns."""

from dataclasses import dataclass, field

import fedlocal
from experiments.intervals import ratio
from experiments.rows import Row

COMMON = (
    "experiment=elastic",  # clients that come and go, with more and fewer rows
    "dataset=synthetic",
    "dataset.train=20000",
    "model.hidden=[512,256]",
    "local_epochs=1",
    "rounds=20",
    "evaluate_every=20",
    "baseline=false",
    "display=off",
)
QUICK = ("dataset.train=2000", "rounds=6", "evaluate_every=6")


@dataclass
class Run:
    """An arm: a turn is a run, its figure the seconds of its rounds; `hashes` are of the final weights."""

    name: str
    overrides: tuple[str, ...]
    hashes: set[str] = field(default_factory=set, init=False)

    def turn(self) -> float:
        """Make the run."""
        run = fedlocal.run(fedlocal.compose(*COMMON, *self.overrides))
        self.hashes |= {*run.hashes.values()}
        return run.histories["federated"].seconds


def check_bits(*arms: Run) -> None:
    """Raise RuntimeError if runs ended with different weights: the number of workers makes no difference."""
    if len(hashes := set.union(*(arm.hashes for arm in arms))) != 1:
        raise RuntimeError(f"runs of one seed ended with different weights: {sorted(hashes)}")


def row(section: str, setting: str, measure: str, of: list[float], over: list[float]) -> Row:
    """Return the ratio of two arms, turn by turn, as a geometric mean with its 95 % interval."""
    factor = ratio(of, over)
    numbers = (factor.estimate, factor.low, factor.high)
    return Row(section, setting, measure, *numbers, "x", note=str(factor.trials))
