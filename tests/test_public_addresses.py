"""What files and people name: short addresses that stay, whatever becomes of the modules behind them."""

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest
from hydra.utils import get_object

ROOMS = (
    "attacks",
    "availability",
    "backends",
    "clients",
    "datasets",
    "models",
    "partitions",
    "schemes",
    "strategies",
    "trackers",
)
PUBLIC = ["fedlocal", *(f"fedlocal.{room}" for room in ROOMS)]
NEEDS = {"torch_cnn": "torch", "torch_mlp": "torch", "keras_mlp": "keras"}


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_resolve_and_are_listed(module: str) -> None:
    room = import_module(module)
    names = [name for name in room.__all__ if name not in NEEDS or find_spec(NEEDS[name])]
    assert set(room.__all__) <= set(dir(room))
    for name in names:
        assert get_object(f"{module}.{name}") is getattr(room, name)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    room = import_module("fedlocal.strategies")
    with pytest.raises(AttributeError, match=r"module 'fedlocal\.strategies' has no attribute 'FedAgv'"):
        _ = room.FedAgv


def test_public_modules_load_nothing_but_themselves() -> None:
    code = f"import sys, {', '.join(PUBLIC)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert not {"numpy", "flwr", "hydra", "torch", "sklearn"} & loaded
    assert {name for name in loaded if name.startswith("fedlocal")} == {*PUBLIC, "fedlocal.lazy"}
