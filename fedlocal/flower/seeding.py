"""Global generators, which apps share by accident: Python's, NumPy's and PyTorch's, seeded for each call."""

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

import numpy as np


def seed_globals(entropy: int) -> None:
    """Seed the generators; PyTorch's, if it is not loaded yet, as soon as it is.

    Parameters
    ----------
    entropy : int
        From 0 to 2³² - 1.
    """
    random.seed(entropy)
    np.random.seed(entropy)  # noqa: NPY002 - apps use it
    if torch := sys.modules.get("torch"):
        torch.manual_seed(entropy)
        return
    _later.entropy = entropy
    if _later not in sys.meta_path:
        sys.meta_path.insert(0, _later)


@contextmanager
def left_alone() -> Iterator[None]:
    """Leave the generators, when the block ends, as they were found."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    state = torch.get_rng_state() if torch else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if torch:
            torch.set_rng_state(state)
        if _later in sys.meta_path:
            sys.meta_path.remove(_later)


class _Later(MetaPathFinder):
    """Seeds PyTorch when an app imports it in the middle of a call."""

    entropy = 0

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Find PyTorch, once, and have it seeded when it has been loaded."""
        if fullname != "torch":
            return None
        sys.meta_path.remove(self)
        spec = find_spec("torch")
        if spec and spec.loader:
            load, entropy = spec.loader.exec_module, self.entropy

            def load_and_seed(module: ModuleType) -> None:
                load(module)
                module.manual_seed(entropy)

            spec.loader.exec_module = load_and_seed  # type: ignore[method-assign]
        return spec


_later = _Later()
