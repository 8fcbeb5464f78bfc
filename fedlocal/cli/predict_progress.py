"""How many rows are done, for people who wait: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

PATIENCE = 1.0  # seconds before a bar is shown
PAUSE = 10.0  # from one line to the next


class PredictProgress:
    """Shows on standard error how many of all rows are done, if it takes long."""

    def __init__(self, total: int) -> None:
        self._total, self._shown = total, time.perf_counter()
        self._bar: Bar | None = None

    def __call__(self, done: int) -> None:
        """Take note that so many rows are done."""
        passed = time.perf_counter() - self._shown
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=done)
        elif sys.stderr.isatty() and passed > PATIENCE:
            self._bar = _bar(self._total)
        elif passed > PAUSE:
            self._shown += passed
            print(f"{done} of {self._total} rows", file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()


def _bar(total: int) -> "Bar":
    from rich import progress
    from rich.console import Console

    columns = "rows", progress.BarColumn(), progress.MofNCompleteColumn(), progress.TimeRemainingColumn()
    bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("rows", total=total)
    bar.start()
    return bar
