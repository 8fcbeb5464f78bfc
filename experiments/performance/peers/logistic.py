"""Logistic regression on MNIST-shaped rows, 60 of each client, as a client app for Flower's simulation."""

from functools import cache

import numpy as np
from flwr.clientapp import ClientApp

from experiments.performance.apps import INPUTS, OUTPUTS, training
from fedlocal.models import MLP

ROWS, BATCH, RATE, FRACTION = 60, 10, 0.03, 0.01


@cache
def model() -> MLP:
    """Return this process's model, 784-10; who trains it loads it first."""
    rng = np.random.default_rng(0)
    return MLP([], inputs=INPUTS, outputs=OUTPUTS, classes=True, rng=rng, learning_rate=RATE)


def app() -> ClientApp:
    """Return a client that trains for one epoch over its rows."""
    return training(model, ROWS, BATCH)
