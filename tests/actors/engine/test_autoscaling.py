"""Workers follow the load, and nothing else does."""

import logging
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.actors.engine import autoscaling
from fedlocal.actors.engine.autoscaling import ENOUGH, PATIENCE, Autoscaler, advice, core_seconds
from tests.actors.faults.trial import until

linux = pytest.mark.skipif(sys.platform != "linux", reason="counts what Linux counts")


@dataclass
class System:
    """Notes how it is resized; of its one process nothing can be known."""

    workers: int
    sizes: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=lambda: [0])

    def resize(self, workers: int) -> None:
        self.workers = workers
        self.sizes.append(workers)

    def processes(self) -> list[int]:
        return self.numbers


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        ((0, 0, 0, 0, 0, 0), (0, "")),
        ((1, 2, 2, 0, 0, 0), (0, "")),  # used well
        ((2, 4, 4, 0, 3.6, 0), (1, "1.8 cores had nothing to do")),
        ((1, 0.5, 0.5, 0, 1.5, 0), (0, "")),  # workers are idle too
        ((1, 2, 1.33, 0.67, 0, 0.67), (-1, "other processes took 0.7 cores")),
        ((1, 2, 2, 0, 0, 2), (0, "")),  # there are cores for all
        ((1, 2, 0.1, 0.01, 0, 1.9), (1, "clients wait for something else than a core")),
    ],
)
def test_what_the_load_of_two_workers_advises(load: tuple[float, ...], expected: tuple[int, str]) -> None:
    assert advice(2, *load) == expected


@given(st.floats(0, 1))
def test_one_steady_neighbour_does_not_make_a_worker_come_and_go(wanted: float) -> None:
    """Two workers and a neighbour that wants so much of a core, on two cores that are shared out fairly."""
    theirs = min(wanted, 2 / 3)
    two = advice(2, 1, 2, 2 - theirs, theirs, 0, theirs)
    alone = advice(1, 1, 1, 1, 0, 1 - wanted, wanted)
    assert not (two[0] == -1 and alone[0] == 1)


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 4), st.integers(0, 8))
def test_the_number_of_workers_stays_within_its_bounds(messages: list[int], least: int, more: int) -> None:
    system = System(least + more)
    autoscaler = Autoscaler(system, least, least + more)
    for count in messages:
        autoscaler.begin()
        autoscaler.end(count, 0.1, 0.1)
        assert least <= system.workers <= least + more


def test_unneeded_workers_go_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    system = System(4)
    autoscaler = Autoscaler(system, 1, 4)
    with caplog.at_level(logging.INFO):
        for count in [4, *[2] * PATIENCE]:
            assert system.workers == 4
            autoscaler.begin()
            autoscaler.end(count, 0.1, 0.1)
    assert system.sizes == [2]
    assert caplog.messages == ["workers: 2, no longer 4: no more than 2 clients at a time"]


SLEEPING = (0.1, 0.0, 0.9, 0.0)  # of a second: workers had a core, waited; cores were idle, others'
SQUEEZED = (1.3, 0.7, 0.0, 0.7)


def exchange(
    monkeypatch: pytest.MonkeyPatch, autoscaler: Autoscaler, load: tuple[float, ...], seconds: float = ENOUGH
) -> None:
    """Have the autoscaler see a set of 8 messages, which keep all workers busy, under a load."""
    before = np.array([3.0, 1.0, 50.0, 7.0])
    looks = iter([before, before + seconds * np.array(load)])
    monkeypatch.setattr(autoscaling, "core_seconds", lambda _: next(looks))
    autoscaler.begin()
    autoscaler.end(8, seconds, seconds * autoscaler.system.workers)


def test_workers_come_while_cores_are_idle_and_there_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(1)
    for _ in range(5):
        exchange(monkeypatch, Autoscaler(system, 1, 3), SLEEPING)
    assert system.sizes == [2, 3]


def test_the_load_is_judged_after_enough_time(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(1)
    autoscaler = Autoscaler(system, 1, 3)
    for seen in range(1, 5):
        exchange(monkeypatch, autoscaler, SLEEPING, ENOUGH / 4)
        assert system.workers == (2 if seen == 4 else 1)


@pytest.mark.parametrize(("give_way", "workers"), [(True, 1), (False, 2)])
def test_a_run_gives_way_to_other_processes_if_it_is_to(
    monkeypatch: pytest.MonkeyPatch, give_way: bool, workers: int
) -> None:
    system = System(2)
    exchange(monkeypatch, Autoscaler(system, 1, 3, give_way), SQUEEZED)
    assert system.workers == workers


def test_a_load_across_the_replacement_of_a_worker_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(1)
    autoscaler = Autoscaler(system, 1, 3)
    monkeypatch.setattr(autoscaling, "core_seconds", lambda _: np.zeros(4))
    autoscaler.begin()
    system.numbers = [2]
    monkeypatch.setattr(autoscaling, "core_seconds", lambda _: ENOUGH * np.array(SLEEPING))
    autoscaler.end(8, ENOUGH, ENOUGH)
    assert system.workers == 1


@linux
def test_the_time_that_a_process_takes_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            before = core_seconds([process.pid])
            assert before is not None
            assert until(lambda: bool((core_seconds([process.pid]) - before)[0] > 0.1))  # type: ignore[operator]
            assert ((core_seconds([process.pid]) - before)[1:3] >= 0).all()  # type: ignore[operator]
        finally:
            process.kill()


@linux
def test_the_counts_of_linux_are_those_of_the_cores_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {
        "/proc/stat": "cpu 9\ncpu0 100 0 50 800 50 0 0 0\ncpu1 9 9 9 9 9 9 9 9\ncpu2 0 0 0 1000 0\nintr 7\n",
        "/proc/7/schedstat": "250000000 125000000 3\n",
    }
    monkeypatch.setattr(Path, "read_text", lambda path: files[str(path)])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2})
    monkeypatch.setattr(os, "times", lambda: os.times_result((0.75, 0.25, 0.0, 0.0, 0.0)))
    monkeypatch.setattr(autoscaling, "TICKS", 100)
    load = core_seconds([7])
    assert load is not None
    assert load.tolist() == pytest.approx([0.25, 0.125, 18.5, 20.0 - 18.5 - 1.0 - 0.25])


def test_without_linux_or_a_living_process_the_load_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert core_seconds([process.pid]) is None
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert core_seconds([]) is None
