"""Threads of the numeric libraries, and cores."""

import os

import pytest
import scipy.linalg.blas  # noqa: F401 - brings the second OpenBLAS
from threadpoolctl import threadpool_info

from fedlocal.actors import ActorSystem, Envelope, Reply, one_thread, threads, usable_cores
from fedlocal.actors.worker.threads import SHORT_SPIN
from tests.actors.behaviours import Threads


def counts() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info()]


def test_the_limit_of_one_thread_holds_inside_and_is_undone_outside() -> None:
    before = counts()
    with one_thread():
        assert set(counts()) == {1}
    assert counts() == before


def test_several_threads_go_to_one_openblas_unless_its_threads_spin_shortly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def blas() -> list[int]:
        return sorted(pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas")

    if len(blas()) < 2:
        pytest.skip("NumPy and SciPy share a BLAS here")
    monkeypatch.delenv(SHORT_SPIN, raising=False)
    with threads(2):
        assert blas() == [1] * (len(blas()) - 1) + [2]
    monkeypatch.setenv(SHORT_SPIN, "4")
    with threads(2):
        assert set(blas()) == {2}


def test_cores_are_at_least_one_and_at_most_those_there_are() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("method", ["forkserver", pytest.param("spawn", marks=pytest.mark.slow)])
def test_every_library_in_a_worker_has_one_thread_whatever_the_environment_says(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with ActorSystem(Threads, workers=1, method=method) as system:
        (result,) = system.ask([Envelope(0)])
    assert isinstance(result, Reply)
    assert set(bytes(result.wire.body)) == {1}
    assert os.environ["OMP_NUM_THREADS"] == "2"
