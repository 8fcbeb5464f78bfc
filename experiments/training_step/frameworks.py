"""The same step in PyTorch and Keras behind fedlocal's protocol; what is not installed is left out."""

import importlib.util
import itertools
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from experiments.rows import Row
from experiments.runner import Options
from experiments.training_step.products import RATE, SAMPLES, WIDTHS, Pass
from experiments.turns import over_first
from fedlocal.actors import one_thread
from fedlocal.models import MLP, Keras, PyTorch

NUMPY, BARE = "NumPy", "PyTorch alone"


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratios to NumPy at each batch size, on one core."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if cores:  # JAX has a thread for each core that it may use
        os.sched_setaffinity(0, {max(cores)})
    try:
        factories()  # loads the libraries, so that their threads are limited
        for batch in (32,) if options.quick else (32, 64, 256):
            turns = options.trials or (5 if options.quick else 50)
            with one_thread():
                setting, say = f"batch {batch}", partial(note, batch)
                yield from over_first("frameworks", setting, arms(batch), turns, say)
    finally:
        if cores:
            os.sched_setaffinity(0, cores)


def note(batch: int, seconds: float) -> str:
    """Return the time of a step."""
    return f"{1e6 * seconds * batch / SAMPLES:.0f} µs"


def factories() -> dict[str, Any]:
    """Return the networks that can be built here."""
    models: dict[str, Any] = {}
    if importlib.util.find_spec("torch"):
        module = {"_target_": "fedlocal.models.torch_mlp"}
        loss = {"_target_": "torch.nn.CrossEntropyLoss"}
        sgd = {"_target_": "torch.optim.SGD", "lr": RATE}
        models["model=torch"] = PyTorch(module, loss, sgd)
    if importlib.util.find_spec("keras"):
        model = {"_target_": "fedlocal.models.keras_mlp"}
        crossentropy: dict[str, Any] = {
            "_target_": "keras.losses.SparseCategoricalCrossentropy",
            "from_logits": True,
        }
        sgd = {"_target_": "keras.optimizers.SGD", "learning_rate": RATE}
        keras = Keras(model, crossentropy, sgd)
        models[f"model=keras ({keras.backend})"] = keras
    return models


def bare() -> Callable[[Any, Any], object]:
    """Return a step as everybody writes it in PyTorch."""
    import torch

    linears = [torch.nn.Linear(inputs, outputs) for inputs, outputs in itertools.pairwise(WIDTHS)]
    model = torch.nn.Sequential(*[part for linear in linears for part in (linear, torch.nn.ReLU())][:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step(x: Any, y: Any) -> object:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def arms(batch: int) -> dict[str, Pass]:
    """Return what is compared, each a pass over ``SAMPLES`` rows."""
    rng = np.random.default_rng(batch)
    x, y = rng.random((SAMPLES, WIDTHS[0]), np.float32), rng.integers(WIDTHS[-1], size=SAMPLES)
    data: dict[str, Any] = {"inputs": WIDTHS[0], "outputs": WIDTHS[-1], "classes": True, "rng": rng}
    steps: dict[str, Callable[[Any, Any], object]] = {
        NUMPY: MLP(WIDTHS[1:-1], learning_rate=RATE, **data).train_step
    }
    for name, factory in factories().items():
        model = factory(**data, shape=(WIDTHS[0],))
        steps[name] = model.train_step
        if "torch" in name:
            steps[f"{name}, gradient + apply"] = separate(model)
    if importlib.util.find_spec("torch"):
        steps[BARE] = bare()

    def over_all(step: Callable[[Any, Any], object]) -> Pass:
        def run() -> None:
            for start in range(0, SAMPLES, batch):
                step(x[start : start + batch], y[start : start + batch])

        return run

    return {name: over_all(step) for name, step in steps.items()}


def separate(model: Any) -> Callable[[Any, Any], object]:
    """Return a step by way of a gradient that is written down."""
    gradient = np.empty(model.size, np.float32)

    def step(x: Any, y: Any) -> None:
        model.gradient(x, y, gradient)
        model.apply(gradient)

    return step
