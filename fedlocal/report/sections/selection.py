"""The settings that a figure shows, and a line about the rest."""

from fedlocal.report.groups import RunGroup, SettingsComparison
from fedlocal.report.number_format import counted

MOST_ROWS = 24

STATES = (
    "computing",
    "coordination: nobody computes (dispatch, collection, aggregation)",
    "waiting for others",
)


def best(comparison: SettingsComparison, most: int = MOST_ROWS) -> list[RunGroup]:
    """Return the best settings, as many as there is room for."""
    return comparison.done[:most]


def left_out(comparison: SettingsComparison, most: int = MOST_ROWS) -> str:
    """Say how many settings are not drawn; nothing if all are."""
    left = len(comparison.done) - most
    return f"The {most} best settings; {counted(left, 'other')} not drawn." if left > 0 else ""
