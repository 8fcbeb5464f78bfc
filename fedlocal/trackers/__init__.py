"""Trackers by their public addresses: what ``conf/tracker`` names. Their libraries are optional."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.results.trackers.base import Beginning, Ending, Point, Tracker, TrackerError
    from fedlocal.results.trackers.following import Following
    from fedlocal.results.trackers.mlflow import MLflow
    from fedlocal.results.trackers.tensorboard import TensorBoard

__all__ = [
    "Beginning",
    "Ending",
    "Following",
    "MLflow",
    "Point",
    "TensorBoard",
    "Tracker",
    "TrackerError",
]

_HOMES = {
    "Beginning": "fedlocal.results.trackers.base",
    "Ending": "fedlocal.results.trackers.base",
    "Point": "fedlocal.results.trackers.base",
    "Tracker": "fedlocal.results.trackers.base",
    "TrackerError": "fedlocal.results.trackers.base",
    "Following": "fedlocal.results.trackers.following",
    "MLflow": "fedlocal.results.trackers.mlflow",
    "TensorBoard": "fedlocal.results.trackers.tensorboard",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
