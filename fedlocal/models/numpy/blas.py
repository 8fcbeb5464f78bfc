"""SciPy's BLAS without the package around it, whose import costs more than all of NumPy's."""

import numpy as np
from numpy.typing import NDArray

from fedlocal.compat.scipy import load_blas

Matrix = NDArray[np.float32]

blas = load_blas()
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
        Factors of the target and of the product.
    """
    # To BLAS, which counts by columns, a matrix that lies by rows is its transpose. The last two arguments
    # are trans_b and overwrite_c.
    columns = target.T
    if sgemm(scale, deltas.T, inputs.T, keep, columns, 0, 1, 1) is not columns:
        raise RuntimeError("BLAS wrote to a copy, not to the target")
