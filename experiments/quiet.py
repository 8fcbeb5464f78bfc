"""What others take away: the time in which other processes, or the host of a virtual machine, had the cores.

On a shared machine that share goes from nothing to a half and back within minutes, and parallel training
suffers from it twice: its workers wait for one another. A timed run waits for a quiet moment, and is made
anew if the moment was not quiet. That depends on the machine alone, not on what was measured.
"""

import time
from collections.abc import Callable

from fedlocal.results import Meter

MOST = 0.05  # of the time
LOOK, PAUSE, PATIENCE = 1.0, 5.0, 30.0  # seconds: of a look, between looks, and until any moment will do
ATTEMPTS = 2


def quietly(run: Callable[[], object], *, patient: bool) -> dict[str, float]:
    """Run something in a quiet moment, a few times if need be; if not `patient`, now and once.

    Returns ``contended``, the share of the last call's time in which others had the cores, and ``attempts``.
    """
    meter, attempt, contended = Meter(), 0, 1.0
    while contended > MOST and attempt < (ATTEMPTS if patient else 1):
        attempt += 1
        if patient:
            _wait(meter)
        meter.lap()
        run()
        contended = _share(meter.lap())
    return {"contended": contended, "attempts": attempt}


def _wait(meter: Meter) -> None:
    """Wait for a look in which others take little, for as long as patience lasts."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        meter.lap()
        end = time.monotonic() + LOOK
        while time.monotonic() < end:  # nothing can be taken away from who does nothing
            pass
        if _share(meter.lap()) <= MOST:
            return
        time.sleep(PAUSE)


def _share(lap: dict[str, float]) -> float:
    """Return the contended part of a lap; 0 if it is not known."""
    return lap["contended"] / lap["elapsed"] if lap.get("elapsed") else 0.0
