"""Trackers by their public addresses: what ``conf/tracker`` names. Their libraries are optional."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.trackers.base import MetricPoint, RunEnded, RunStarted, Tracker, TrackerError
    from fedlocal.trackers.dispatch import TrackerDispatch
    from fedlocal.trackers.mlflow import MLflow
    from fedlocal.trackers.tensorboard import TensorBoard

__all__ = [
    "MLflow",
    "MetricPoint",
    "RunEnded",
    "RunStarted",
    "TensorBoard",
    "Tracker",
    "TrackerDispatch",
    "TrackerError",
]

_HOMES = {
    "fedlocal.trackers.base": "MetricPoint RunEnded RunStarted Tracker TrackerError",
    "fedlocal.trackers.dispatch": "TrackerDispatch",
    "fedlocal.trackers.mlflow": "MLflow",
    "fedlocal.trackers.tensorboard": "TensorBoard",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
