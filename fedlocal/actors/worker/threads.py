"""Cores and threads: how many workers fit, and one BLAS thread for each computation of a reply.

A matrix product may give other bits with another number of threads, and two workers with two threads each
are slower than one: so one thread is a promise, kept twice (environment for libraries loaded later, and a
limit on those already loaded, since an environment variable does not reach a forkserver that already runs).
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from threadpoolctl import ThreadpoolController

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
SHORT_SPIN = "OPENBLAS_THREAD_TIMEOUT"  # log2 of the cycles that an idle thread spins; 26 unless set
ONE_THREAD = dict.fromkeys(THREAD_VARIABLES, "1")


def usable_cores() -> int:
    """Return the number of cores this process may use, at least 1: affinity and cgroup limits count."""
    from fedlocal.compat.joblib import cpu_count  # joblib takes long to load

    return cpu_count()


def limit_this_process() -> None:
    """Give every numeric library of this process one thread, for good.

    Raises
    ------
    RuntimeError
        If a library keeps more threads: results would depend on it.
    """
    os.environ.update(ONE_THREAD)
    ThreadpoolController().limit(limits=1)
    stubborn = [pool["internal_api"] for pool in ThreadpoolController().info() if pool["num_threads"] != 1]
    if stubborn:
        raise RuntimeError(f"cannot limit {', '.join(stubborn)} to one thread; set OMP_NUM_THREADS=1")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Give the numeric libraries that are loaded now `count` threads for the time of the context.

    NumPy and SciPy each bring an OpenBLAS, whose idle threads spin for milliseconds: with several threads in
    both, each pool waits for cores on which the other spins, and a product takes as long as a time slice. So
    only NumPy's gets more than one thread, unless `SHORT_SPIN` is set in the environment from the start.
    """
    controller = ThreadpoolController()
    with controller.limit(limits=count):
        if count > 1 and SHORT_SPIN not in os.environ:
            blas = [library for library in controller.lib_controllers if library.internal_api == "openblas"]
            for library in sorted(blas, key=lambda library: "numpy" not in library.filepath)[1:]:
                library.set_num_threads(1)
        yield


def one_thread() -> AbstractContextManager[None]:
    """Give every numeric library that is loaded now one thread for the time of the context."""
    return threads(1)
