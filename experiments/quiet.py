"""What the host of a virtual machine takes away: the time in which its cores could not work.

On a shared host that share goes from nothing to a half and back within minutes, and parallel training suffers
from it twice: its workers wait for one another. A timed run waits for a quiet moment, and is made anew if the
moment was not quiet. That depends on the machine alone, not on what was measured.
"""

import time
from collections.abc import Callable
from pathlib import Path

STAT = Path("/proc/stat")  # Linux alone; nothing is known elsewhere
MOST = 0.05  # of the time in which there was work
LOOK, PAUSE, PATIENCE = 1.0, 5.0, 30.0  # seconds: of a look, between looks, and until any moment will do
ATTEMPTS = 2


def quietly(run: Callable[[], object], *, patient: bool) -> dict[str, float]:
    """Run something in a quiet moment, a few times if need be.

    Parameters
    ----------
    run : callable
        May be called several times; what the last call leaves counts.
    patient : bool
        Or else run it now, and once.

    Returns
    -------
    dict of str to float
        ``stolen``, the share of the time with work that was taken away in the last call, and ``attempts``.
    """
    attempt, stolen = 0, 1.0
    while stolen > MOST and attempt < (ATTEMPTS if patient else 1):
        attempt += 1
        if patient:
            _wait()
        before = _jiffies()
        run()
        stolen = _share(before, _jiffies())
    return {"stolen": stolen, "attempts": attempt}


def _wait() -> None:
    """Wait for a look in which little is taken away, for as long as patience lasts."""
    deadline = time.monotonic() + PATIENCE
    while STAT.exists() and time.monotonic() < deadline:
        before, end = _jiffies(), time.monotonic() + LOOK
        while time.monotonic() < end:  # nothing can be taken away from who does nothing
            pass
        if _share(before, _jiffies()) <= MOST:
            return
        time.sleep(PAUSE)


def _jiffies() -> tuple[int, int]:
    """Return for how long all cores together had work, and for how long they could not do it."""
    if not STAT.exists():
        return 0, 0
    times = [int(number) for number in STAT.read_text().partition("\n")[0].split()[1:9]]
    return sum(times) - times[3] - times[4], times[7]  # but for idle, and for waiting for disks


def _share(before: tuple[int, int], after: tuple[int, int]) -> float:
    whole = after[0] - before[0]
    return (after[1] - before[1]) / whole if whole > 0 else 0.0
