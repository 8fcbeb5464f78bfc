"""joblib's private names: the copy of loky that it carries."""

from joblib.externals import loky


def cpu_count() -> int:
    """Return the number of cores that this process may use: affinity and cgroup limits count.

    It relies on ``joblib.externals.loky.cpu_count``. ``joblib.cpu_count``, which is public, returns 1
    wherever joblib itself is told not to use processes (``JOBLIB_MULTIPROCESSING=0``), and so there would be
    one worker.
    """
    return int(loky.cpu_count())
