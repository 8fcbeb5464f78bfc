"""Where else results go than into a run's folder: one file for each tracker, and what all of them are told.

The libraries behind them are optional, and are imported when a tracker is opened.
"""

from fedlocal.results.trackers.base import Beginning, Ending, Point, Tracker, TrackerError
from fedlocal.results.trackers.following import Following

__all__ = ["Beginning", "Ending", "Following", "Point", "Tracker", "TrackerError"]
