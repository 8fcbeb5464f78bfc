"""The process that workers fork from, shared by all tests: it imports once what each worker would."""

import multiprocessing
from contextlib import suppress

from fedlocal.experiment.figures import PRELOAD as DRAWING
from fedlocal.flower.grid.backends import PRELOAD as CLIENTS
from fedlocal.inference.pool import PRELOAD as SERVING
from fedlocal.models import PyTorch

LIBRARY = ("sklearn.linear_model", "sklearn.neural_network", *PyTorch.preload)  # what is installed of it
SHARED = ("fedlocal.actors.worker.processes", *CLIENTS, *DRAWING, *SERVING, *LIBRARY)


def share_imports() -> None:
    """Have the next such process import all of it, when somebody starts it."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        multiprocessing.set_forkserver_preload(list(SHARED))


def stop() -> None:
    """End such a process; the next worker starts another."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        from multiprocessing import forkserver

        with suppress(OSError):  # its socket has no name that could be removed
            forkserver._forkserver._stop()  # type: ignore[attr-defined]
