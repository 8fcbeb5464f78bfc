"""What fedlocal's own client does when it is asked for something: over plain arrays, for one client or many.

Nothing here knows of Flower or of messages: `fedlocal.flower.client.default_client` makes an app of it.
Clients of a few rows train in less time than a message takes to decode. Those that start from the same arrays
with equally many rows train at once, to the bits that they get one after another: a
:class:`fedlocal.models.Stack` makes the same calls of BLAS.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from fedlocal.data import Rows, Slice
from fedlocal.models import MLP, Arrays, Model, Stack, stack_height
from fedlocal.models.training_run import Training, as_metrics

WEIGHT, LOSS = "num-examples", "train-loss"
LOSS_BEFORE = "train-loss-before"
"""The metric, and the option that asks clients for it: the mean loss over their rows before training."""

Metrics = dict[str, int | float]


class SliceSource(Protocol):
    """Opens the rows of partitions."""

    def open(self, partition_id: int, /) -> Slice:
        """Return a partition's rows, which are not to be written to."""


@dataclass(frozen=True)
class Task:
    """What clients are asked to do with a model.

    Parameters
    ----------
    arrays : mapping of str to NDArray
        The model that they start from.
    number : int
        The round.
    mu : float
        The strength of FedProx's proximal term, which pulls them towards these arrays.
    loss_before : bool
        Whether they report `LOSS_BEFORE`.
    """

    arrays: Arrays
    number: int
    mu: float = 0.0
    loss_before: bool = False


class Update(NamedTuple):
    """What a client answers to a `Task`.

    Parameters
    ----------
    arrays : mapping of str to NDArray
        The trained model: memory that the next client may overwrite.
    metrics : dict of str to float
        The number of rows, the mean loss in training, and what was asked for.
    kept : mapping of str to NDArray
        What the client needs the next time that it trains: its optimiser's state, or nothing.
    """

    arrays: Arrays
    metrics: Metrics
    kept: dict[str, NDArray[Any]]


class LocalTraining:
    """Trains one model on the rows of whichever clients it is asked for.

    Parameters
    ----------
    slices : SliceSource
        The partitions' rows.
    new_model : callable
        Makes the one model that serves all clients of this process.
    training : Training
        How to train.
    """

    def __init__(self, slices: SliceSource, new_model: Callable[[], Model], training: Training) -> None:
        self._slices, self._training, self._model = slices, training, new_model()
        self._stack: Stack | None = None
        stackable = training.accumulate == 1 and not training.keep_optimizer
        if stackable and isinstance(self._model, MLP) and stack_height(self._model, training.batch_size) > 1:
            self._stack = Stack(self._model)

    def stack_size(self, partitions: Sequence[int]) -> int:
        """Return how many of these clients, from the first on, train at once."""
        if self._stack is None:
            return 1
        size = len(self._rows(partitions[0]))
        return sum(1 for _ in takewhile(lambda partition: len(self._rows(partition)) == size, partitions))

    def train(self, task: Task, clients: Mapping[int, Arrays]) -> Iterator[Update]:
        """Train clients, and yield their updates in the same order.

        Parameters
        ----------
        task : Task
            The same for all of them.
        clients : mapping of int to mapping of str to NDArray
            Their partitions, and what each of them kept from the last time: nothing at first.
        """
        if self._stack and 1 < len(clients) == self.stack_size(list(clients)):
            return self._train_stack(self._stack, task, clients)
        return self._train_in_turn(task, clients)

    def evaluate(self, arrays: Arrays, partition: int) -> Metrics:
        """Return how well arrays do on the rows that a client holds out."""
        rows = self._slices.open(partition).held_out
        self._model.load(arrays)
        return {WEIGHT: len(rows), **as_metrics(self._model.evaluate(rows.x, rows.y))}

    def _train_in_turn(self, task: Task, clients: Mapping[int, Arrays]) -> Iterator[Update]:
        for partition, kept in clients.items():
            self._prepare(task, kept)
            rows, before = self._rows(partition), self._loss_before(task, partition)
            loss = self._training.run(self._model, rows.x, rows.y, partition=partition, number=task.number)
            yield self._update(partition, self._model.arrays, loss, before)

    def _train_stack(self, stack: Stack, task: Task, clients: Mapping[int, Arrays]) -> Iterator[Update]:
        self._prepare(task, {})
        before = [self._loss_before(task, partition) for partition in clients]
        vectors, losses = stack.train_many(
            [(rows.x, rows.y) for rows in map(self._rows, clients)],
            batch_size=self._training.batch_size,
            epochs=self._training.local_epochs,
            rngs=[self._training.rng(partition, task.number) for partition in clients],
        )
        return map(self._update, clients, stack.named(vectors), losses, before)

    def _prepare(self, task: Task, kept: Arrays) -> None:
        self._model.load(task.arrays)
        self._model.load_optimizer(kept if self._training.keep_optimizer else None)
        self._model.anchor(task.mu, task.arrays)

    def _update(self, partition: int, arrays: Arrays, loss: float, before: float | None) -> Update:
        metrics: Metrics = {WEIGHT: len(self._rows(partition)), LOSS: loss}
        if before is not None:
            metrics[LOSS_BEFORE] = before
        kept = self._model.optimizer_arrays if self._training.keep_optimizer else {}
        return Update(arrays, metrics, {name: array.copy() for name, array in kept.items()})

    def _loss_before(self, task: Task, partition: int) -> float | None:
        rows = self._rows(partition)
        return self._model.evaluate(rows.x, rows.y).loss if task.loss_before else None

    def _rows(self, partition: int) -> Rows:
        return self._slices.open(partition).training
