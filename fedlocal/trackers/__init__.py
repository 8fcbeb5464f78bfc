"""Trackers by their public addresses: what ``conf/tracker`` names. Their libraries are optional."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.trackers.base import Beginning, Ending, Point, Tracker, TrackerError
    from fedlocal.trackers.dispatch import Following
    from fedlocal.trackers.mlflow import MLflow
    from fedlocal.trackers.tensorboard import TensorBoard

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
    "Beginning": "fedlocal.trackers.base",
    "Ending": "fedlocal.trackers.base",
    "Point": "fedlocal.trackers.base",
    "Tracker": "fedlocal.trackers.base",
    "TrackerError": "fedlocal.trackers.base",
    "Following": "fedlocal.trackers.dispatch",
    "MLflow": "fedlocal.trackers.mlflow",
    "TensorBoard": "fedlocal.trackers.tensorboard",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
