"""The study's figure: how long it took until a worker that had died was replaced."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.faults.rows import Recovery
from fedlocal.figures.canvas import line_style, sheet

CAUSES = {
    "killed": "SIGKILL or SIGTERM",
    "signal": "SIGSEGV",
    "deadline": "stopped: after the deadline",
    "lost": "forkserver killed",
    "start": "stopped while it started",
}


def draw(recoveries: Sequence[Recovery], path: Path) -> bool:
    """Draw the share of replaced workers against the seconds it took, by cause; False if there are none."""
    by_cause = {
        cause: sorted(recovery.seconds for recovery in recoveries if recovery.cause == cause)
        for cause in CAUSES
    }
    by_cause = {cause: seconds for cause, seconds in by_cause.items() if len(seconds) > 1}
    if not by_cause:
        return False
    with sheet(path, 6.0, 4.2) as figure:
        axes = figure.subplots()
        for index, (cause, seconds) in enumerate(by_cause.items()):
            look = {**line_style(index), "marker": None}
            share = np.arange(1, len(seconds) + 1) / len(seconds)
            axes.step(seconds, share, where="post", label=f"{CAUSES[cause]} ({len(seconds)})", **look)
        axes.set(xscale="log", ylim=(0, 1.02), xlabel="seconds without a worker in its place", ylabel="share")
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        axes.set_title("From the end of a worker to its successor being ready")
        figure.legend(loc="outside lower center", ncols=2)
    return True
