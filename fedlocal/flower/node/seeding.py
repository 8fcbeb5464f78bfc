"""Seeds the global generators that apps share: Python's, NumPy's and those of frameworks.

They are seeded before an app is imported and for each call, and a framework's once it is imported.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import numpy as np

FRAMEWORKS: dict[str, Callable[[Any, int], object]] = {
    "torch": lambda torch, entropy: torch.manual_seed(entropy),
    "tensorflow": lambda tensorflow, entropy: tensorflow.random.set_seed(entropy),
    "mlx.core": lambda mlx, entropy: mlx.random.seed(entropy),
}


def seed_globals(entropy: int) -> None:
    """Seed the generators; those of a framework that is not loaded yet, as soon as it is.

    Parameters
    ----------
    entropy : int
        From 0 to 2³² - 1.
    """
    random.seed(entropy)
    np.random.seed(entropy)  # noqa: NPY002 - apps use it
    for name, seed in FRAMEWORKS.items():
        if framework := sys.modules.get(name):
            seed(framework, entropy)
    _framework_seeder.entropy = entropy
    if _framework_seeder not in sys.meta_path:
        sys.meta_path.insert(0, _framework_seeder)


@contextmanager
def preserved_generators() -> Iterator[None]:
    """Restore the generators of Python, NumPy and PyTorch when the block ends.

    TensorFlow and MLX do not show the state of theirs.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")
    state = torch.get_rng_state() if torch else None
    outermost, entropy, loaded = _framework_seeder not in sys.meta_path, _framework_seeder.entropy, _loaded()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if torch:
            torch.set_rng_state(state)
        if outermost and _framework_seeder in sys.meta_path:
            sys.meta_path.remove(_framework_seeder)
        elif not outermost:
            _framework_seeder.entropy = entropy
            for name in _loaded() - loaded:
                FRAMEWORKS[name](sys.modules[name], entropy)


def _loaded() -> set[str]:
    return FRAMEWORKS.keys() & sys.modules.keys()


class _FrameworkSeeder(MetaPathFinder):
    """Seeds a framework when an app imports it."""

    entropy = 0

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a framework, and have it seeded when it has been loaded."""
        if fullname not in FRAMEWORKS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.loader:
            load, seed = spec.loader.exec_module, FRAMEWORKS[fullname]

            def load_and_seed(module: ModuleType) -> None:
                load(module)
                seed(module, self.entropy)

            spec.loader.exec_module = load_and_seed  # type: ignore[method-assign]
        return spec


_framework_seeder = _FrameworkSeeder()
