"""The common runner of studies: every trial of every arm is a run folder, and all else is read from these.

A study compares arms: settings of fedlocal that differ in a few options and share a preset,
``conf/experiment/<preset>.yaml``. Trial k of every arm has the seed k. The arms of a trial follow one another
in an order drawn for that trial, so that a machine that slows down slows all arms down alike, and a
comparison is made trial by trial; those that are compared with one another run within a minute.

::

    study = Study("timing", "figure1", (Arm("sequential", ("scheme=sequential",)), …), trials=30)
    run(study, Path("runs/timing"))  # makes runs/timing/sequential/trial-00, …; what is there already stays

A timed run waits for a quiet moment, and leaves in ``quiet.json`` how quiet it was (`quiet`).

A study that is ended goes on with the same call. It leaves runs that completed as they are, and begins one
that was cut off anew if its time counts, or else goes on from its last checkpoint. `outcomes` reads what they
left, `intervals` says what it means, and `command` makes a program of it all.
"""

import random
import re
import time
import traceback
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import fedlocal
from experiments.quiet import quietly
from fedlocal.config.schema import Config
from fedlocal.config.validation import check
from fedlocal.experiment.run_folder import differences
from fedlocal.results import drop_checkpoints, read_run, write_json
from fedlocal.results.formatting import duration

NAME = re.compile(r"[A-Za-z0-9][\w.+=-]*")


class StudyError(ValueError):
    """A study cannot be run as it stands."""


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
class Study:
    """Arms that are compared with one another.

    Parameters
    ----------
    name : str
        Of the folder of its runs.
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


@dataclass(frozen=True)
class _Planned:
    arm: str
    number: int
    config: Config
    overrides: tuple[str, ...]
    folder: Path


def run(study: Study, folder: Path, *, patient: bool = True) -> int:
    """Make the trials of a study that are not there yet, one after another, with a line about each.

    Parameters
    ----------
    study : Study
        What to run.
    folder : Path
        Of its runs: trial 3 of an arm is ``<folder>/<arm>/trial-03``.
    patient : bool
        Whether timed runs wait for quiet moments.

    Returns
    -------
    int
        How many runs failed: each has its traceback on stderr and is tried again the next time; the others
        go on.

    Raises
    ------
    StudyError
        If a folder holds a run with another configuration, before anything is run.
    ConfigError
        If the options of an arm are wrong, before anything is run.
    """
    todo = [planned for planned in _plan(study, folder) if not _is_done(planned)]
    failed, took = 0, dict[str, float]()
    for at, planned in enumerate(todo, start=1):
        started = time.perf_counter()
        try:
            _make(planned, anew=study.timed, patient=patient)
        except Exception:  # noqa: BLE001 - whatever it is, it is one run's
            traceback.print_exc()
            failed += 1
        took[planned.arm] = time.perf_counter() - started
        average = sum(took.values()) / len(took)
        left = sum(took.get(later.arm, average) for later in todo[at:])
        print(
            f"{study.name} {at}/{len(todo)}: {planned.arm}, trial {planned.number}, "
            f"{duration(took[planned.arm])}; {duration(left)} to go",
            flush=True,
        )
    return failed


def _plan(study: Study, folder: Path) -> Iterator[_Planned]:
    """Yield all runs of a study, trial by trial, in the order in which they are to be made."""
    asked = {arm.name: _overrides(study, arm) for arm in study.arms}
    configs = {name: fedlocal.compose(*overrides) for name, overrides in asked.items()}
    for config in configs.values():
        check(config)
    for number in range(study.trials):
        for arm in _in_order(study, random.Random(number)):
            config = deepcopy(configs[arm])
            config.seed = number
            overrides = (*asked[arm], f"seed={number}")
            yield _Planned(arm, number, config, overrides, folder / arm / f"trial-{number:02d}")


def _in_order(study: Study, rng: random.Random) -> list[str]:
    """Return the arms of a trial: groups in an order drawn for it, and so the arms in each."""
    groups: dict[str, list[str]] = {}
    for arm in study.arms:
        groups.setdefault(arm.group, []).append(arm.name)
    drawn = (groups[group] for group in rng.sample(list(groups), len(groups)))
    return [arm for names in drawn for arm in rng.sample(names, len(names))]


def _overrides(study: Study, arm: Arm) -> tuple[str, ...]:
    return (f"experiment={study.preset}", "display=off", *study.overrides, *arm.overrides)


def _is_done(planned: _Planned) -> bool:
    """Tell whether a run has completed; a run with another configuration in its place is an error."""
    path = planned.folder / "config.yaml"
    if not path.exists():
        return False
    if changes := differences(planned.folder, planned.config, ignored=()):
        raise StudyError(
            f"{planned.folder} holds a run with another configuration, {', '.join(changes)}: "
            "move it away, or choose another --folder"
        )
    return read_run(planned.folder).status == "completed"


def _make(planned: _Planned, *, anew: bool, patient: bool) -> None:
    """Make a run; of what it leaves, weights and checkpoints go: a study has hundreds, and their hashes."""
    planned.folder.mkdir(parents=True, exist_ok=True)
    planned.config.overwrite = anew
    begin = partial(fedlocal.run, planned.config, planned.folder, planned.overrides)
    if anew:
        write_json(planned.folder / "quiet.json", quietly(begin, patient=patient))
    elif not (planned.folder / "config.yaml").exists():
        begin()
    else:
        fedlocal.resume(planned.folder)
    for path in planned.folder.glob("*.npz"):
        path.unlink()
    drop_checkpoints(planned.folder)
