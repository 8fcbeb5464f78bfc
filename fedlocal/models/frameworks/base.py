"""What the models of other frameworks share: all but the framework's own passes and its step.

- The trainable parameters are views of one float32 vector, so that moving them is one copy, and processes may
  share them.
- Both ways to train take the gradient in the same way, so that one batch gives the same bits by either.
- Random draws of a network in training, such as dropout's, are seeded for each batch from its rows and from
  the parameters: they depend on neither when nor where a batch is computed.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.arrays import check_arrays, check_strength, check_vector, copy_arrays
from fedlocal.models.frameworks.factories import Examples, Node
from fedlocal.models.numpy.network import aligned_zeros
from fedlocal.models.protocol import Arrays, Evaluation, ModelError

Array = NDArray[Any]
Vector = NDArray[np.float32]

ROWS_AT_ONCE = 512  # in prediction
SEEDING = 64  # parameters, the last ones, that seed a batch: each update changes them


class FrameworkModel(ABC):
    """A network with a loss and an optimiser.

    Gradients flow to its trainable parameters, and :attr:`size` counts those alone; the other arrays, such as
    batch-norm's statistics, are averaged with the rest. A gradient does not carry what training does to them.
    So a network in which they change in training cannot :meth:`live_in` shared memory, which several
    processes would change in different ways.

    A framework's class makes the parts, then calls `_check_fit`, `_take_over` and `_try_training`.

    Parameters
    ----------
    option, node : str, dict
        The option that names the network; its target, with arguments.
    shape : sequence of int
        Of one example, as the network takes it.
    data : Examples
        What the network has to suit.

    Raises
    ------
    ModelError
        If rows cannot have that shape.
    """

    def __init__(self, option: str, node: Node, shape: Sequence[int], data: Examples) -> None:
        self._name, self._part = node["_target_"], f"model.{option}: {node['_target_']}"
        self._shape, self._width, self._classes = tuple(shape), data.outputs, data.classes
        self._offered = {"inputs": data.inputs, "outputs": data.outputs, "shape": self._shape}
        if math.prod(self._shape) != data.inputs:
            raise ModelError(f"model.input_shape={list(self._shape)}: a row has {data.inputs} features")
        self._draws = self._moves_untrained = False
        self._mu, self._anchor = 0.0, list[Array]()
        self._to_probabilities: Callable[[Array], Array] | None = None

    @property
    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """Views of all parameters and of the arrays that no gradient moves, by name."""

    @property
    @abstractmethod
    def optimizer_arrays(self) -> dict[str, Array]:
        """Views of the optimiser's state by name; empty where it has none."""

    @abstractmethod
    def _reset_optimizer(self) -> None:
        """Go back to a new optimiser's state."""

    @abstractmethod
    def _forward(self, x: Array) -> Array:
        """Return the outputs for a few rows, [n, outputs], as in evaluation."""

    @abstractmethod
    def _backward(self, x: Array, y: Array) -> tuple[float, list[Array]]:
        """Return the mean loss of a batch and its gradient with respect to each trainable parameter."""

    @abstractmethod
    def _step(self, gradients: list[Array]) -> None:
        """Update the trainable parameters by a gradient of each."""

    @abstractmethod
    def _mean_loss(self, outputs: Array, targets: Array) -> float: ...

    @abstractmethod
    def _seeded(self, seed: int) -> AbstractContextManager[None]:
        """Seed what the network draws in training for the time of a context."""

    @staticmethod
    @abstractmethod
    def _sum(gradient: Array, mu: float, away: Array) -> Array:
        """Return ``gradient + mu away``, rounded as the framework rounds it."""

    @property
    def size(self) -> int:
        """Number of trainable parameters."""
        return self._vector.size

    @property
    def untrained(self) -> frozenset[str]:
        """Names of the arrays that no gradient moves."""
        return frozenset(self.arrays).difference(self._shapes)

    def load(self, arrays: Arrays) -> None:
        """Copy all arrays in; the optimiser's state and the anchor stay as they are."""
        copy_arrays(self.arrays, arrays)

    def load_optimizer(self, arrays: Arrays | None) -> None:
        """Copy the optimiser's state in; None or nothing resets it."""
        if arrays:
            copy_arrays(self.optimizer_arrays, arrays)
        else:
            self._reset_optimizer()

    def anchor(self, mu: float, arrays: Arrays | None) -> None:
        """Pull the trainable parameters towards a copy of ``arrays``, until ``mu=0`` or None."""
        check_strength(mu)
        self._mu, self._anchor = (0.0 if arrays is None else mu), []
        if self._mu and arrays is not None:
            check_arrays(self.arrays, arrays)
            self._anchor = [arrays[name].copy() for name in self._shapes]

    def train_step(self, x: Array, y: Array) -> float:
        """Make one update from one batch; return its mean loss before it."""
        loss, gradients = self._differentiate(x, y)
        self._update(gradients)
        return loss

    def gradient(self, x: Array, y: Array, out: Vector, weight: float = 1.0, *, add: bool = False) -> float:
        """Write ``weight`` times the loss's mean gradient into ``out``, float32[size], or add it."""
        check_vector(out, self.size)
        loss, gradients = self._differentiate(x, y)
        for part, gradient in zip(self._cut(out), gradients, strict=True):
            if add:
                part += gradient * np.float32(weight)
            else:
                np.multiply(gradient, np.float32(weight), out=part)
        return loss

    def adds_exactly(self, rows: int, weight: float) -> bool:  # noqa: ARG002 - the protocol's
        """Return True: a gradient is written down and weighted before it is added."""
        return True

    def apply(self, gradient: Vector) -> None:
        """Make one update from a mean gradient, float32[size]."""
        check_vector(gradient, self.size)
        self._update(self._cut(gradient))

    def live_in(self, memory: Vector) -> None:
        """Keep the trainable parameters in ``memory``, float32[size], with the values that are there."""
        check_vector(memory, self.size)
        if self._moves_untrained:
            raise ModelError(
                f"{self._name} has arrays that change in training without a gradient, such as batch-norm's "
                "statistics: set accumulate=1, or normalise by group or layer"
            )
        self._reside(memory)

    @property
    def probabilities(self) -> bool:
        """Whether outputs are probabilities of classes: the loss tells."""
        return self._to_probabilities is not None

    def predict(self, x: Array) -> Array:
        """Return float32[n, outputs]: probabilities where the loss takes logits or their logarithms."""
        outputs = np.concatenate(list(self._outputs(x)))
        return self._to_probabilities(outputs) if self._to_probabilities else outputs

    def evaluate(self, x: Array, y: Array) -> Evaluation:
        """Return the mean loss, and the accuracy where targets are classes."""
        parts = self._outputs(x) if len(x) else ()
        return Evaluation.of(parts, y, self._mean_loss, classes=self._classes)

    def _outputs(self, x: Array) -> Iterator[Array]:
        """Yield the outputs for some rows at a time, at least once."""
        for start in range(0, max(len(x), 1), ROWS_AT_ONCE):
            yield self._forward(x[start : start + ROWS_AT_ONCE])

    def _differentiate(self, x: Array, y: Array) -> tuple[float, list[Array]]:
        if not len(x):
            raise ModelError(f"rows have shape {x.shape}; a batch has at least one")
        with self._seeded(_seed_of_batch(x, y, self._vector)) if self._draws else nullcontext():
            return self._backward(x, y)

    def _update(self, gradients: list[Array]) -> None:
        """Make a step by gradients of the loss, to which what else is minimised is added here alone."""
        if self._mu:
            parts = zip(gradients, self._trainable, self._anchor, strict=True)
            gradients = [self._sum(gradient, self._mu, w - anchor) for gradient, w, anchor in parts]
        self._step(gradients)

    def _cut(self, vector: Vector) -> list[Array]:
        """Return a view of a vector, float32[size], for each trainable parameter."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes.values()])
        parts = np.split(vector, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes.values(), strict=True)]

    def _reside(self, memory: Vector) -> None:
        self._vector, self._trainable = memory, self._cut(memory)

    def _take_over(self, parameters: Mapping[str, Array]) -> None:
        """Copy the trainable parameters into new memory."""
        if not parameters:
            raise ModelError(f"{self._part} has no parameters to train")
        for name, array in parameters.items():
            if array.dtype != np.float32:
                raise ModelError(f"{self._part} has {name} of {array.dtype}; make it float32")
        self._shapes = {name: array.shape for name, array in parameters.items()}
        vector = aligned_zeros(sum(array.size for array in parameters.values()))
        np.concatenate([array.ravel() for array in parameters.values()], out=vector)
        self._reside(vector)

    @contextmanager
    def _first_call(self) -> Iterator[None]:
        """Turn whatever goes wrong in the network's first call into advice."""
        try:
            yield
        except Exception as error:
            raise ModelError(
                f"{self._part} does not take rows of shape {list(self._shape)}: {error}; "
                "model.input_shape gives them another one"
            ) from error

    def _check_fit(self, got: Array) -> None:
        """Make sure that the network, which made this of two rows, suits its loss and the data."""
        if got.shape != (2, self._width):
            kind = "classes" if self._classes else "targets"
            raise ModelError(
                f"{self._part} makes {list(got.shape)} of two rows; for {self._width} {kind} it must make "
                f"{[2, self._width]}"
            )
        y = self._zero_targets()
        try:
            mean, *losses = (
                self._mean_loss(got[rows], y[rows]) for rows in (slice(2), slice(1), slice(1, 2))
            )
        except Exception as error:
            raise ModelError(f"model.loss does not take what {self._name} makes: {error}") from error
        if not math.isclose(mean, sum(losses) / 2, rel_tol=1e-3, abs_tol=1e-6):
            raise ModelError(
                f"model.loss is {mean:.6g} of two rows and {losses} of each: it must be their mean"
            )

    def _zero_targets(self) -> Array:
        return np.zeros(2, np.int64) if self._classes else np.zeros((2, self._width), np.float32)

    def _try_training(self, train: Callable[[], object]) -> None:
        """Find out whether training changes arrays without a gradient, and put them back."""
        before = {name: self.arrays[name].copy() for name in self.untrained}
        train()
        after = self.arrays
        self._moves_untrained = any((after[name] != array).any() for name, array in before.items())
        for name, array in before.items():
            np.copyto(after[name], array)


def softmax(outputs: Array) -> Array:
    """Return the probabilities that belong to logits, [n, classes]."""
    powers: Array = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def _seed_of_batch(x: Array, y: Array, parameters: Vector) -> int:
    """Return a seed from 0 to 2⁶³ - 1; the same rows get another seed after each update."""
    digest = blake2b(digest_size=8)
    for part in (x, y, parameters[-SEEDING:]):
        digest.update(np.ascontiguousarray(part).data)
    return int.from_bytes(digest.digest()) >> 1
