"""Global generators are seeded for each call, a framework's too when a call is what imports it."""

import random
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from fedlocal.flower.node.seeding import _framework_seeder, seed_globals, seeded


def test_the_same_seed_gives_the_same_numbers() -> None:
    drawn = []
    for _ in range(2):
        with seeded(1 << 60 | 7):
            drawn.append((random.random(), float(np.random.rand())))  # noqa: NPY002
    assert drawn[0] == drawn[1]


def test_a_block_leaves_the_generators_as_they_were() -> None:
    def draw() -> tuple[float, ...]:
        return (random.random(), random.gauss(0, 1), *np.random.standard_normal(3))  # noqa: NPY002

    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    draw()
    expected = draw()
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    draw()
    with seeded(1):
        with seeded(2):
            inner = draw()
        draw()
        with seeded(2):
            assert draw() == inner
    assert draw() == expected


SPACE = "from types import SimpleNamespace\nseeds = []\n"
MODULES = {
    "torch": ("torch.py", "seeds = []\ndef manual_seed(seed):\n    seeds.append(seed)\n"),
    "tensorflow": ("tensorflow.py", f"{SPACE}random = SimpleNamespace(set_seed=seeds.append)\n"),
    "mlx.core": ("mlx/core.py", f"{SPACE}random = SimpleNamespace(seed=seeds.append)\n"),
}


@pytest.fixture(params=MODULES)
def framework(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a framework that can be imported, and notes its seeds."""
    name: str = request.param
    file, source = MODULES[name]
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    for other in (*MODULES, "mlx"):
        monkeypatch.delitem(sys.modules, other, raising=False)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    return name


def test_a_framework_is_seeded_when_it_is_imported_after_the_seeding(framework: str) -> None:
    seed_globals(3)
    seed_globals(4)
    module = import_module(framework)
    assert module.seeds == [4]
    seed_globals(5)
    assert module.seeds == [4, 5]
    del sys.modules[framework]


def test_a_caller_is_seeded_again_after_a_call_in_between_imported_a_framework(
    framework: str,
) -> None:
    with seeded(3):  # as for the server app
        with seeded(4):  # as for a client in the same process
            module = import_module(framework)
        assert module.seeds == [4, 3]
        del sys.modules[framework]
        assert import_module(framework).seeds == [3]
        del sys.modules[framework]


def test_a_framework_imported_after_the_end_is_not_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    before = [finder for finder in sys.meta_path if finder is not _framework_seeder]
    monkeypatch.setattr(sys, "meta_path", before.copy())
    with seeded(3):
        assert sys.meta_path != before
    assert sys.meta_path == before
