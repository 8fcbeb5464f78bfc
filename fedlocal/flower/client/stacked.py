"""Many small clients at once: a capability of fedlocal's own client, never asked of a ``ClientApp``.

A client of a few rows trains in less time than its message takes to decode. Where several such messages wait
in a worker, for clients with equally many rows, they are answered together, to the same bits as in a loop:
a :class:`fedlocal.models.Stack` makes the same calls of BLAS.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, takewhile
from typing import cast

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, MessageType, MetricRecord
from numpy.typing import NDArray

from fedlocal.actors import ActorRequest, Outcome, Wire, raw
from fedlocal.data import Rows, Slices
from fedlocal.flower.client.default_client import LOSS_BEFORE
from fedlocal.flower.compat.private import content_of, record_of
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.messages.codec import Contents, encode_content, encode_small, is_of_type
from fedlocal.flower.messages.layout import layout_of
from fedlocal.models import MLP, Model, Stack, stack_height
from fedlocal.models.training_run import Training


def stacked_clients(
    slices: Slices, new_model: Callable[[], Model], training: Training
) -> "StackedClients | None":
    """Return the clients that train at once, or None where the model or the training rules it out."""
    model = new_model()
    height = stack_height(model, training.batch_size)
    if not isinstance(model, MLP) or height < 2 or training.accumulate > 1 or training.keep_optimizer:
        return None
    return StackedClients(slices, model, training)


class StackedClients:
    """Trains the models of several partitions at once, as ``client_app`` would one after another.

    Parameters
    ----------
    slices : Slices
        The partitions' rows.
    model : MLP
        The model from which the clients of a round start.
    training : Training
        How to train.
    """

    def __init__(self, slices: Slices, model: MLP, training: Training) -> None:
        self._slices, self._model, self._training = slices, model, training
        self._stack = Stack(model)
        self._contents = Contents()

    def count(self, requests: Sequence[ActorRequest]) -> int:
        """Return how many of these requests, from the first on, can be answered together."""
        first = requests[0]
        if self._config(first).get("proximal-mu") or self._config(first).get(LOSS_BEFORE):
            return 1
        size = len(self._rows(first))
        alike = takewhile(
            lambda request: (
                request.message.arrays is first.message.arrays
                and request.message.header == first.message.header
                and is_of_type(request.message.body, MessageType.TRAIN)
                and not request.state
                and len(self._rows(request)) == size
            ),
            requests,
        )
        return max(1, sum(1 for _ in alike))

    def train(self, requests: Sequence[ActorRequest]) -> list[Outcome]:
        """Answer requests that can be answered together."""
        content, training = self._contents.decode(requests[0].message), self._training
        self._model.load(ndarrays(cast(ArrayRecord, content["arrays"])))
        number = cast(int, cast(ConfigRecord, content["config"])["server-round"])
        rows = [self._rows(request) for request in requests]
        vectors, losses = self._stack.train_many(
            [(part.x, part.y) for part in rows],
            batch_size=training.batch_size,
            epochs=training.local_epochs,
            rngs=[training.rng(request.actor, number) for request in requests],
        )
        layout, lengths = self._described(vectors[0])
        replies = []
        for vector, part, loss in zip(vectors, rows, losses, strict=True):
            metrics = record_of(MetricRecord, {"num-examples": len(part), "train-loss": loss})
            replies.append(
                (Wire(layout + encode_small({"metrics": metrics}), b"", _cut(vector, lengths)), b"")
            )
        return replies

    def _described(self, vector: NDArray[np.float32]) -> tuple[bytes, list[int]]:
        """Return the layout of a reply and its arrays' lengths: they lie one behind another in the vector."""
        arrays = array_record(self._model.network.named(vector))
        header, buffers = encode_content(content_of({"arrays": arrays, "metrics": MetricRecord()}))
        return layout_of(header), [raw(buffer).nbytes for buffer in buffers]

    def _rows(self, request: ActorRequest) -> Rows:
        return self._slices.open(request.actor).training

    def _config(self, request: ActorRequest) -> ConfigRecord:
        return cast(ConfigRecord, self._contents.decode(request.message).get("config", ConfigRecord()))


def _cut(vector: NDArray[np.float32], lengths: Sequence[int]) -> list[memoryview]:
    view, ends = raw(vector), accumulate(lengths)
    return [view[end - length : end] for length, end in zip(lengths, ends, strict=True)]
