"""Memory that a system's workers share with its owner."""

import gc
import os
import pickle
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fedlocal.actors import ActorSystem, Envelope, Outcome, SharedArray, Wire

pytestmark = pytest.mark.usefixtures("no_leaks")


class Doubler:
    """Doubles the element that a message names."""

    def __init__(self, shared: SharedArray) -> None:
        self._array = shared.array

    def handle(self, actor: int, message: Wire, state: bytes) -> Outcome:
        self._array[int(message.body)] *= 2
        return Wire(body=str(os.getpid()).encode()), b""


@pytest.mark.parametrize("method", ["forkserver", "spawn"] if sys.platform != "win32" else ["spawn"])
def test_workers_and_their_owner_see_each_others_writes(method: str) -> None:
    shared = SharedArray((4,), np.float32)
    assert shared.array.tolist() == [0, 0, 0, 0]
    shared.array[:] = [1, 2, 3, 4]
    with ActorSystem(partial(Doubler, shared), workers=2, method=method) as system:
        system.ask([Envelope(element, str(element).encode()) for element in range(4)])
        shared.array[0] = 50
        system.ask([Envelope(0, b"0")])
    assert shared.array.tolist() == [100, 4, 6, 8]
    shared.close()
    shared.close()
    assert shared.array[0] == 100


def test_a_worker_that_starts_later_sees_the_array_too() -> None:
    shared = SharedArray((1,), np.int64)
    shared.array[0] = 1
    with ActorSystem(partial(Doubler, shared), workers=1) as system:
        (reply,) = system.ask([Envelope(0, b"0")])
        os.kill(int(reply.wire.body), 9)  # type: ignore[union-attr]
        system.ask([Envelope(0, b"0")])
    assert shared.array[0] == 4
    shared.close()


def test_an_array_is_handed_only_to_processes_that_start() -> None:
    shared = SharedArray((1,), np.float32)
    with pytest.raises(RuntimeError):
        pickle.dumps(shared)
    shared.close()


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_a_forgotten_array_leaves_no_descriptor() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    SharedArray((1000,), np.float32)
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_without_anonymous_files_a_temporary_file_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("fedlocal.memory.block.HAS_MEMFD", False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shared = SharedArray((3,), np.float32)
    shared.array[:] = 1
    with ActorSystem(partial(Doubler, shared), workers=1) as system:
        system.ask([Envelope(0, b"1")])
    assert shared.array.tolist() == [1, 2, 1]
    shared.close()
    assert not list(tmp_path.iterdir())
