"""SciPy's BLAS without the package around it, whose import costs more than all of NumPy's."""

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType


def _load() -> ModuleType:
    """Load the extension module that ``scipy.linalg.blas`` passes on, and leave it where SciPy looks for it.

    Where it is loaded already, or has another name, the package itself is as good.
    """
    name = "scipy.linalg._fblas"
    package = find_spec("scipy.linalg")
    spec = PathFinder.find_spec(name, package.submodule_search_locations) if package else None
    if "scipy.linalg" in sys.modules or spec is None or spec.loader is None:
        from scipy.linalg import blas as whole

        return whole
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return sys.modules.setdefault(name, module)


blas = _load()
sgemm, saxpy = blas.sgemm, blas.saxpy
