"""What a model is to the rest of fedlocal: named arrays that learn from batches.

The room knows nothing of Flower, of actors or of where its rows come from.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
"""Named arrays, in an order that does not change: a model's parameters, or its optimiser's state."""


class ModelError(ValueError):
    """A model was configured or called in a way that it cannot serve."""


@dataclass(frozen=True)
class Evaluation:
    """How well a model does on some rows.

    Attributes
    ----------
    loss : float
        Mean data loss per row; NaN over no rows.
    accuracy : float or None
        Share of rows whose likeliest class is the true one; NaN over no rows, None for real-valued targets.
    rmse : float or None
        Root of the mean squared error of real-valued targets in the data set's units, where these are given.
    """

    loss: float
    accuracy: float | None
    rmse: float | None = None

    @classmethod
    def of(
        cls,
        outputs: Iterable[NDArray[Any]],
        y: NDArray[Any],
        mean_loss: Callable[[NDArray[Any], NDArray[Any]], float],
        *,
        classes: bool,
    ) -> "Evaluation":
        """Evaluate outputs that come some rows at a time, in the order of their targets."""
        loss, hits, rows = 0.0, 0, 0
        for part in outputs:
            targets = y[rows : rows + len(part)]
            loss += mean_loss(part, targets) * len(part)
            hits += int((part.argmax(axis=1) == targets).sum()) if classes else 0
            rows += len(part)
        return cls(loss / (rows or math.nan), hits / (rows or math.nan) if classes else None)


class Model(Protocol):
    """Parameters, an optimiser, and two ways to train: a fused step, or a gradient applied later.

    Rows ``x`` are float32[n, inputs]; ``y`` is int64[n] of class codes or float32[n, outputs] of real
    targets. A loss that is not finite is returned like any other: the caller decides what it means.

    A model whose outputs are probabilities of classes says so by an attribute ``probabilities``, bool.
    """

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Views of the current parameters by name: writing to one changes the model."""

    def load(self, arrays: Arrays) -> None:
        """Copy parameters in; the optimiser's state and the anchor stay as they are.

        Raises
        ------
        ModelError
            If names, shapes or dtypes differ from the model's; the message names the first difference.
        """

    @property
    def optimizer_arrays(self) -> dict[str, NDArray[Any]]:
        """Views of the optimiser's state by name; empty where it has none."""

    def load_optimizer(self, arrays: Arrays | None) -> None:
        """Copy the optimiser's state in; None or nothing resets it to that of a new model."""

    def anchor(self, mu: float, arrays: Arrays | None) -> None:
        """Add ``mu / 2 * ||w - arrays||^2`` to what is minimised from now on; ``mu=0`` or None ends it.

        It is the proximal term of FedProx, arXiv:1812.06127, eq. 2. The arrays are copied.

        Raises
        ------
        ModelError
            If mu is negative or not finite, the arrays do not fit, or the model has no such term.
        """

    def train_step(self, x: NDArray[Any], y: NDArray[Any]) -> float:
        """Make one update from one batch; return the batch's mean data loss before it."""

    def gradient(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        out: NDArray[np.float32],
        weight: float = 1.0,
        *,
        add: bool = False,
    ) -> float:
        """Write ``weight`` times the mean gradient of the data loss into ``out``, float32[size], or add it.

        Returns the mean data loss.
        """

    def adds_exactly(self, rows: int, weight: float) -> bool:
        """Tell whether adding a gradient over so many rows gives the bits of writing it and then adding."""

    def apply(self, gradient: NDArray[np.float32]) -> None:
        """Make one update from a mean gradient, float32[size]."""

    def live_in(self, memory: NDArray[np.float32]) -> None:
        """Keep the parameters in ``memory``, float32[size], from now on, with the values that are there.

        Writing to it changes the model; so two processes may share one model's parameters.
        """

    @property
    def size(self) -> int:
        """Number of parameters, which is the length of a gradient."""

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the outputs for any number of rows, [n, outputs].

        Real values, or one number for each class: its probability where ``probabilities`` says so, else a
        score; the largest is the prediction.
        """

    def evaluate(self, x: NDArray[Any], y: NDArray[Any]) -> Evaluation:
        """Return mean loss and accuracy over any number of rows."""


def gives_probabilities(model: Model, outputs: NDArray[Any] | None = None) -> bool:
    """Tell whether a model's outputs are probabilities of classes.

    Its attribute ``probabilities`` decides, if it has one; else the values of its `outputs`, [n, classes].
    Without them the answer is no.
    """
    declared = getattr(model, "probabilities", None)
    if declared is not None or outputs is None:
        return bool(declared)
    return looks_like_probabilities(outputs)


def looks_like_probabilities(outputs: NDArray[Any]) -> bool:
    """Tell whether outputs, [n, classes], are at least 0 and add up to 1 in each row, within 1e-3."""
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


class ModelFactory(Protocol):
    """What a configuration builds: a model that still lacks the shape of the data and its random start.

    A factory with a parameter ``shape``, tuple of int, is given the shape of an example before it was
    flattened.
    """

    def __call__(self, *, inputs: int, outputs: int, classes: bool, rng: np.random.Generator) -> Model:
        """Build a model for rows of `inputs` features, and `outputs` classes or real targets.

        Parameters
        ----------
        classes : bool
            Whether targets are class codes (int64[n]) rather than real values (float32[n, outputs]).
        rng : numpy.random.Generator
            The only source of the initial parameters.

        Raises
        ------
        ModelError
            If the configured model does not suit such data.
        """


def make(
    factory: ModelFactory,
    *,
    inputs: int,
    outputs: int,
    classes: bool,
    shape: tuple[int, ...],
    rng: np.random.Generator | int,
) -> Model:
    """Make a model, as :class:`ModelFactory` says; only a factory that names it is given the `shape`.

    `rng` may be the seed of a new generator.
    """
    makes: Callable[..., Model] = factory
    if "shape" in inspect.signature(makes).parameters:
        makes = partial(makes, shape=shape)
    return makes(inputs=inputs, outputs=outputs, classes=classes, rng=np.random.default_rng(rng))
