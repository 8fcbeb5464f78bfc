"""How a run's model is made, trained for a round and reported, in every scheme."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fedlocal.models.protocol import Evaluation, Model, ModelFactory, make
from fedlocal.models.training import train
from fedlocal.seeds import Stream, generator


@dataclass(frozen=True)
class Training:
    """How a client trains.

    Parameters
    ----------
    seed : int
        The run's seed.
    batch_size, local_epochs : int
        Rows in a batch; passes over the partition in a round.
    accumulate : int
        Batches whose gradients make one update.
    keep_optimizer : bool
        Whether a client keeps its optimiser's state from round to round; else it starts anew.
    """

    seed: int
    batch_size: int
    local_epochs: int = 1
    accumulate: int = 1
    keep_optimizer: bool = False

    def run(self, model: Model, x: Any, y: Any, *, partition: int, number: int) -> float:
        """Train `model` in place on rows for one round; return the mean loss.

        The owner of the rows and the round's number choose the order of the rows.
        """
        return train(
            model,
            x,
            y,
            batch_size=self.batch_size,
            epochs=self.local_epochs,
            rng=self.rng(partition, number),
            accumulate=self.accumulate,
        )

    def rng(self, partition: int, number: int) -> np.random.Generator:
        """Return the generator of a partition's orders of rows in one round."""
        return generator(self.seed, Stream.BATCHES, partition, number)


@dataclass(frozen=True)
class NewModel:
    """Makes the run's model with its initial parameters, the same in every process.

    Its fields are what `make` takes, with the run's seed in place of a generator; without a shape, an example
    has that of a row: (inputs,).
    """

    factory: ModelFactory
    inputs: int
    outputs: int
    classes: bool
    seed: int
    shape: tuple[int, ...] = ()

    def __call__(self) -> Model:
        """Make the model."""
        return make(
            self.factory,
            inputs=self.inputs,
            outputs=self.outputs,
            classes=self.classes,
            shape=self.shape or (self.inputs,),
            rng=generator(self.seed, Stream.MODEL),
        )


def as_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Return an evaluation's values by the names of their metrics, without those that it lacks."""
    named = {"loss": evaluation.loss, "accuracy": evaluation.accuracy, "rmse": evaluation.rmse}
    return {name: value for name, value in named.items() if value is not None}
