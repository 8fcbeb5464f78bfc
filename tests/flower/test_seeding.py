"""Global generators are seeded for each call, PyTorch's too when a call is what imports it."""

import random
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from fedlocal.flower.seeding import left_alone, seed_globals


def test_the_same_seed_gives_the_same_numbers() -> None:
    drawn, before = [], random.getstate()
    with left_alone():
        for _ in range(2):
            seed_globals(7)
            drawn.append((random.random(), float(np.random.rand())))  # noqa: NPY002
    assert drawn[0] == drawn[1]
    assert random.getstate() == before


def test_pytorch_is_seeded_when_it_is_imported_after_the_seeding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("seeds = []\ndef manual_seed(seed):\n    seeds.append(seed)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    seed_globals(3)
    seed_globals(4)
    torch = import_module("torch")
    assert torch.seeds == [4]
    seed_globals(5)
    assert torch.seeds == [4, 5]
    del sys.modules["torch"]


def test_nothing_is_seeded_that_is_imported_when_all_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    before = list(sys.meta_path)
    with left_alone():
        seed_globals(3)
        assert sys.meta_path != before
    assert sys.meta_path == before
