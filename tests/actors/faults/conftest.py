"""Every trial has a watchdog beside it and a checker behind it, and leaves nothing."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from fedlocal.actors import ActorSystem, Behaviour, Policy, WorkerExit, warm_up
from tests.actors.faults.trial import Open, Trial
from tests.forking import share_imports, stop

WATCHDOG = 300.0  # seconds that no test comes near


@pytest.fixture(scope="module", autouse=True)
def _warm() -> Iterator[None]:
    warm_up(["tests.actors.faults.misbehaviour"])  # workers start in milliseconds
    yield
    stop()  # other tests have another image
    share_imports()


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """Fail a test that hangs, again and again until it has ended; what it started dies with `no_leaks`."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def bark(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"the test took more than {WATCHDOG} s")

    before = signal.signal(signal.SIGALRM, bark)
    signal.setitimer(signal.ITIMER_REAL, WATCHDOG, 2.0)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(params=["forkserver"])
def open_trial(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    no_leaks: None,
    watchdog: None,
) -> Iterator[Open]:
    """Open systems under test; ``frames`` has no memfd, like macOS: acknowledgements are frames."""
    trials: list[Trial] = []
    method = "forkserver" if request.param == "frames" else request.param
    if request.param == "frames":
        monkeypatch.setattr("fedlocal.memory.block.HAS_MEMFD", False)

    def open_(start: Callable[[], Behaviour], workers: int = 2, **limits: Any) -> Trial:
        path, deaths = tmp_path / f"journal{len(trials)}.jsonl", list[WorkerExit]()
        policy = Policy(**limits)
        system = ActorSystem(
            start, workers=workers, method=method, policy=policy, journal=path, on_death=deaths.append
        )
        trials.append(Trial(system, path, deaths))
        return trials[-1]

    yield open_
    for trial in trials:
        trial.close()
