"""What every scheme is given, and what it returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fedlocal.actors import one_thread
from fedlocal.availability import Presences, always_available
from fedlocal.config.capabilities import Capabilities
from fedlocal.data import Dataset, Partition, Rows, Slices
from fedlocal.models import Evaluation, Model
from fedlocal.models.training_run import NewModel, Training
from fedlocal.results import Checkpoint, Round

if TYPE_CHECKING:
    from fedlocal.flower.client.clients import Client
    from fedlocal.flower.grid.backends import Backend
    from fedlocal.flower.server.round_loop import Strategy

Arrays = Mapping[str, NDArray[Any]]
Capture = Callable[[], Mapping[str, NDArray[Any]]]
"""Returns a scheme's present state as arrays that do not change any more: all it needs to go on.

The model that is evaluated lies below ``model/``; a scheme with a model for each actor has nothing there.
"""

OnRound = Callable[[Round, Capture], None]


@dataclass(frozen=True)
class Trained:
    """What a scheme returns: arrays by model.

    Parameters
    ----------
    models : mapping of str to mapping of str to NDArray
        ``{"model": arrays}``, or one entry per actor where each has its own.
    """

    models: Mapping[str, Arrays]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays under one name each; the names of several models begin with the model's."""
        if len(self.models) == 1:
            return dict(next(iter(self.models.values())))
        return {
            f"{model}/{name}": array
            for model, arrays in self.models.items()
            for name, array in arrays.items()
        }


class ActorChoice(Protocol):
    """How the number of actors was chosen."""

    @property
    def actors(self) -> int:
        """The number."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Return what ``actors.json`` holds."""
        ...


@dataclass(frozen=True)
class Setting:
    """The model, the data and the options of training: the same for every scheme.

    Parameters
    ----------
    dataset : Dataset
        With its held-out test rows.
    partition : Partition
        Which training row belongs to which actor.
    slices : Slices
        The actors' rows, as they see them.
    new_model : NewModel
        Makes the model with its initial parameters.
    training : Training
        Batch size, epochs, and the seed of all orders.
    rounds : int
        Number of rounds.
    evaluate_every : int
        Rounds from one central evaluation to the next; the last round is always evaluated.
    strategy : Strategy, optional
        Of a scheme with a server: what aggregates.
    backend : Backend
        Where clients run.
    workers : int
        How many worker processes, where the backend has any.
    min_results : int, optional
        How many clients must reply in a round; by default all that were asked.
    round_timeout : float, optional
        Seconds after which a client that has not replied has failed.
    journal : Path, optional
        A file to which the fate of each message to a client is appended.
    client : Client, optional
        The client that answers the server's messages; by default fedlocal's own.
    malicious : tuple of int
        The actors that attack.
    choice : ActorChoice, optional
        How the number of actors was chosen, if that was left to fedlocal.
    presences : callable, optional
        Says which actors are there in each round; by default all.
    """

    dataset: Dataset
    partition: Partition
    slices: Slices
    new_model: NewModel
    training: Training
    rounds: int
    evaluate_every: int
    strategy: "Strategy | None"
    backend: "Backend"
    workers: int
    min_results: int | None = None
    round_timeout: float | None = None
    journal: Path | None = None
    client: "Client | None" = None
    malicious: tuple[int, ...] = ()
    choice: ActorChoice | None = None
    presences: Presences = always_available

    def is_evaluated(self, number: int) -> bool:
        """Tell whether the model is evaluated after this round; 0 is before the first."""
        return number % self.evaluate_every == 0 or number == self.rounds

    def evaluate(self, model: Model) -> Evaluation:
        """Evaluate a model on the test rows, with one BLAS thread."""
        test = self.dataset.test
        with one_thread():
            evaluation = model.evaluate(test.x, test.y)
            if self.dataset.classes is not None:
                return evaluation
            return replace(evaluation, rmse=self.dataset.rmse(model.predict(test.x)))

    def training_rows(self) -> Rows:
        """Return what all actors train on, as they see it, in the data set's order."""
        y, x = self.dataset.train.y, self._features()
        trained_on = np.ones(len(y), np.bool_)
        for actor in np.flatnonzero(self.slices.held_out_sizes).tolist():
            trained_on[self.partition.indices(actor)[self.slices.held_out_positions(actor)]] = False
        return Rows(x, y) if trained_on.all() else Rows(x[trained_on], y[trained_on])

    def _features(self) -> NDArray[np.float32]:
        """Return the training set's features, each row as the actor that owns it sees it."""
        if not self.slices.skewed:
            return self.dataset.train.x
        x = np.empty_like(self.dataset.train.x)
        for actor in range(len(self.partition)):
            x[self.partition.indices(actor)] = self.slices.features(actor)
        return x


class Scheme(Protocol):
    """A way to train a model."""

    def __call__(self, setting: Setting, on_round: OnRound, start: Checkpoint | None = None) -> Trained:
        """Train, and tell `on_round` about round 0 and each round as it is done.

        Parameters
        ----------
        setting : Setting
            The model, the data and the options.
        on_round : callable
            Called with each round, and with what captures the scheme's state.
        start : Checkpoint, optional
            State captured after a round of an earlier run; the scheme goes on with the next one, to the same
            bits.
        """
        ...


WITHOUT_CLIENTS = Capabilities(
    unused_options=("strategy", "client", "partition", "min_results", "validation_fraction"),
    unused_reason="has no clients and no server",
)
"""What a scheme declares whose actors work on one model."""
