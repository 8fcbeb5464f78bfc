"""SciPy's private names that fedlocal needs, each with what depends on it."""

import pytest
import scipy

from tests.compat.private_names import PrivateName, by_name, said

ALONE = """
import sys
from fedlocal.compat import scipy as compat
blas = compat.load_blas()
print(blas.__name__, "scipy.linalg" in sys.modules)
from scipy.linalg import blas as whole
print(whole.sgemm is blas.sgemm, compat.load_blas() is whole)
"""

NAMES = [
    PrivateName(
        "scipy.linalg._fblas",
        lambda: said(ALONE) == ["scipy.linalg._fblas", "False", "True", "True"],
        "importing models and the mean of FedAvg without all of SciPy (fedlocal.models)",
    ),
]


@pytest.mark.parametrize("private", NAMES, ids=by_name)
def test_a_private_name_of_scipy_is_as_before(private: PrivateName) -> None:
    private.check(f"SciPy {scipy.__version__}")
