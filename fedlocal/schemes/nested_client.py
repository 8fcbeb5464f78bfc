"""A federation within a federation: a client trains its own rows with actors of its own, on its own cores.

To the server it is a client like any other. With ``client.scheme=batch_parallel`` it has the bits of
fedlocal's plain client with the same ``accumulate``, whatever its cores; with ``client.scheme=federated`` its
rows are divided once more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal import schemes
from fedlocal.actors import usable_cores
from fedlocal.config.capabilities import capabilities_of
from fedlocal.config.schema import ConfigError
from fedlocal.data import Dataset, Partition, Rows, Shards, Slices
from fedlocal.data.skew import NoSkew
from fedlocal.flower.client.clients import Answer, without_proximal_term
from fedlocal.flower.client.default_client import DECLARATION, DefaultApp
from fedlocal.flower.client.local_training import SliceSource
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.backends import PRELOAD, Actors, Backend
from fedlocal.models import Model
from fedlocal.models.training_run import NewModel, Training
from fedlocal.results import Round
from fedlocal.schemes.base import Scheme, Setting
from fedlocal.seeds import Stream, generator
from fedlocal.strategies.fedavg import FedAvg


@dataclass(frozen=True)
class Nested:
    """A client with actors of its own.

    Parameters
    ----------
    scheme : {"batch_parallel", "federated"}
        Whether its actors compute the gradients of one network, or each train a network.
    actors : int
        How many; with ``batch_parallel``, ``accumulate`` batches make an update: set it to as many.
    workers : int, optional
        Processes that run them; by default, as many as there are cores.
    """

    scheme: Literal["batch_parallel", "federated"] = "batch_parallel"
    actors: int = 2
    workers: int | None = None
    declaration = DECLARATION

    def app(self, slices: SliceSource, new_model: NewModel, training: Training) -> Answer:
        """Return fedlocal's default client with nested training."""
        if training.keep_optimizer:
            raise ConfigError(
                "client=nested: its actors start with new optimisers; set optimizer_state=reset"
            )
        scheme: Scheme = getattr(schemes, self.scheme.title().replace("_", ""))  # by its public address
        nested = NestedTraining(
            **vars(training), client=self, scheme=scheme, new_model=new_model, backend=Actors()
        )
        return without_proximal_term(DefaultApp(slices, new_model, nested))


@dataclass(frozen=True, kw_only=True)
class NestedTraining(Training):
    """Training by actors of the client's own, by a scheme, on a backend."""

    client: Nested
    scheme: Scheme
    new_model: NewModel
    backend: Backend

    def run(self, model: Model, x: Any, y: Any, *, partition: int, number: int) -> float:
        """Train `model` on rows for one round; return the mean loss."""
        if not len(x):
            return float("nan")
        self.backend.prepare(PRELOAD)  # one of Flower's processes has just begun, and has no fork server
        rounds: list[Round] = []
        divided = self._divided(len(x), partition)
        with quiet(), Shards.create(Rows(x, y), divided) as shards:
            setting = self._setting(model, Rows(x, y), divided, shards, partition, number)
            model.load(self.scheme(setting, lambda round_, _: rounds.append(round_)).arrays)
        return rounds[-1].metrics["train-loss"]

    def _divided(self, rows: int, partition: int) -> Partition:
        """Divide a client's rows among its actors at random, in each round alike: they may lie by class."""
        actors = min(self.client.actors, rows)
        owner = generator(self.seed, Stream.CLIENT, partition).permutation(np.arange(rows) % actors)
        return Partition.from_owner(owner, actors)

    def _setting(
        self, model: Model, rows: Rows, divided: Partition, shards: Shards, partition: int, number: int
    ) -> Setting:
        plain = Training(self.seed, self.batch_size, self.local_epochs, self.accumulate)
        training: Training = _FixedRoundTraining(**vars(plain), partition=partition, number=number)
        rounds = 1
        if capabilities_of(self.scheme).has_server:
            seed = int(generator(self.seed, Stream.CLIENT, partition, number).integers(2**32))
            training, rounds = replace(plain, seed=seed, local_epochs=1), self.local_epochs
        classes = np.arange(self.new_model.outputs) if self.new_model.classes else None
        test_row = Rows(rows.x[:1], rows.y[:1])  # the server evaluates, not this client
        nothing_drawn = np.random.default_rng
        return Setting(
            dataset=_ClientRows("nested", rows, test_row, classes, rows.x.shape[1:]),
            partition=divided,
            slices=Slices(shards, NoSkew(), (), 0.0, nothing_drawn, nothing_drawn),
            new_model=_SentModel(**vars(self.new_model), arrays=dict(model.arrays)),
            training=training,
            rounds=rounds,
            evaluate_every=self.local_epochs,
            strategy=FedAvg(
                fraction_evaluate=0.0, min_available_nodes=1, min_train_nodes=1, min_evaluate_nodes=1
            ),
            backend=self.backend,
            workers=min(self.client.workers or usable_cores(), len(divided)),
        )


class _ClientRows(Dataset):
    """One client's rows: they may be of one class, or just one."""

    def __post_init__(self) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class _SentModel(NewModel):
    """Makes the run's model as the server sent it; in a worker, which is given arrays, as it was at first."""

    arrays: Mapping[str, NDArray[Any]]

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the arrays: a process that is sent more than a pipe holds delays the start of the next."""
        return NewModel, tuple(getattr(self, field.name) for field in fields(NewModel))

    def __call__(self) -> Model:
        """Make the model."""
        model = super().__call__()
        model.load(self.arrays)
        return model


@dataclass(frozen=True, kw_only=True)
class _FixedRoundTraining(Training):
    """Training whose orders of rows are those of one client in one round."""

    partition: int
    number: int

    def rng(self, partition: int, number: int) -> np.random.Generator:  # noqa: ARG002
        """Return the generator of that client and round."""
        return super().rng(self.partition, self.number)
