"""The training step of scikit-learn's `MLPClassifier`: one `partial_fit` is a pass of them."""

import numpy as np
from sklearn.neural_network import MLPClassifier

from experiments.performance.peers.steps import RATE, WIDTHS, Case, Layers, Learner, serve

PLAIN = {"solver": "sgd", "alpha": 0, "momentum": 0, "nesterovs_momentum": False, "shuffle": False}


def learner(case: Case) -> Learner:
    model = MLPClassifier(WIDTHS[1:-1], batch_size=case.batch, learning_rate_init=RATE, **PLAIN)
    x, y = case.data()

    def train() -> None:
        model.partial_fit(x, y, classes=np.arange(WIDTHS[-1]))

    def layers() -> Layers:
        return list(zip(model.coefs_, model.intercepts_, strict=True))

    def reset() -> None:
        for (weight, bias), initial in zip(layers(), case.layers(), strict=True):
            weight[:], bias[:] = initial

    train()  # makes the arrays
    return Learner(reset, train, layers)


if __name__ == "__main__":
    serve(learner)
