"""How each of Keras's backends takes the gradient of a pure function, and makes such a function fast."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from fedlocal.models.protocol import ModelError

Function = Callable[..., Any]


@dataclass(frozen=True)
class Backend:
    """What differs between backends; functions made here take lists of NumPy arrays, and return tensors.

    Parameters
    ----------
    gradients : callable
        Of ``lose(trainable, others, rows, targets) -> (loss, others)`` it makes a function of the same
        arguments that returns ``((loss, others), gradients with respect to trainable)``.
    compiled : callable
        Of a function it makes one that returns the same.
    """

    gradients: Callable[[Function], Function]
    compiled: Callable[[Function], Function]


def backend() -> Backend:
    """Return what Keras's backend needs.

    Raises
    ------
    ModelError
        If it is one that does not train.
    """
    name = keras.backend.backend()
    if name not in BACKENDS:
        raise ModelError(f"Keras's backend {name} cannot train; set model.backend to {', '.join(BACKENDS)}")
    return BACKENDS[name]()


def _torch() -> Backend:
    import torch

    def gradients(lose: Function) -> Function:
        def differentiate(trainable: Any, *rest: Any) -> Any:
            weights = [torch.tensor(weight, requires_grad=True) for weight in trainable]
            loss, others = lose(weights, *keras.tree.map_structure(torch.tensor, rest))
            slopes = torch.autograd.grad(loss, weights, materialize_grads=True)
            return (loss.detach(), others), slopes

        return differentiate

    def compiled(function: Function) -> Function:
        def call(*arguments: Any) -> Any:
            with torch.no_grad():
                return function(*keras.tree.map_structure(torch.tensor, arguments))

        return call

    return Backend(gradients, compiled)


def _jax() -> Backend:
    import jax

    return Backend(lambda lose: jax.jit(jax.value_and_grad(lose, has_aux=True)), jax.jit)


def _tensorflow() -> Backend:
    import tensorflow as tf

    def gradients(lose: Function) -> Function:
        def differentiate(trainable: Any, *rest: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(trainable)
                loss, others = lose(trainable, *rest)
            zero = tf.UnconnectedGradients.ZERO
            return (loss, others), tape.gradient(loss, trainable, unconnected_gradients=zero)

        return compiled(differentiate)

    def compiled(function: Function) -> Function:
        made: Function = tf.function(function, reduce_retracing=True)
        return made

    return Backend(gradients, compiled)


BACKENDS = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}
