"""What the runs of a study left, read from their folders alone: tidy rows, pairs of them, and tables."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.intervals import Interval, ratio
from fedlocal.results import History, arm_folder, faster, read_run, write_json

NUMBERED = re.compile(r"trial-\d+")
MACHINE = ("versions", "platform", "cpu", "cores", "workers")
"""What of an environment makes results another's; the libraries are listed as far as they are loaded."""


@dataclass(frozen=True)
class Trial:
    """A completed run of a study, as its folder tells of it.

    The number of the trial is its seed. ``seconds`` are those of training (dispatch, training, collection and
    aggregation of all rounds), ``whole`` those of the run without loading. Accuracy, loss and hash are of the
    final model; ``idle_share`` is the part of the workers' time within rounds in which they had nothing to
    do, ``contention`` the part of the time in which others had the cores. ``trained_rows`` counts each row as
    often as it was visited. The folder may be a baseline's within that of its run.
    """

    study: str
    arm: str
    number: int
    rounds: int
    seconds: float
    whole: float
    accuracy: float | None
    loss: float | None
    idle_share: float | None
    hash: str
    folder: Path
    trained_rows: int | None = None
    contention: float | None = None

    def history(self) -> History:
        """Read all that was recorded, round by round."""
        return History.load(self.folder)


def load(folder: Path) -> list[Trial]:
    """Read the completed runs in a study's folder, by arm and number; none where there is no such folder.

    A run with ``baseline=true`` is a trial of its baselines too: ``<arm>, sequential, 1 thread`` and so on.
    """
    paths = [path for path in folder.glob("*/trial-*") if NUMBERED.fullmatch(path.name)]
    trials = [trial for path in paths for trial in _trials(path)]
    return sorted(trials, key=lambda trial: (trial.arm, trial.number))


def _trials(folder: Path) -> Iterator[Trial]:
    summary = read_run(folder)
    for arm in summary.arms if summary.status == "completed" else ():
        is_main = arm is summary.main
        yield Trial(
            study=folder.parents[1].name,
            arm=folder.parent.name if is_main else f"{folder.parent.name}, {arm.name}",
            number=int(folder.name.removeprefix("trial-")),
            rounds=summary.rounds or 0,
            seconds=arm.seconds,
            whole=summary.duration or 0.0,
            accuracy=arm.accuracy,
            loss=arm.loss,
            idle_share=arm.idle_share,
            hash=summary.hashes.get(arm.name, ""),
            folder=folder if is_main else arm_folder(folder, arm.name),
            trained_rows=arm.trained_rows,
            contention=arm.contention,
        )


def values(trials: Iterable[Trial], arm: str, measure: str = "seconds") -> dict[int, Any]:
    """Return a measure of an arm, a field of `Trial`, by the number of the trial, where it has one."""
    measured = {trial.number: getattr(trial, measure) for trial in trials if trial.arm == arm}
    return {number: value for number, value in measured.items() if value is not None}


def paired(
    trials: Sequence[Trial], of: str, over: str, measure: str = "seconds"
) -> tuple[list[Any], list[Any]]:
    """Return a measure of two arms in the trials that both have; position k of both is the same trial's."""
    first, second = values(trials, of, measure), values(trials, over, measure)
    common = sorted(first.keys() & second.keys())
    return [first[number] for number in common], [second[number] for number in common]


def speed_up(trials: Sequence[Trial], of: str, over: str) -> Interval:
    """Return how many times faster an arm trained than another, row for row, in the trials that both have."""
    first, second = ({trial.number: trial for trial in trials if trial.arm == arm} for arm in (of, over))
    factors = [faster(first[number], second[number]) for number in sorted(first.keys() & second.keys())]
    measured = [value for value in factors if value is not None]
    return ratio(measured, [1.0] * len(measured))


def write_environment(path: Path, trials: Iterable[Trial]) -> None:
    """Write what the trials ran on, as they noted it: if that changed on the way, a list."""
    distinct: dict[str, Any] = {}
    paths = dict.fromkeys(trial.folder / "environment.json" for trial in trials)
    for stored in filter(Path.is_file, paths):  # a baseline ran where its run did
        environment = json.loads(stored.read_bytes())
        distinct.setdefault(json.dumps([environment.get(key) for key in MACHINE]), environment)
    environments = list(distinct.values())
    write_json(path, environments[0] if len(environments) == 1 else environments)
