"""Cores and threads: how many workers fit, and one BLAS thread for each computation of a reply.

A matrix product may give other bits with another number of threads, and two workers with two threads each are
slower than one: so one thread is a promise, kept twice (environment for libraries loaded later, and a limit on
those already loaded, since an environment variable does not reach a forkserver that already runs).
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
ONE_THREAD = dict.fromkeys(THREAD_VARIABLES, "1")


def usable_cores() -> int:
    """Return the number of cores this process may use, at least 1: affinity and cgroup limits count."""
    from joblib.externals.loky import cpu_count

    return int(cpu_count())


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
    """Give every numeric library that is loaded now `count` threads for the time of the context."""
    with ThreadpoolController().limit(limits=count):
        yield


def one_thread() -> AbstractContextManager[None]:
    """Give every numeric library that is loaded now one thread for the time of the context."""
    return threads(1)
