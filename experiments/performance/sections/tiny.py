"""Many tiny clients, 1000 with 60 rows each, 64-32-10, batch 10: stacked, one by one, and in plain NumPy.

The plain loop is what one writes without fedlocal: float32, a gather, products, ReLU, softmax, gradients and
updates as expressions, one client after another on one core.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

import fedlocal
from experiments.performance.federation import session
from experiments.rows import Row, row_of
from experiments.runner import Options
from experiments.turns import Arm, Call, alternate, ratios
from fedlocal.models import MLP, Stack, train

CLIENTS, SAMPLES = 1000, 60
INPUTS, HIDDEN, OUTPUTS, BATCH = 64, 32, 10, 10
RATE = 0.1
PLAIN, LOOP, STACKED, ROUND = "plain NumPy loop", "train", "train_many", "fedlocal.run"
SETTING = f"{CLIENTS} clients x {SAMPLES} samples, {INPUTS}-{HIDDEN}-{OUTPUTS}, batch {BATCH}"
KEPT_AFTER = 3  # rounds: round 0 evaluates alone, two warm up
ROUNDS = 10
OVERRIDES = (
    "dataset=synthetic",
    f"dataset.train={CLIENTS * SAMPLES}",
    "dataset.test=1000",
    f"dataset.shape=[{INPUTS}]",
    f"model.hidden=[{HIDDEN}]",
    f"model.learning_rate={RATE}",
    f"actors={CLIENTS}",
    f"batch_size={BATCH}",
    f"rounds={ROUNDS}",
    f"evaluate_every={ROUNDS}",
    "workers=2",
    "baseline=false",
    "display=off",
)

Rows = list[tuple[NDArray[np.float32], NDArray[np.int64]]]
Parameters = list[NDArray[np.float32]]
Generators = Sequence[np.random.Generator]


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratios of the compute alone, then those of rounds with all that belongs to them."""
    model, rows = _model(), _rows()
    start = [array.copy() for array in model.arrays.values()]
    stack = Stack(model)
    plain = partial(_plain, start, rows)
    arms: list[Arm] = [
        Call(PLAIN, partial(_timed, plain)),
        Call(LOOP, partial(_timed, partial(_one_by_one, model, rows))),
        Call(STACKED, partial(_timed, partial(stack.train_many, rows, batch_size=BATCH, epochs=1))),
    ]
    draw = random.Random(0)
    with session():
        figures = alternate(arms, 4 if options.quick else 30, draw)
        setting = f"{SETTING}, one thread"
        for name, turns in figures.items():
            times = [1e6 * seconds / CLIENTS for seconds in turns]
            yield row_of("tiny", setting, name, times, "µs per client")
        over_plain = ratios(figures, PLAIN, STACKED)
        yield row_of("tiny", setting, f"{PLAIN} ÷ {STACKED}", over_plain, "x", at_least=3)
        yield row_of("tiny", setting, f"{LOOP} ÷ {STACKED}", ratios(figures, LOOP, STACKED), "x")

        arms = [Call(PLAIN, partial(_plain_round, plain)), Call(ROUND, _round)]
        figures = alternate(arms, 2 if options.quick else 10, draw)
    setting = f"{SETTING}, 2 workers"
    for name, turns in figures.items():
        yield row_of("tiny", setting, f"a round, {name}", [1e3 * seconds for seconds in turns], "ms")
    over_plain = ratios(figures, PLAIN, ROUND)
    yield row_of("tiny", setting, f"a round, {PLAIN} on one core ÷ {ROUND}", over_plain, "x", at_least=1.5)


def _model() -> MLP:
    rng = np.random.default_rng(0)
    return MLP([HIDDEN], inputs=INPUTS, outputs=OUTPUTS, classes=True, rng=rng, learning_rate=RATE)


def _rows() -> Rows:
    """Make every client's rows, each client's in memory of their own."""
    rng = np.random.default_rng(0)
    return [
        (rng.standard_normal((SAMPLES, INPUTS), np.float32), rng.integers(OUTPUTS, size=SAMPLES))
        for _ in range(CLIENTS)
    ]


def _generators() -> Generators:
    return [np.random.default_rng(client) for client in range(CLIENTS)]


def _timed(work: Callable[..., object]) -> float:
    """Return the seconds that work over all clients takes; their generators are ready."""
    rngs = _generators()
    started = time.perf_counter()
    work(rngs=rngs)
    return time.perf_counter() - started


def _one_by_one(model: MLP, rows: Rows, rngs: Generators) -> None:
    """Train the clients one after another by fedlocal's loop."""
    start, trained = model.vector.copy(), np.empty((CLIENTS, model.size), np.float32)
    for client, ((x, y), rng) in enumerate(zip(rows, rngs, strict=True)):
        model.vector[:] = start
        train(model, x, y, batch_size=BATCH, epochs=1, rng=rng)
        trained[client] = model.vector
    model.vector[:] = start


def _plain(start: Parameters, rows: Rows, rngs: Generators) -> list[Parameters]:
    """Train the clients one after another in plain NumPy."""
    trained = []
    for (x, y), rng in zip(rows, rngs, strict=True):
        parameters = [array.copy() for array in start]
        order = rng.permutation(len(x))
        for begin in range(0, len(x), BATCH):
            chosen = order[begin : begin + BATCH]
            _plain_step(parameters, x[chosen], y[chosen])
        trained.append(parameters)
    return trained


def _plain_step(parameters: Parameters, x: NDArray[np.float32], y: NDArray[np.int64]) -> float:
    """Make one update in place; return the mean loss before it, as `train` does."""
    weight, bias, weight_out, bias_out = parameters
    rate, rows = np.float32(RATE), np.arange(len(y))
    hidden = np.maximum(x @ weight + bias, 0)
    logits = hidden @ weight_out + bias_out
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    delta = exponents / exponents.sum(axis=1, keepdims=True)
    loss = -float(np.log(delta[rows, y]).mean())
    delta[rows, y] -= 1
    delta /= len(y)
    below = (delta @ weight_out.T) * (hidden > 0)
    weight_out -= rate * (hidden.T @ delta)
    bias_out -= rate * delta.sum(axis=0)
    weight -= rate * (x.T @ below)
    bias -= rate * below.sum(axis=0)
    return loss


def _plain_round(plain: Callable[..., list[Parameters]]) -> float:
    """Return the seconds of a round in plain NumPy: generators, all clients, and their mean."""
    started = time.perf_counter()
    trained = plain(rngs=_generators())
    for arrays in zip(*trained, strict=True):
        np.mean(arrays, axis=0)
    return time.perf_counter() - started


def _round() -> float:
    """Return the seconds of a round in steady state of one run of fedlocal: the median of its rounds."""
    history = fedlocal.run(fedlocal.compose(*OVERRIDES)).histories["federated"]
    return float(np.median([round_.timed for round_ in history.rounds[KEPT_AFTER:]]))
