"""Every group file names something real, and spells out all its parameters with their defaults."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

CONF = Path(__file__).parents[2] / "conf"
FILES = sorted(path for group in ("dataset", "partition", "skew") for path in (CONF / group).glob("*.yaml"))
GIVEN_BY_HAND = "???"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_a_group_file_states_each_parameter_with_its_default(path: Path) -> None:
    options: Any = OmegaConf.to_container(OmegaConf.load(path))
    module, _, name = options.pop("_target_").rpartition(".")
    parameters = dict(inspect.signature(getattr(importlib.import_module(module), name)).parameters)
    parameters.pop("rng", None)
    expected = {
        key: GIVEN_BY_HAND if parameter.default is inspect.Parameter.empty else parameter.default
        for key, parameter in parameters.items()
    }
    if path.stem == "synthetic":
        assert expected.pop("shape") is None
        assert options.pop("shape") == [28, 28]  # what None stands for
    if path.stem == "flower_datasets":  # a group within the group, built anew for each division
        assert expected.pop("partitioner") == GIVEN_BY_HAND
        assert options.pop("partitioner") == {"_target_": GIVEN_BY_HAND, "_partial_": True}
    assert options == expected
    assert path.read_text().startswith("# ")


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("dataset", "cifar10 csv digits fashion_mnist huggingface mnist npz openml synthetic"),
        (
            "partition",
            """continuous dirichlet distribution exponential extended_dirichlet flower_datasets group iid
            inner_dirichlet linear mixed orthogonal pathological quantity shards sizes square""",
        ),
        ("skew", "noise none rotation"),
    ],
)
def test_the_groups_are_complete(group: str, names: str) -> None:
    assert sorted(path.stem for path in (CONF / group).glob("*.yaml")) == names.split()
