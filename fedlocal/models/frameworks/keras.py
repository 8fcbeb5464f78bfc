"""A Keras 3 model behind fedlocal's model protocol, with whichever backend Keras has.

Keras can call a model and an optimiser as pure functions of their variables. So the variables lie here, in
NumPy arrays; a step hands them to Keras and copies back what it returns. That is the same for all backends,
but for how a gradient is taken.

- Both ways to train take the gradient in the same way, so that one batch gives the same bits by either.
- Random draws of the model in training, such as dropout's, are seeded for each batch from its rows and from
  the parameters: it depends on neither when nor where a batch is computed.
"""

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fedlocal.models.arrays import check_arrays, check_vector, copy_arrays
from fedlocal.models.frameworks.keras_backends import keras_backend
from fedlocal.models.frameworks.parts import (
    build_loss,
    build_part,
    check_fit,
    evaluation,
    seed_of_batch,
    softmax,
)
from fedlocal.models.numpy.network import aligned_zeros
from fedlocal.models.protocol import Arrays, Evaluation, ModelError

Array = NDArray[Any]
Vector = NDArray[np.float32]

ROWS_AT_ONCE = 512  # in prediction
CROSS_ENTROPIES = ("sparsecategoricalcrossentropy", "categoricalcrossentropy", "categoricalfocalcrossentropy")
"""Keras's losses that take probabilities of classes, or logits, without underlines."""
SEED = "seed_generator_state"  # Keras's name of the variables of its random generators


