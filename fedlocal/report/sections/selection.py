"""Which settings a figure shows, and a line about those it does not."""

from fedlocal.report.groups import Comparison, Group
from fedlocal.report.number_format import counted

MOST_ROWS = 24

STATES = (
    "computing",
    "coordination: nobody computes (dispatch, collection, aggregation)",
    "waiting for others",
)


def best(comparison: Comparison, most: int = MOST_ROWS) -> list[Group]:
    """Return the best settings, as many as there is room for."""
    return comparison.done[:most]


def left_out(comparison: Comparison, most: int = MOST_ROWS) -> str:
    """Say how many settings that leaves out; nothing if none."""
    left = len(comparison.done) - most
    return f"The {most} best settings; {counted(left, 'other')} not drawn." if left > 0 else ""
