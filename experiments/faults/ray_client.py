"""The client app for Flower's simulation on Ray: fedlocal's own, on the partitions that the study wrote down.

Ray's workers import this module; it imports nothing of the server side.
"""

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fedlocal.data import Rows, Slice
from fedlocal.flower.client.default_client import DefaultApp
from fedlocal.models import MLP
from fedlocal.models.training_run import NewModel, Training

JOURNAL = "journal.jsonl"  # by this name the nemesis knows that training goes on


class Parts:
    """Partitions as the study wrote them down: what fedlocal's client asks its slices for."""

    def __init__(self, folder: Path) -> None:
        self._x, self._y = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in "xy")
        self._offsets = np.load(folder / "offsets.npy")

    def open(self, partition: int) -> Slice:
        """Return a partition."""
        rows = slice(*self._offsets[partition : partition + 2])
        x, y = np.asarray(self._x[rows]), np.asarray(self._y[rows])
        return Slice(Rows(x, y), Rows(x[:0], y[:0]))


def new_model(asked: dict[str, Any]) -> NewModel:
    """Return what makes the run's model."""
    return NewModel(partial(MLP, **asked["model"]), asked["inputs"], asked["outputs"], True, asked["seed"])


@cache
def own_client(request: Path) -> ClientApp:
    """Return this process's fedlocal client."""
    asked = json.loads(request.read_text())
    training = Training(asked["seed"], asked["batch_size"], keep_optimizer=True)
    return DefaultApp(Parts(request.parent), new_model(asked), training)


def app(request: Path, folder: Path) -> ClientApp:
    """Return a client app that says so when training begins, and else does what fedlocal's does.

    The partitions lie beside the request; the folder is the run's.
    """
    announced = ClientApp()

    @announced.train()
    def train(message: Message, context: Context) -> Message:
        (folder / JOURNAL).touch()
        return own_client(request)(message, context)

    return announced
