"""How workers start when the process that they fork from is in trouble."""

import os
import signal
import threading
from multiprocessing import forkserver, get_all_start_methods

import pytest

from fedlocal.actors import ActorSystem, Envelope, Reply
from fedlocal.actors.processes import warm_up
from tests.actors.behaviours import Echo

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif("forkserver" not in get_all_start_methods(), reason="workers are spawned here"),
]


def test_the_process_that_workers_fork_from_may_be_killed_while_it_starts_one() -> None:
    warm_up(())
    origin = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    os.kill(origin, signal.SIGSTOP)  # so that it is asked for a worker, and does not answer
    killer = threading.Timer(0.3, os.kill, (origin, signal.SIGKILL))
    killer.start()
    with ActorSystem(Echo, workers=2, method="forkserver") as system:
        results = system.ask([Envelope(0, b"a"), Envelope(1, b"b")], timeout=300)
    killer.join()
    assert [bytes(one.wire.body) for one in results if isinstance(one, Reply)] == [b"a", b"b"]
