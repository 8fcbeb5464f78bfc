"""The programs of the studies, whose parts know one another by names that all studies use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
needed = pytest.mark.skipif(
    not EXPERIMENTS.is_dir(), reason="the studies do not travel with the source archive"
)


@contextmanager
def imported(study: str, *names: str) -> Iterator[Any]:
    """Give modules of a study, or of what all studies share; when the block ends, none of them is known."""
    path, loaded = list(sys.path), set(sys.modules)
    sys.path[:0] = [str(EXPERIMENTS / study), str(EXPERIMENTS)]
    try:
        modules = {name: import_module(name) for name in names}
        if "quiet" in sys.modules:  # what tests wait for must not depend on the machine's neighbours
            vars(sys.modules["quiet"])["LOOK"] = 0.0
        yield SimpleNamespace(**modules)
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - loaded:
            if EXPERIMENTS in Path(getattr(sys.modules[name], "__file__", None) or "").parents:
                del sys.modules[name]
