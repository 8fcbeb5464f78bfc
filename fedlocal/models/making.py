"""Making a model for data of a given shape."""

import inspect
from collections.abc import Callable
from functools import partial

import numpy as np

from fedlocal.models.protocol import Model, ModelFactory


def make(
    factory: ModelFactory,
    *,
    inputs: int,
    outputs: int,
    classes: bool,
    shape: tuple[int, ...],
    rng: np.random.Generator | int,
) -> Model:
    """Make a model.

    Parameters
    ----------
    factory, inputs, outputs, classes, rng
        As :class:`ModelFactory` says; `rng` may be the seed of a new generator.
    shape : tuple of int
        Of one example; only factories with a parameter of this name are given it.
    """
    makes: Callable[..., Model] = factory
    if "shape" in inspect.signature(makes).parameters:
        makes = partial(makes, shape=shape)
    return makes(inputs=inputs, outputs=outputs, classes=classes, rng=np.random.default_rng(rng))
