"""SciPy's private names: the extension module with BLAS, without the package around it."""

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType

FBLAS = "scipy.linalg._fblas"


def load_blas() -> ModuleType:
    """Load the extension module that ``scipy.linalg.blas`` passes on, and leave it where SciPy looks for it.

    It relies on the module's name, `FBLAS`. Where there is none of this name, or SciPy is loaded already, the
    package itself is as good; its import costs more than all of NumPy's, in each worker.
    """
    package = find_spec("scipy.linalg")
    spec = PathFinder.find_spec(FBLAS, package.submodule_search_locations) if package else None
    if "scipy.linalg" in sys.modules or spec is None or spec.loader is None:
        from scipy.linalg import blas as whole

        return whole
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return sys.modules.setdefault(FBLAS, module)
