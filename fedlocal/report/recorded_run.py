"""A run as its folder records it; a part that is missing or damaged leaves the rest."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fedlocal.config.dotted_keys import flat_items
from fedlocal.config.neutral_options import NEUTRAL
from fedlocal.config.old_addresses import with_public_addresses
from fedlocal.results.arm import Arm
from fedlocal.results.atomic_files import ResultsError, read_json, sound_yaml
from fedlocal.results.history import History
from fedlocal.results.runs import SweepRow, arm_folder, read_run

logger = logging.getLogger(__name__)

REPEAT = "seed"
"""Runs that differ in this alone are repeats of one another."""

NEUTRAL_KEYS = ("hydra", *NEUTRAL)
"""Keys of the configuration that change nothing in what a run gives."""


@dataclass(frozen=True)
class RecordedRun:
    """A run, as far as its folder can be read.

    Parameters
    ----------
    name : str
        It tells the run from the other runs of the report.
    folder : Path
        Where it lies.
    row : SweepRow
        Its summary: how it ended, and its arms.
    config : Mapping[str, str]
        Its resolved configuration, by dotted keys, without those of `NEUTRAL_KEYS`; empty if it is lost.
    """

    name: str
    folder: Path
    row: SweepRow
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def seed(self) -> str:
        """The seed, in which it differs from its repeats."""
        return self.config.get(REPEAT, "")

    @property
    def main(self) -> Arm | None:
        """The arm that the run is about, None if it did not complete."""
        return self.row.main

    @property
    def baselines(self) -> tuple[Arm, ...]:
        """The arms that it is compared with, if it completed."""
        return self.row.arms[1:] if self.main else ()

    @cached_property
    def history(self) -> History:
        """The rounds of its main arm, without what each actor did; empty if they are lost."""
        return _history(self.folder, actors=False)

    @cached_property
    def whole_history(self) -> History:
        """The rounds with what each actor did, which takes long to read if there are many actors."""
        return _history(self.folder, actors=True)

    def baseline_history(self, name: str) -> History:
        """Return the rounds of another arm; empty if they are not there."""
        return _history(arm_folder(self.folder, name), actors=False)

    @cached_property
    def environment(self) -> Mapping[str, Any]:
        """The machine that it ran on; empty if it is lost."""
        return _json(self.folder / "environment.json")

    @cached_property
    def partition(self) -> Mapping[str, Any]:
        """The partition; empty if it is lost, or if an older fedlocal did not write it."""
        return _json(self.folder / "partition.json")


def read(name: str, folder: Path) -> RecordedRun:
    """Read a run's folder as far as it can be read."""
    return RecordedRun(name, folder, read_run(folder), _config(folder))


def _config(folder: Path) -> dict[str, str]:
    """Read the resolved configuration, or the unresolved one of a run that failed too early."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in (folder / "config.yaml", folder / ".hydra" / "config.yaml"):
        try:
            stored = yaml.load(sound_yaml(path), loader)  # noqa: S506 - a safe one
        except FileNotFoundError:
            continue
        except (yaml.YAMLError, ValueError) as error:
            logger.warning("the configuration of %s is left out: %s", folder, " ".join(str(error).split()))
            continue
        if isinstance(stored, dict):
            flat = flatten(with_public_addresses(stored)).items()
            return {key: value for key, value in flat if key.partition(".")[0] not in NEUTRAL_KEYS}
    return {}


def flatten(value: Mapping[Any, Any]) -> dict[str, str]:
    """Return nested mappings as one, by dotted keys, with values as one would type them.

    Examples
    --------
    >>> flatten({"actors": 4, "model": {"hidden": [8, 8], "loss": None}})
    {'actors': '4', 'model.hidden': '[8,8]', 'model.loss': 'null'}
    """
    return {key: _typed(item) for key, item in flat_items(value)}


def _typed(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_typed, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _history(folder: Path, *, actors: bool) -> History:
    if not History.is_in(folder):
        return History()
    try:
        return History.load(folder, actors=actors)
    except ResultsError as error:
        logger.warning("the rounds of %s are left out: %s", folder, error)
        return History()


def _json(path: Path) -> Mapping[str, Any]:
    try:
        stored = read_json(path)
    except FileNotFoundError:
        return {}
    except ResultsError as error:
        logger.warning("%s is left out: %s", path, error)
        return {}
    return stored if isinstance(stored, dict) else {}
