"""Trackers by their public addresses: what ``conf/tracker`` names. Their libraries are optional."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.trackers.base import MetricPoint as MetricPoint
    from fedlocal.trackers.base import RunEnded as RunEnded
    from fedlocal.trackers.base import RunStarted as RunStarted
    from fedlocal.trackers.base import Tracker as Tracker
    from fedlocal.trackers.base import TrackerError as TrackerError
    from fedlocal.trackers.dispatch import TrackerDispatch as TrackerDispatch
    from fedlocal.trackers.mlflow import MLflow as MLflow
    from fedlocal.trackers.tensorboard import TensorBoard as TensorBoard
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
