"""A Keras 3 model behind fedlocal's model protocol, with whichever backend Keras has.

Keras can call a model and an optimiser as pure functions of their variables. So the variables lie here, in
NumPy arrays; a step hands them to Keras and copies back what it returns. That is the same for all backends,
but for how a gradient is taken.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fedlocal.models.frameworks.base import FrameworkModel, softmax
from fedlocal.models.frameworks.factories import Examples, Keras
from fedlocal.models.frameworks.keras_backends import keras_backend
from fedlocal.models.frameworks.parts import build_loss, build_part
from fedlocal.models.protocol import ModelError, looks_like_probabilities

Array = NDArray[Any]

CROSS_ENTROPIES = ("sparsecategoricalcrossentropy", "categoricalcrossentropy", "categoricalfocalcrossentropy")
"""Keras's losses that take probabilities of classes, or logits, without underlines."""
SEED = "seed_generator_state"  # Keras's name of the variables of its random generators


class KerasModel(FrameworkModel):
    """A ``keras.Model`` with a loss and an optimiser, as :class:`fedlocal.models.Keras` names them.

    It is called with float32[n, *shape]; a grey image comes as (height, width, 1), all else as it is. From a
    seed that `rng` draws for Python's generator, Keras draws the initial weights.

    Raises
    ------
    ModelError
        If a part refuses its arguments, or does not suit the data: it is tried on two rows.
    """

    def __init__(self, parts: Keras, data: Examples, rng: np.random.Generator) -> None:
        seen = (*data.shape, 1) if len(data.shape) == 2 else data.shape
        super().__init__("model", parts.model, parts.input_shape or seen, data)
        self._backend = backend = keras_backend()
        x = np.random.default_rng(0).standard_normal((2, data.inputs), np.float32)
        with _python_seeded(int(rng.integers(2**63))):
            self._model = build_part("model", parts.model, **self._offered)
            if not isinstance(self._model, keras.Model):
                raise ModelError(f"{self._part} gives {self._model!r}, not a keras.Model")
            self._loss = _part("loss", parts.loss, keras.losses.get)
            self._optimizer = _part("optimizer", parts.optimizer, keras.optimizers.get)
            with self._first_call():
                got = backend.numpy(self._model(self._rows(x), training=False))
            self._take_over_variables()
            self._optimizer.build(self._model.trainable_variables)
        self._check_fit(got)
        self._first_state = [backend.numpy(variable.value).copy() for variable in self._optimizer.variables]
        self._state = [array.copy() for array in self._first_state]
        if _from_logits(self._loss):
            self._to_probabilities = softmax
        elif _is_cross_entropy(self._loss) and looks_like_probabilities(got):
            self._to_probabilities = np.asarray
        self._gradients = backend.gradients(self._lose)
        self._try_training(lambda: self._differentiate(x, self._zero_targets()))
        self._gradients, self._predicted = backend.compiled(self._gradients), backend.compiled(self._predict)
        self._updated = backend.updates(self._optimizer, self._model.trainable_variables)

    @property
    def arrays(self) -> dict[str, Array]:
        """Views of the model's weights, as ``0.kernel``; Keras's own names differ from build to build."""
        return {**self._weights, **dict(zip(self._shapes, self._trainable, strict=True))}

    @property
    def optimizer_arrays(self) -> dict[str, Array]:
        """Views of the optimiser's variables by their number: Keras names them after the model's layers."""
        return {str(number): array for number, array in enumerate(self._state)}

    def _reset_optimizer(self) -> None:
        for array, first in zip(self._state, self._first_state, strict=True):
            np.copyto(array, first)

    def _forward(self, x: Array) -> Array:
        return self._backend.numpy(self._predicted(self._trainable, self._untrained, self._rows(x)))

    def _predict(self, trainable: Any, untrained: Any, rows: Any) -> Any:
        return self._model.stateless_call(trainable, untrained, rows, training=False)[0]

    def _lose(self, trainable: Any, untrained: Any, rows: Any, targets: Any) -> Any:
        """Return the loss of a batch and the new values of the untrained variables: a pure function."""
        outputs, untrained, penalties = self._model.stateless_call(
            trainable, untrained, rows, training=True, return_losses=True
        )
        return sum(penalties, keras.ops.mean(self._loss(targets, outputs))), untrained

    def _backward(self, x: Array, y: Array) -> tuple[float, list[Array]]:
        (loss, untrained), gradients = self._gradients(self._trainable, self._untrained, self._rows(x), y)
        self._copy(self._untrained, untrained)
        return float(loss), [self._backend.numpy(gradient) for gradient in gradients]

    def _step(self, gradients: list[Array]) -> None:
        trainable, state = self._updated(self._state, gradients, self._trainable)
        self._copy(self._trainable, trainable)
        self._copy(self._state, state)

    def _copy(self, into: Sequence[Array], tensors: Sequence[Any]) -> None:
        for array, tensor in zip(into, tensors, strict=True):
            np.copyto(array, self._backend.numpy(tensor))

    def _mean_loss(self, outputs: Array, targets: Array) -> float:
        tensors = keras.ops.convert_to_tensor(targets), keras.ops.convert_to_tensor(outputs)
        return float(keras.ops.mean(self._loss(*tensors)))

    def _seeded(self, seed: int) -> AbstractContextManager[None]:
        for number, state in enumerate(self._seeds):
            state[:] = seed & 0x7FFFFFFF, number
        return self._backend.seeded(seed)

    @staticmethod
    def _sum(gradient: Array, mu: float, away: Array) -> Array:
        total: Array = gradient + np.float32(mu) * away
        return total

    def _rows(self, x: Array) -> Array:
        return x.reshape(len(x), *self._shape)

    def _take_over_variables(self) -> None:
        """Copy the values of Keras's variables into arrays."""
        weights, fixed = self._model.weights, self._model.non_trainable_variables
        names = {id(weight): f"{index}.{weight.name}" for index, weight in enumerate(weights)}
        values = {id(v): self._backend.numpy(v.value).copy() for v in (*weights, *fixed)}
        self._weights: dict[str, Array] = {names[id(weight)]: values[id(weight)] for weight in weights}
        self._untrained = [values[id(variable)] for variable in fixed]
        self._seeds = [values[id(variable)] for variable in fixed if variable.name == SEED]
        self._draws = bool(self._seeds)
        self._take_over({names[id(v)]: values[id(v)] for v in self._model.trainable_variables})


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
