"""SciPy's BLAS without the package around it, whose import costs more than all of NumPy's."""

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


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


def add_product(target: Matrix, inputs: Matrix, deltas: Matrix, keep: float, scale: float) -> None:
    """Set ``target <- keep target + scale inputs.T @ deltas``, in one call of BLAS and in place.

    Parameters
    ----------
    target : float32[m, n]
        Contiguous.
    inputs, deltas : float32[rows, m], float32[rows, n]
        The factors.
    keep, scale : float
        As above.
    """
    # To BLAS, which counts by columns, a matrix that lies by rows is its transpose. The last two arguments
    # are trans_b and overwrite_c.
    columns = target.T
    if sgemm(scale, deltas.T, inputs.T, keep, columns, 0, 1, 1) is not columns:
        raise RuntimeError("BLAS wrote to a copy, not to the target")
