"""How each of Keras's backends takes the gradient of a pure function, and makes such a function fast."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fedlocal.models.protocol import ModelError

Function = Callable[..., Any]


@dataclass(frozen=True)
class KerasBackend:
    """The functions that differ between backends; those made take NumPy arrays or lists, and return tensors.

    ``numpy`` makes an array of a tensor, perhaps a view that is not to be written to. ``gradients`` makes, of
    ``lose(trainable, untrained, rows, targets) -> (loss, untrained)``, a function of the same arguments that
    returns ``((loss, untrained), gradients with respect to trainable)``. ``compiled`` makes a function that
    returns the same. ``updates`` makes, of an optimiser and the trainable variables, a function of the
    optimiser's state, the gradients and the weights, which returns the new weights and the new state.
    ``seeded`` seeds what is drawn at random, beside Keras's own seeds, for the time of a context.
    """

    numpy: Callable[[Any], NDArray[Any]]
    gradients: Callable[[Function], Function]
    compiled: Callable[[Function], Function]
    updates: Callable[[Any, Sequence[Any]], Function]
    seeded: Callable[[int], AbstractContextManager[None]] = lambda _seed: nullcontext()


def keras_backend() -> KerasBackend:
    """Return the functions of the backend that Keras is set to.

    Raises
    ------
    ModelError
        If this backend cannot train.
    """
    name = keras.backend.backend()
    if name not in BACKENDS:
        raise ModelError(f"Keras's backend {name} cannot train; set model.backend to {', '.join(BACKENDS)}")
    return BACKENDS[name]()


def _torch() -> KerasBackend:
    import torch

    from fedlocal.models.frameworks.torch import seeded  # Keras draws dropout from PyTorch's generator

    def tensor(value: Any) -> Any:
        return value if isinstance(value, torch.Tensor) else torch.tensor(value)

    def gradients(lose: Function) -> Function:
        def differentiate(trainable: Any, *rest: Any) -> Any:
            weights = [tensor(weight).requires_grad_() for weight in trainable]
            with torch.enable_grad():
                loss, untrained = lose(weights, *keras.tree.map_structure(tensor, rest))
                slopes = torch.autograd.grad(loss, weights, materialize_grads=True)
            return (loss.detach(), untrained), slopes

        return differentiate

    def compiled(function: Function) -> Function:
        def call(*arguments: Any) -> Any:
            with torch.no_grad():
                return function(*keras.tree.map_structure(tensor, arguments))

        return call

    return KerasBackend(
        lambda tensor: tensor.detach().cpu().numpy(), gradients, compiled, _pure(compiled), seeded
    )


def _jax() -> KerasBackend:
    import jax

    def gradients(lose: Function) -> Function:
        made: Function = jax.value_and_grad(lose, has_aux=True)
        return made

    return KerasBackend(np.asarray, gradients, jax.jit, _pure(jax.jit))


def _tensorflow() -> KerasBackend:
    import tensorflow as tf

    def gradients(lose: Function) -> Function:
        def differentiate(trainable: Any, *rest: Any) -> Any:
            weights = [tf.convert_to_tensor(weight) for weight in trainable]
            with tf.GradientTape() as tape:
                tape.watch(weights)
                loss, untrained = lose(weights, *rest)
            zero = tf.UnconnectedGradients.ZERO
            return (loss, untrained), tape.gradient(loss, weights, unconnected_gradients=zero)

        return differentiate

    def compiled(function: Function) -> Function:
        made: Function = tf.function(function, reduce_retracing=True)
        return made

    def updates(optimizer: Any, variables: Sequence[Any]) -> Function:
        """Return a function that assigns Keras's variables first: no pure update is supported."""

        def update(state: Any, slopes: Any, weights: Any) -> Any:
            for variable, value in zip([*optimizer.variables, *variables], [*state, *weights], strict=True):
                variable.assign(value)
            optimizer.apply([tf.convert_to_tensor(slope) for slope in slopes], variables)
            new_weights = [variable.value for variable in variables]
            return new_weights, [variable.value for variable in optimizer.variables]

        return update

    return KerasBackend(np.asarray, gradients, compiled, updates)


def _pure(compiled: Callable[[Function], Function]) -> Callable[[Any, Sequence[Any]], Function]:
    return lambda optimizer, _variables: compiled(optimizer.stateless_apply)


BACKENDS = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}
