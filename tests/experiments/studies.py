"""The programs of the studies, as tests name their modules."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from experiments import quiet

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@contextmanager
def imported(study: str, *names: str) -> Iterator[Any]:
    """Give modules of a study, or of what all studies share; nothing in them waits for a quiet machine."""
    quiet.LOOK = 0.0
    programs = {"study": "__main__", "measure": "__main__"}
    yield SimpleNamespace(**{name: _module(study, programs.get(name, name)) for name in names})


def _module(study: str, name: str) -> Any:
    full = f"experiments.{study}.{name}" if study else f"experiments.{name}"
    return import_module(full if find_spec(full) else f"experiments.{name}")
