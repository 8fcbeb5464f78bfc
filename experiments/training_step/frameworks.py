"""Measure a training step of the same network in PyTorch and Keras behind fedlocal's protocol, and in NumPy.

``python -m experiments.training_step.frameworks`` prints a table and writes ``frameworks.csv`` beside this
file; what is not installed is left out.
"""

import argparse
import csv
import importlib.util
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from experiments.training_step.__main__ import SAMPLES, WIDTHS
from fedlocal.models import MLP, Keras, PyTorch

BATCHES = [32, 64, 256]
FIELDS = ["batch", "arm", "step_us", "ratio", "ratio_q25", "ratio_q75"]
RATE = 1e-4  # too small to learn by, so that all repeats do the same work
NUMPY, BARE = "NumPy", "PyTorch alone"

Arm = Callable[[], object]


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


def arms(batch: int) -> dict[str, Arm]:
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

    def over_all(step: Callable[[Any, Any], object]) -> Arm:
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


def measure(batch: int, repeats: int) -> list[list[Any]]:
    """Return a row per arm: its ratios are to NumPy of the same repeat; arms take turns in random order."""
    compared, rng = arms(batch), np.random.default_rng(0)
    seconds = {name: np.empty(repeats) for name in compared}
    for arm in compared.values():
        arm()
    for repeat in range(repeats):
        for name in rng.permutation(list(compared)):
            start = time.perf_counter()
            compared[name]()
            seconds[name][repeat] = time.perf_counter() - start
    rows: list[list[Any]] = []
    for name, times in seconds.items():
        quartiles = np.percentile(times / seconds[NUMPY], [50, 25, 75])
        step = float(np.median(times)) * batch / SAMPLES * 1e6
        rows.append([batch, name, round(step, 1), *(round(float(ratio), 3) for ratio in quartiles)])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # JAX has a thread for each core that it may use
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    factories()  # loads the libraries, so that their threads are limited
    with threadpool_limits(1), Path(__file__).with_name("frameworks.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        for batch in options.batches:
            for row in measure(batch, options.repeats):
                writer.writerow(row)
                print("{:5} {:30} {:9.0f} us  x {:.3f} [{:.3f} {:.3f}]".format(*row))


if __name__ == "__main__":
    main()