class KerasModel:
    """A ``keras.Model`` with a loss and an optimiser.

    It is called with float32[n, *shape]; a grey image comes as (height, width, 1), all else as it is.
    Gradients flow to its trainable weights, and :attr:`size` counts those alone; the others, such as
    batch-norm's moving statistics, are among the arrays, and so averaged with the rest.

    A gradient does not carry what training does to those. So a model in which they change in training cannot
    :meth:`live_in` shared memory, which several processes would change in different ways.

    Parameters
    ----------
    model : dict
        A ``_target_`` that returns the model, with arguments; it may have parameters ``inputs``, ``outputs``
        and ``shape``.
    loss, optimizer : dict or str
        The same, or one of Keras's names, such as ``mse`` and ``adam``.
    input_shape : list of int, optional
        Shape of one example as the model takes it, where it differs from the above.
    inputs, outputs : int
        Features per row; classes or real targets.
    classes : bool
        Whether targets are class codes.
    rng : numpy.random.Generator
        Draws the seed of Python's generator, from which Keras draws the initial weights.
    shape : tuple of int, optional
        Of one example in the data set; by default (inputs,).

    Raises
    ------
    ModelError
        If a part refuses its arguments, or does not suit the data: it is tried on two rows.
    """

    def __init__(
        self,
        model: dict[str, Any],
        loss: dict[str, Any] | str,
        optimizer: dict[str, Any] | str,
        input_shape: Sequence[int] | None = None,
        *,
        inputs: int,
        outputs: int,
        classes: bool,
        rng: np.random.Generator,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        stored = shape or (inputs,)
        default = (*stored, 1) if len(stored) == 2 else stored
        self._shape = default if input_shape is None else tuple(input_shape)
        self._name, self._classes = model["_target_"], classes
        if math.prod(self._shape) != inputs:
            raise ModelError(f"model.input_shape={list(self._shape)}: a row has {inputs} features")
        backend = keras_backend()
        self._numpy, self._seeded = backend.numpy, backend.seeded
        with _python_seeded(int(rng.integers(2**63))):
            self._model = build_part("model", model, inputs=inputs, outputs=outputs, shape=self._shape)
            if not isinstance(self._model, keras.Model):
                raise ModelError(f"model.model: {self._name} gives {self._model!r}, not a keras.Model")
            self._loss = _part("loss", loss, keras.losses.get)
            self._optimizer = _part("optimizer", optimizer, keras.optimizers.get)
            self._begin()
        self._gradients, self._predicted = backend.gradients(self._lose), self._predict
        self._take_over_weights()
        self._anchor: list[Array] = []
        self._mu = 0.0
        self._try(inputs, outputs)
        self._gradients, self._predicted = backend.compiled(self._gradients), backend.compiled(self._predict)
        self._updated = backend.updates(self._optimizer, self._model.trainable_variables)

    @property
    def size(self) -> int:
        """Number of trainable parameters."""
        return self._vector.size

    @property
    def arrays(self) -> dict[str, Array]:
        """Views of the model's weights, as ``0.kernel``; Keras's own names differ from build to build."""
        return dict(self._named)

    @property
    def untrained(self) -> frozenset[str]:
        """Names of the arrays that no gradient moves."""
        return frozenset(self._named).difference(self._trainable_names)

    def load(self, arrays: Arrays) -> None:
        """Copy weights in; the optimiser's state and the anchor stay as they are."""
        copy_arrays(self.arrays, arrays)

    @property
    def optimizer_arrays(self) -> dict[str, Array]:
        """Views of the optimiser's variables by their number: Keras names them after the model's layers."""
        return {str(number): array for number, array in enumerate(self._state)}

    def load_optimizer(self, arrays: Arrays | None) -> None:
        """Copy the optimiser's variables in; None or nothing resets them."""
        if arrays:
            copy_arrays(self.optimizer_arrays, arrays)
        else:
            for array, first in zip(self._state, self._first_state, strict=True):
                np.copyto(array, first)

    def anchor(self, mu: float, arrays: Arrays | None) -> None:
        """Pull the trainable weights towards a copy of ``arrays`` from now on; ``mu=0`` or None ends it."""
        if not 0 <= mu < math.inf:
            raise ModelError(f"mu is {mu}; the strength of an anchor must be at least 0 and finite")
        self._mu, self._anchor = (0.0 if arrays is None else mu), []
        if self._mu and arrays is not None:
            check_arrays(self.arrays, arrays)
            self._anchor = [arrays[name].copy() for name in self._trainable_names]

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
        """Keep the trainable weights in ``memory``, float32[size], with the values that are there."""
        check_vector(memory, self.size)
        if self._moves_untrained:
            raise ModelError(
                f"{self._name} has weights that change in training without a gradient, such as batch-norm's "
                "moving statistics: set accumulate=1, or normalise by group or layer"
            )
        self._reside(memory)

    @property
    def probabilities(self) -> bool:
        """Whether outputs are probabilities of classes: where the loss is a cross-entropy of classes."""
        return _from_logits(self._loss) or self._normalised

    def predict(self, x: Array) -> Array:
        """Return float32[n, outputs]: probabilities, where the loss says that it takes logits, too."""
        outputs = np.concatenate(list(self._outputs(x)))
        return softmax(outputs) if _from_logits(self._loss) else outputs

    def evaluate(self, x: Array, y: Array) -> Evaluation:
        """Return the mean loss, and the accuracy where targets are classes."""
        return evaluation(self._outputs(x), y, self._mean_loss, classes=self._classes)

    def _outputs(self, x: Array) -> Iterator[Array]:
        """Yield the outputs for some rows at a time, at least once."""
        for start in range(0, max(len(x), 1), ROWS_AT_ONCE):
            rows = self._rows(x[start : start + ROWS_AT_ONCE])
            yield self._numpy(self._predicted(self._trainable, self._untrained, rows))

    def _predict(self, trainable: Any, untrained: Any, rows: Any) -> Any:
        return self._model.stateless_call(trainable, untrained, rows, training=False)[0]

    def _lose(self, trainable: Any, untrained: Any, rows: Any, targets: Any) -> Any:
        """Return the loss of a batch and the new values of the untrained variables: a pure function."""
        outputs, untrained, penalties = self._model.stateless_call(
            trainable, untrained, rows, training=True, return_losses=True
        )
        return sum(penalties, keras.ops.mean(self._loss(targets, outputs))), untrained

    def _differentiate(self, x: Array, y: Array) -> tuple[float, list[Array]]:
        """Return the mean loss of a batch and its gradient with respect to each trainable weight."""
        if not len(x):
            raise ModelError(f"rows have shape {x.shape}; a batch has at least one")
        seed = seed_of_batch(x, y, self._vector) if self._seeds else 0
        for number, state in enumerate(self._seeds):
            state[:] = seed & 0x7FFFFFFF, number
        with self._seeded(seed) if self._seeds else nullcontext():
            (loss, untrained), gradients = self._gradients(self._trainable, self._untrained, self._rows(x), y)
        self._copy(self._untrained, untrained)
        return float(loss), [self._numpy(gradient) for gradient in gradients]

    def _update(self, gradients: Sequence[Array]) -> None:
        if self._mu:
            mu = np.float32(self._mu)
            weights = zip(gradients, self._trainable, self._anchor, strict=True)
            gradients = [gradient + mu * (weight - anchor) for gradient, weight, anchor in weights]
        trainable, state = self._updated(self._state, list(gradients), self._trainable)
        self._copy(self._trainable, trainable)
        self._copy(self._state, state)

    def _copy(self, into: Sequence[Array], tensors: Sequence[Any]) -> None:
        for array, tensor in zip(into, tensors, strict=True):
            np.copyto(array, self._numpy(tensor))

    def _mean_loss(self, outputs: Array, targets: Array) -> float:
        tensors = keras.ops.convert_to_tensor(targets), keras.ops.convert_to_tensor(outputs)
        return float(keras.ops.mean(self._loss(*tensors)))

    def _rows(self, x: Array) -> Array:
        return x.reshape(len(x), *self._shape)

    def _begin(self) -> None:
        """Have Keras make the variables."""
        try:
            self._model(np.zeros((2, *self._shape), np.float32))
        except Exception as error:
            raise ModelError(
                f"model.model: {self._name} does not take rows of shape {list(self._shape)}: {error}; "
                "model.input_shape gives them another one"
            ) from error
        if not self._model.trainable_variables:
            raise ModelError(f"model.model: {self._name} has no weights to train")
        self._optimizer.build(self._model.trainable_variables)

    def _take_over_weights(self) -> None:
        """Copy the variables' values into arrays."""
        model = self._model
        names = {id(weight): f"{index}.{weight.name}" for index, weight in enumerate(model.weights)}
        self._trainable_names = [names[id(weight)] for weight in model.trainable_variables]
        initial = [self._numpy(weight.value) for weight in model.trainable_variables]
        if wrong := {str(array.dtype) for array in initial} - {"float32"}:
            raise ModelError(
                f"model.model: {self._name} has weights of dtype {wrong.pop()}; make them float32"
            )
        self._shapes = [array.shape for array in initial]
        self._untrained = [self._numpy(variable.value).copy() for variable in model.non_trainable_variables]
        pairs = list(zip(model.non_trainable_variables, self._untrained, strict=True))
        self._seeds = [array for variable, array in pairs if variable.name == SEED]
        self._first_state = [self._numpy(variable.value).copy() for variable in self._optimizer.variables]
        self._state = [array.copy() for array in self._first_state]
        self._order = list(names.values())
        self._untrained_arrays = {names[id(v)]: array for v, array in pairs if id(v) in names}
        self._moves_untrained = False
        self._reside(aligned_zeros(sum(array.size for array in initial)))
        self._copy(self._trainable, [weight.value for weight in model.trainable_variables])

    def _reside(self, memory: Vector) -> None:
        self._vector, self._trainable = memory, self._cut(memory)
        named = {**dict(zip(self._trainable_names, self._trainable, strict=True)), **self._untrained_arrays}
        self._named = {name: named[name] for name in self._order}

    def _cut(self, vector: Vector) -> list[Array]:
        """Return a view of a vector, float32[size], for each trainable weight."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])
        return [
            part.reshape(shape) for part, shape in zip(np.split(vector, ends[:-1]), self._shapes, strict=True)
        ]

    def _try(self, inputs: int, outputs: int) -> None:
        """Make sure that the parts go together; find out whether training changes untrained weights."""
        x = np.random.default_rng(0).standard_normal((2, inputs), np.float32)
        (got,) = self._outputs(x)
        check_fit(self._name, got, outputs, self._mean_loss, classes=self._classes)
        normalised = bool((got >= 0).all() and np.allclose(got.sum(axis=1), 1, atol=1e-3))
        self._normalised = normalised and _is_cross_entropy(self._loss)
        before = {name: array.copy() for name, array in self._untrained_arrays.items()}
        self._differentiate(x, np.zeros(2, np.int64) if self._classes else np.zeros((2, outputs), np.float32))
        self._moves_untrained = any(
            (self._untrained_arrays[name] != array).any() for name, array in before.items()
        )
        copy_arrays(self._untrained_arrays, before)


def _part(option: str, node: dict[str, Any] | str, named: Any) -> Any:
    if not isinstance(node, str):
        return build_loss(node) if option == "loss" else build_part(option, node)
    try:
        return named(node)
    except ValueError as error:
        raise ModelError(f"model.{option}={node}: {error}") from error


def _is_cross_entropy(loss: Any) -> bool:
    """Tell whether a loss, by class or function, is a cross-entropy of classes that exclude one another."""
    named = getattr(loss, "func", loss)
    name = getattr(named, "__name__", type(named).__name__)
    return name.replace("_", "").casefold() in CROSS_ENTROPIES


def _from_logits(loss: Any) -> bool:
    keywords = getattr(loss, "keywords", {})
    return _is_cross_entropy(loss) and bool(keywords.get("from_logits", getattr(loss, "from_logits", False)))


@contextmanager
def _python_seeded(seed: int) -> Iterator[None]:
    """Seed Python's generator, and restore its state afterwards."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
