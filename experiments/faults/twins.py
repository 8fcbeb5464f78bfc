"""Programs of the arms, and their fault-free twins: each training run once without a nemesis."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fedlocal
from experiments.faults.arms import FEDLOCAL, NOTHING, Arm
from experiments.faults.trial import Program, fedlocal_program, flower_program, trial
from fedlocal.config.dotted_keys import as_plain
from fedlocal.experiment.groups import build_groups
from fedlocal.experiment.setup import prepare
from fedlocal.results import load_arrays

PATIENCE = 600.0  # seconds for a run without faults
ALLOWED = 3.0  # times as long as its twin a run under the nemesis may take
AT_LEAST = 120.0  # seconds before the watchdog ends any


class TwinError(RuntimeError):
    """A run failed without any fault; what it said is in the message."""


@dataclass(frozen=True)
class Twin:
    """A training run without faults: how to run it again, and the hash, seconds and file of its weights."""

    program: Program
    hash: str
    seconds: float
    model: Path

    @property
    def limit(self) -> float:
        """Seconds after which its like under the nemesis is taken to hang."""
        return max(AT_LEAST, ALLOWED * self.seconds)

    def program_of(self, arm: Arm) -> Program:
        """Return how to run it as an arm asks for: deadlines make no difference to the result."""
        return fedlocal_program(arm.command_line) if arm.system == FEDLOCAL else self.program

    def difference(self, model: Path) -> float:
        """Return the largest difference of any weight from those in `model`; NaN if there are none."""
        expected, actual = load_arrays(self.model), load_arrays(model) if model.exists() else {}
        if expected.keys() != actual.keys():  # Flower's result is empty if no round had a reply
            return float("nan")
        return max(float(np.abs(expected[name] - actual[name]).max()) for name in expected)


def twin_of(arm: Arm, python: str | None, folder: Path) -> Twin:
    """Make the run of an arm without faults, in an empty folder that has to stay."""
    program = fedlocal_program(arm.command_line) if python is None else _on_ray(arm, python, folder)
    evidence = trial(program, NOTHING, 0, folder, PATIENCE)
    if evidence.code != 0:
        raise TwinError(f"{arm.system}, {arm.name}: exit code {evidence.code}\n{evidence.said[-2000:]}")
    return Twin(program, evidence.report["hash"], evidence.seconds, folder / "run" / "model.npz")


def _on_ray(arm: Arm, python: str, folder: Path) -> Program:
    """Write down what a run on Ray needs: the partitions, and what is trained on them."""
    config = fedlocal.compose(*arm.command_line)
    setting = prepare(config, build_groups(config))
    with setting.slices.shards as shards:
        parts = [shards.open(partition) for partition in range(len(shards))]
        np.save(folder / "x.npy", np.concatenate([rows.x for rows in parts]))
        np.save(folder / "y.npy", np.concatenate([rows.y for rows in parts]))
        np.save(folder / "offsets.npy", np.cumsum([0, *(len(rows) for rows in parts)]))
    request = {
        "clients": config.actors,
        "rounds": config.rounds,
        "batch_size": config.batch_size,
        "seed": config.seed,
        "inputs": setting.dataset.inputs,
        "outputs": setting.dataset.outputs,
        "model": {name: value for name, value in as_plain(config.model).items() if not name.startswith("_")},
    }
    (folder / "request.json").write_text(json.dumps(request))
    return flower_program(python, folder / "request.json")
