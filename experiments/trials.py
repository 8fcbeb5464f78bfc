"""Trials that are runs of fedlocal: each trial of each arm is a run folder, and all else is read from these.

A comparison's arms are settings of fedlocal that differ in a few options and share a preset,
``conf/experiment/<preset>.yaml``. Trial k of every arm has the seed k. The arms of a trial follow one another
in an order drawn for that trial, so that a machine that slows down slows all arms down alike, and a
comparison is made trial by trial; those that are compared with one another run within a minute.

A timed run waits for a quiet moment, and leaves in ``quiet.json`` how quiet it was (`quiet`). What was ended
goes on with the same command: runs that completed stay, and one that was cut off begins anew if its time
counts, or else goes on from its last checkpoint. `outcomes` reads what they left.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import fedlocal
from experiments.outcomes import Trial, load, write_environment
from experiments.quiet import quietly
from experiments.records import write
from experiments.runner import Options, Study, StudyError, Task
from fedlocal.config.schema import Config
from fedlocal.config.validation import check
from fedlocal.experiment.run_folder import differences
from fedlocal.results import drop_checkpoints, read_run, write_json

NAME = re.compile(r"[A-Za-z0-9][\w.+=-]*")


@dataclass(frozen=True)
class Arm:
    """One of the settings that a study compares.

    Parameters
    ----------
    name : str
        Also of its folder: letters, digits and ``_ . + = -``.
    overrides : tuple of str
        As on the command line, ``("actors=4", "batch_size=64")``: what sets it apart.
    group : str
        Arms of one group, which are compared with one another, follow one another in a trial.
    """

    name: str
    overrides: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Comparison:
    """Arms that are compared with one another: a part of a study.

    Parameters
    ----------
    name : str
        Of the part, and of the folder of its runs: trial 3 of an arm is ``runs/<name>/<arm>/trial-03``.
    preset : str
        Of ``conf/experiment``: what all runs have in common.
    arms : tuple of Arm
        With names of their own.
    trials : int
        Of each arm.
    overrides : tuple of str
        What else all runs have in common; an arm's own come after them.
    timed : bool
        Whether times count: a run that was cut off is then made anew.

    Raises
    ------
    StudyError
        If names are not distinct, or cannot be folders.
    """

    name: str
    preset: str
    arms: tuple[Arm, ...]
    trials: int
    overrides: tuple[str, ...] = ()
    timed: bool = True

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        unfit = [name for name in (self.name, *names) if not NAME.fullmatch(name)]
        if wrong := twice + unfit:
            raise StudyError(f"{self.name}: each arm needs a name of its own that can be a folder's: {wrong}")

    def composed(self, arm: Arm, more: Sequence[str] = ()) -> tuple[tuple[str, ...], Config]:
        """Return the overrides of an arm's runs, and their configuration, which is checked."""
        common = (f"experiment={self.preset}", "display=off", *self.overrides)
        overrides = (*common, *more, *arm.overrides)
        config = fedlocal.compose(*overrides)
        check(config)
        return overrides, config

    def tasks(self, options: Options) -> Iterator[Task]:
        """Yield the runs that have not completed, trial by trial.

        Wrong options are a ConfigError, and a folder with a run of another configuration is a StudyError.
        """
        arms = {arm.name: self.composed(arm, options.overrides) for arm in self.arms}
        for number in range(options.trials or self.trials):
            for arm in self.order(random.Random(number)):
                overrides, config = arms[arm]
                config = deepcopy(config)
                config.seed = number
                folder = options.folder / "runs" / self.name / arm / f"trial-{number:02d}"
                if not _is_done(folder, config):
                    begin = partial(fedlocal.run, config, folder, (*overrides, f"seed={number}"))
                    run = partial(self._make, begin, config, folder, patient=not options.quick)
                    yield Task(arm, f"trial {number}", run)

    def records(self, folder: Path) -> list[Trial]:
        """Return the completed trials."""
        return load(folder / "runs" / self.name)

    def order(self, rng: random.Random) -> list[str]:
        """Return the arms of a trial: groups in an order drawn for it, and so the arms in each."""
        groups: dict[str, list[str]] = {}
        for arm in self.arms:
            groups.setdefault(arm.group, []).append(arm.name)
        drawn = (groups[group] for group in rng.sample(list(groups), len(groups)))
        return [arm for names in drawn for arm in rng.sample(names, len(names))]

    def _make(self, begin: Callable[[], object], config: Config, folder: Path, *, patient: bool) -> None:
        """Make a run; weights and checkpoints go: a study has hundreds, and their hashes."""
        folder.mkdir(parents=True, exist_ok=True)
        config.overwrite = self.timed
        if self.timed:
            write_json(folder / "quiet.json", quietly(begin, patient=patient))
        elif (folder / "config.yaml").exists():
            fedlocal.resume(folder)
        else:
            begin()
        for path in folder.glob("*.npz"):
            path.unlink()
        drop_checkpoints(folder)


def study(
    program: str,
    parts: Callable[[bool], Sequence[Comparison]],
    report: Callable[[Sequence[Trial], Path], str],
) -> Study:
    """Return a study of comparisons, whose records are trials; `program` is the ``__file__`` of its module.

    Beside the report it writes ``results.csv``, a line for each trial, and ``environment.json``.
    """

    def written(trials: Sequence[Trial], folder: Path) -> str:
        write(folder / "results.csv", trials, without=["folder"])
        write_environment(folder / "environment.json", trials)
        return report(trials, folder)

    return Study(Path(program).parent, parts, written)


def _is_done(folder: Path, config: Config) -> bool:
    """Tell whether a run has completed; a run with another configuration in its place is an error."""
    if not (folder / "config.yaml").exists():
        return False
    if changes := differences(folder, config, ignored=()):
        raise StudyError(
            f"{folder} holds a run with another configuration, {', '.join(changes)}: "
            "move it away, or choose another --folder"
        )
    return read_run(folder).status == "completed"
