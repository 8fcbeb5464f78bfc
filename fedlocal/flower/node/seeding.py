"""Seeds the global generators that apps and strategies share: Python's, NumPy's and those of frameworks.

They are seeded before an app is imported, for each call, and around all that a strategy does; a framework's
once it is imported. What draws from a generator of its own has to seed that itself.
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

_unused: list[np.random.MT19937] = []  # making one takes longer than all else here


@contextmanager
def seeded(entropy: int) -> Iterator[None]:
    """Seed the global generators for the block, as `preserved`.

    Parameters
    ----------
    entropy : int
        From 0 to 2⁶³ - 1; all but Python's generator take 32 bits of it.
    """
    with preserved():
        seed_globals(entropy)
        yield


@contextmanager
def preserved() -> Iterator[None]:
    """Have the global generators of Python, NumPy and PyTorch go on after the block as before it.

    What is to be drawn within it is to be seeded there. TensorFlow and MLX do not show the state of theirs.
    Blocks may lie within one another, not beside one another in threads: the generators are the process's.
    """
    python, outer = random.getstate(), np.random.get_bit_generator()  # type: ignore[attr-defined]
    numpy = np.random.get_state(legacy=False)  # noqa: NPY002
    torch = sys.modules.get("torch")
    state = torch.get_rng_state() if torch else None
    outermost, before = _framework_seeder not in sys.meta_path, _framework_seeder.entropy
    loaded = FRAMEWORKS.keys() & sys.modules.keys()
    inner = _unused.pop() if _unused else np.random.MT19937(0)
    np.random.set_bit_generator(inner)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_bit_generator(outer)  # type: ignore[attr-defined]  # ten times as fast as its state
        _unused.append(inner)
        if numpy.get("has_gauss"):  # which is not the bit generator's
            np.random.set_state(numpy)  # noqa: NPY002
        if torch:
            torch.set_rng_state(state)
        if outermost and _framework_seeder in sys.meta_path:
            sys.meta_path.remove(_framework_seeder)
        elif not outermost:
            _framework_seeder.entropy = before
            for name in (FRAMEWORKS.keys() & sys.modules.keys()) - loaded:
                FRAMEWORKS[name](sys.modules[name], before)


def seed_globals(entropy: int) -> None:
    """Seed the generators for good, in a process that has no other work; else as `seeded`."""
    random.seed(entropy)
    entropy %= 1 << 32
    np.random.seed(entropy)  # noqa: NPY002 - apps use it
    for name, seed in FRAMEWORKS.items():
        if framework := sys.modules.get(name):
            seed(framework, entropy)
    _framework_seeder.entropy = entropy
    if _framework_seeder not in sys.meta_path:
        sys.meta_path.insert(0, _framework_seeder)


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
