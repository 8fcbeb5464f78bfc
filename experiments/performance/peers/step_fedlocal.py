"""The training step of fedlocal's MLP."""

import numpy as np

from experiments.performance.peers.steps import RATE, WIDTHS, Case, Layers, Learner, serve
from fedlocal.models import MLP


def learner(case: Case) -> Learner:
    inputs, *hidden, outputs = WIDTHS
    rng = np.random.default_rng(0)
    model = MLP(hidden, learning_rate=RATE, inputs=inputs, outputs=outputs, classes=True, rng=rng)
    x, y = case.data()

    def reset() -> None:
        parts = [part for layer in case.layers() for part in layer]
        model.load(dict(zip(model.arrays, parts, strict=True)))

    def train() -> None:
        for batch in case.batches():
            model.train_step(x[batch], y[batch])

    def layers() -> Layers:
        parts = list(model.arrays.values())
        return list(zip(parts[::2], parts[1::2], strict=True))

    return Learner(reset, train, layers)


if __name__ == "__main__":
    serve(learner)
