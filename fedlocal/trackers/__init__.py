"""Trackers by their public addresses: what ``conf/tracker`` names. Their libraries are optional."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.trackers.base import Beginning, Ending, Point, Tracker, TrackerError
    from fedlocal.trackers.dispatch import Following
    from fedlocal.trackers.mlflow import MLflow
    from fedlocal.trackers.tensorboard import TensorBoard

__all__ = ["Beginning", "Ending", "Following", "MLflow", "Point", "TensorBoard", "Tracker", "TrackerError"]

_HOMES = {
    "fedlocal.trackers.base": "Beginning Ending Point Tracker TrackerError",
    "fedlocal.trackers.dispatch": "Following",
    "fedlocal.trackers.mlflow": "MLflow",
    "fedlocal.trackers.tensorboard": "TensorBoard",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
