"""Workers follow the load, and nothing else does."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.actors.engine.autoscaling import ENOUGH, PATIENCE, Autoscaler, Utilisation
from fedlocal.actors.engine.cpu_usage import CpuUsage, Share
from tests.actors.faults.trial import until

linux = pytest.mark.skipif(sys.platform != "linux", reason="counts what Linux counts")


@dataclass
class System:
    """Notes how it is resized; of its one process nothing can be known."""

    workers: int
    sizes: list[int] = field(default_factory=list)

    def resize(self, workers: int) -> None:
        self.workers = workers
        self.sizes.append(workers)

    def processes(self) -> list[int]:
        return [0]


# What the load advises

BUSY = Utilisation(seconds=1, busy=2, had=2)


def test_a_number_of_workers_that_is_used_well_stays() -> None:
    assert BUSY.advice(2) == (0, "")
    assert Utilisation().advice(2) == (0, "")


def test_idle_cores_and_busy_workers_ask_for_another_worker() -> None:
    assert Utilisation(seconds=2, busy=4, had=4, idle=3.6).advice(2) == (1, "1.8 cores had nothing to do")


def test_idle_cores_ask_for_no_worker_where_workers_are_idle_too() -> None:
    assert Utilisation(seconds=1, busy=0.5, had=0.5, idle=1.5).advice(2)[0] == 0


def test_other_processes_that_want_the_cores_ask_for_a_worker_less() -> None:
    squeezed = Utilisation(seconds=1, busy=2, had=1.33, waited=0.67, other_processes=0.67)
    assert squeezed.advice(2) == (-1, "other processes took 0.7 cores")


def test_other_processes_ask_for_nothing_where_there_are_cores_for_all() -> None:
    assert Utilisation(seconds=1, busy=2, had=2, other_processes=2).advice(2)[0] == 0


def test_clients_that_wait_for_no_core_ask_for_another_worker_whatever_other_processes_do() -> None:
    waiting = Utilisation(seconds=1, busy=2, had=0.1, waited=0.01, other_processes=1.9)
    assert waiting.advice(2) == (1, "clients wait for something else than a core")


@given(st.floats(0, 1))
def test_one_steady_neighbour_does_not_make_a_worker_come_and_go(wanted: float) -> None:
    """Two workers and a neighbour that wants so much of a core, on two cores that are shared out fairly."""
    theirs = min(wanted, 2 / 3)
    two = Utilisation(seconds=1, busy=2, had=2 - theirs, waited=theirs, other_processes=theirs)
    alone = Utilisation(seconds=1, busy=1, had=1, other_processes=wanted, idle=1 - wanted)
    assert not (two.advice(2)[0] == -1 and alone.advice(1)[0] == 1)


@given(st.builds(Utilisation, *[st.floats(0, 100)] * 6), st.integers(1, 64))
def test_advice_is_a_small_step(usage: Utilisation, workers: int) -> None:
    change, reason = usage.advice(workers)
    assert change in (-1, 0, 1)
    assert bool(reason) == bool(change)


# What becomes of it


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 4), st.integers(0, 8))
def test_the_number_of_workers_stays_within_its_bounds(messages: list[int], least: int, more: int) -> None:
    system = System(least + more)
    policy = Autoscaler(system, least, least + more)
    for count in messages:
        policy.begin()
        policy.end(count, 0.1, 0.1)
        assert least <= system.workers <= least + more


def test_unneeded_workers_go_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    system = System(4)
    policy = Autoscaler(system, 1, 4)
    with caplog.at_level(logging.INFO):
        for count in [4, *[2] * PATIENCE]:
            assert system.workers == 4
            policy.begin()
            policy.end(count, 0.1, 0.1)
    assert system.sizes == [2]
    assert caplog.messages == ["workers: 2, no longer 4: no more than 2 clients at a time"]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[CpuUsage]:
    """Return the loads that are to be seen, in pairs: before and after."""
    seen: list[CpuUsage] = []
    monkeypatch.setattr(CpuUsage, "now", lambda _: seen.pop(0))
    return seen


def pair(idle: float, workers: dict[int, Share], seconds: float = 0.0) -> list[CpuUsage]:
    """Return looks at two cores, `ENOUGH` seconds apart, given the seconds of each in between."""
    before = CpuUsage(100, 50, 7, dict.fromkeys(workers, Share(3, 1)))
    later = {process: Share(3 + had, 1 + waited) for process, (had, waited) in workers.items()}
    return [before, CpuUsage(100 + 2 * ENOUGH, 50 + idle, 7 + seconds, later)]


SLEEPING = Share(0.1 * ENOUGH, 0.0)
SQUEEZED = Share(0.65 * ENOUGH, 0.35 * ENOUGH)


def test_workers_come_while_cores_are_idle_and_there_is_work(loads: list[CpuUsage]) -> None:
    system = System(1)
    policy = Autoscaler(system, 1, 3)
    for _ in range(5):
        loads += pair(0.9 * ENOUGH, {1: SLEEPING})
        policy.begin()
        policy.end(8, ENOUGH, ENOUGH * system.workers)
    assert system.sizes == [2, 3]


def test_the_load_is_judged_after_enough_time(loads: list[CpuUsage]) -> None:
    system = System(1)
    policy = Autoscaler(system, 1, 3)
    for seen in range(1, 5):
        loads += pair(ENOUGH / 4, {1: SLEEPING})
        policy.begin()
        policy.end(8, ENOUGH / 4, ENOUGH / 4)
        assert system.workers == (2 if seen == 4 else 1)


def test_work_of_this_process_does_not_count_as_that_of_other_processes(loads: list[CpuUsage]) -> None:
    system = System(2)
    policy = Autoscaler(system, 1, 2)
    loads += pair(0.0, {1: SQUEEZED, 2: SQUEEZED}, seconds=0.7 * ENOUGH)
    policy.begin()
    policy.end(8, ENOUGH, 2 * ENOUGH)
    assert system.workers == 2
    loads += pair(0.0, {1: SQUEEZED, 2: SQUEEZED})
    policy.begin()
    policy.end(8, ENOUGH, 2 * ENOUGH)
    assert system.workers == 1


def test_a_run_that_does_not_give_way_keeps_its_workers(loads: list[CpuUsage]) -> None:
    system = System(2)
    policy = Autoscaler(system, 1, 3, give_way=False)
    loads += pair(0.0, {1: SQUEEZED, 2: SQUEEZED})
    policy.begin()
    policy.end(8, ENOUGH, 2 * ENOUGH)
    assert system.workers == 2


def test_a_load_across_the_replacement_of_a_worker_is_not_judged(loads: list[CpuUsage]) -> None:
    system = System(1)
    policy = Autoscaler(system, 1, 3)
    loads += [pair(0.0, {1: SLEEPING})[0], pair(ENOUGH, {2: SLEEPING})[1]]
    policy.begin()
    policy.end(8, ENOUGH, ENOUGH)
    assert system.workers == 1


# What is seen of the load


@pytest.fixture
def spinning() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield process
        finally:
            process.kill()


@linux
def test_the_time_that_a_process_takes_is_seen(spinning: "subprocess.Popen[bytes]") -> None:
    before = CpuUsage.now([spinning.pid])
    assert before

    def since() -> CpuUsage:
        now = CpuUsage.now([spinning.pid])
        assert now
        load = now.since(before)
        assert load
        return load

    assert until(lambda: since().workers[spinning.pid].had > 0.1 and since().cores > 0.1)
    assert since().workers[spinning.pid].waited >= 0
    assert until(lambda: since().this_process > 0)  # it is counted in hundredths of a second
    assert since().idle >= 0


@linux
def test_the_counts_of_linux_are_those_of_the_cores_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {
        "/proc/stat": "cpu 9\ncpu0 100 0 50 800 50 0 0 0\ncpu1 9 9 9 9 9 9 9 9\ncpu2 0 0 0 1000 0\nintr 7\n",
        "/proc/7/schedstat": "1500000000 250000000 3\n",
    }
    monkeypatch.setattr(Path, "read_text", lambda path: files[str(path)])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2})
    monkeypatch.setattr(os, "times", lambda: os.times_result((3.0, 0.5, 0.0, 0.0, 0.0)))
    monkeypatch.setattr("fedlocal.actors.engine.cpu_usage.TICKS", 100)
    load = CpuUsage.now([7])
    assert load == CpuUsage(cores=20.0, idle=18.5, this_process=3.5, workers={7: Share(1.5, 0.25)})


@linux
def test_a_process_that_is_gone_or_another_process_makes_the_load_unknown() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert CpuUsage.now([process.pid]) is None
    load = CpuUsage.now([os.getpid()])
    assert load
    assert load.since(CpuUsage(0, 0, 0, {})) is None


def test_without_linux_the_load_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert CpuUsage.now([]) is None
