"""How busy others kept the machine is what its clocks say, on Linux and elsewhere."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fedlocal.results import Meter, Round, contention_of
from fedlocal.results import contention as clocks
from fedlocal.results.contention import Machine, Reading

READ = Machine.read  # before tests are given a quiet machine
START = Reading(100.0, process=5.0, busy=50.0, idle=20.0, stolen=1.0, cores=2)


def later(wall: float, **seconds: float) -> Reading:
    """Return a reading some seconds after the first one."""
    seconds_here, seconds_elsewhere = seconds.get("process", 0.0), seconds.get("elsewhere", 0.0)
    stolen, idle = (
        seconds.get("stolen", 0.0),
        2 * wall - seconds_here - seconds_elsewhere - seconds.get("stolen", 0.0),
    )
    return Reading(
        100 + wall, 5 + seconds_here, 50 + seconds_here + seconds_elsewhere, 20 + idle, 1 + stolen, 2
    )


@pytest.mark.parametrize(
    ("seconds", "contended"),
    [
        ({"process": 20.0}, 0.0),  # both cores are the run's
        ({"process": 10.0}, 0.0),  # the other one is idle
        ({"process": 10.0, "elsewhere": 4.0}, 0.0),  # others find room on the idle core
        ({"process": 10.0, "elsewhere": 10.0}, 5.0),  # and leave none
        ({"process": 4.0, "elsewhere": 16.0}, 8.0),
        ({"process": 10.0, "stolen": 2.0}, 1.0),  # the host asks nobody
    ],
)
def test_other_processes_hamper_a_run_as_far_as_they_leave_no_core_idle(
    seconds: dict[str, float], contended: float
) -> None:
    measured = later(10.0, **seconds).contended(START)
    assert measured is not None
    assert max(0.0, measured) == pytest.approx(contended)


def test_the_steps_of_the_clocks_are_nobodys_work() -> None:
    """Laps of 20 ms on two cores that the run has for itself, by clocks that go in steps of 20 ms."""
    exact = [(0.02 * lap, 0.04 * lap) for lap in range(101)]
    readings = iter(
        Reading(wall, busy // 0.02 * 0.02, (busy + 0.013) // 0.02 * 0.02, 0.0, 0.0, 2) for wall, busy in exact
    )
    meter = Meter(lambda: next(readings))
    assert sum(meter.lap()["contended"] for _ in range(100)) <= 0.05


def test_contended_time_never_exceeds_the_time_there_was() -> None:
    assert later(1.0, process=-1.0, elsewhere=4.0).contended(START) == 1.0


def test_without_the_machines_clocks_one_thread_says_what_it_did_not_get() -> None:
    before, after = Reading(100.0, process=5.0), Reading(110.0, process=8.0)
    assert after.contended(before, threads=1) == 7.0
    assert after.contended(before, threads=2) is None
    assert after.contended(before) is None


def test_laps_follow_one_another() -> None:
    readings = iter(
        [
            START,
            later(10.0, process=4.0, elsewhere=16.0),
            later(12.0, process=8.0, elsewhere=16.0),
        ]
    )
    meter = Meter(lambda: next(readings))
    assert meter.lap() == {"elapsed": 10.0, "contended": pytest.approx(8.0)}
    assert meter.lap() == {"elapsed": 2.0, "contended": pytest.approx(0.0)}


def test_a_machine_that_says_nothing_leaves_nothing_in_a_round() -> None:
    readings = iter([Reading(0.0, process=0.0), Reading(1.0, process=0.1)])
    assert Meter(lambda: next(readings)).lap() == {}
    assert contention_of([Round(1, {"training": 1.0})]) is None


def test_the_contention_of_rounds_is_weighted_by_their_time() -> None:
    rounds = [
        Round(0, {"elapsed": 50.0, "contended": 50.0}),  # workers start, nobody trains
        Round(1, {"elapsed": 9.0, "contended": 0.0}),
        Round(2, {"elapsed": 1.0, "contended": 1.0}),
    ]
    assert contention_of(rounds) == pytest.approx(0.1)


Write = Callable[[str, dict[int, str]], None]


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return what writes the files that Linux would show: of cores, and of processes after their names."""
    monkeypatch.setattr(clocks, "PROC", tmp_path)
    monkeypatch.setattr(clocks, "TICKS", 100)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 2}, raising=False)
    monkeypatch.setattr(os, "times", lambda: (1.0, 0.5, 0.25, 0.25, 0.0))

    def write(stat: str, processes: dict[int, str]) -> None:
        (tmp_path / "stat").write_text(stat)
        for number, line in processes.items():
            (tmp_path / str(number)).mkdir(exist_ok=True)
            (tmp_path / str(number) / "stat").write_text(line)

    return write


STAT = """\
cpu  999 0 0 999 0 0 0 0 0 0
cpu0 900 0 0 900 0 0 0 0 0 0
cpu1 100 10 20 400 30 5 5 7 0 0
cpu2 200 0 10 500 0 0 0 3 0 0
intr 1
"""


def process(number: int, parent: int, *ticks: int) -> str:
    return f"{number} (a ) name) S {parent} {' '.join('0' * 9)} {' '.join(map(str, ticks))} 0 0 1"


def test_a_reading_is_of_the_cores_that_may_be_used_and_of_all_descendants(proc: Write) -> None:
    pid = os.getpid()
    family = {
        7: process(7, pid, 100, 50, 25, 25),
        8: process(8, 7, 300, 0, 0, 0),
        9: process(9, 1, 9999, 0, 0, 0),
    }
    proc(STAT, family)
    reading = READ(Machine())
    assert reading.cores == 2
    assert reading[1:5] == pytest.approx((7.0, 3.5, 9.3, 0.1))  # own: 2 here, 2 and 3 of its descendants


@pytest.mark.parametrize("stat", ["", "cpu1 1 2 3\ncpu2 1 2 3\n", "cpu1 a b c d e f g h\n"])
def test_clocks_in_another_form_are_ignored(proc: Write, stat: str) -> None:
    proc(stat, {})
    assert READ(Machine()).busy is None


def test_a_descendant_that_has_ended_is_no_error(proc: Write, tmp_path: Path) -> None:
    pid, machine = os.getpid(), Machine()
    proc(STAT, {7: process(7, pid, 100, 0, 0, 0)})
    assert READ(machine).process == 3.0
    (tmp_path / "7" / "stat").unlink()
    assert READ(machine).process == 2.0


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux's clocks")
def test_work_of_this_process_and_of_its_children_is_its_own() -> None:
    machine = Machine()
    before = READ(machine)
    command = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", command], check=True)
    after = READ(machine)
    assert after.process - before.process >= 0.25  # clocks go on in steps, each core's of its own
    assert after.busy is not None
    assert before.busy is not None
    assert after.busy - before.busy >= 0.25
