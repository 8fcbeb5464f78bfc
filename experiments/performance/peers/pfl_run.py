"""A whole run of pfl-research's simulation: its FederatedAveraging over users with rows in memory."""

import numpy as np
import torch
from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.pytorch import PyTorchTensorDataset
from pfl.data.sampling import MinimizeReuseUserSampler
from pfl.hyperparam.base import NNTrainHyperParams
from pfl.internal.ops.selector import get_framework_module
from pfl.metrics import Metrics, Weighted
from pfl.model.pytorch import PyTorchModel

from experiments.performance.peers.reports import Marks, asked

SAMPLES, BATCH, RATE = 60_000, 64, 0.01  # as in runtimes.py, which needs Flower


class Network(torch.nn.Sequential):
    """784-512-256-10 with the two methods that pfl asks for."""

    def __init__(self) -> None:
        hidden = [torch.nn.Linear(784, 512), torch.nn.ReLU(), torch.nn.Linear(512, 256), torch.nn.ReLU()]
        super().__init__(*hidden, torch.nn.Linear(256, 10))

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of a batch."""
        return torch.nn.functional.cross_entropy(self(x), y)

    def metrics(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, Weighted]:
        """Return the loss as pfl adds it up."""
        return {"loss": Weighted(self.loss(x, y).item() * len(y), len(y))}


class EachRound(TrainingProcessCallback):
    """Marks the end of each round."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def after_central_iteration(self, *_: object, **__: object) -> tuple[bool, Metrics]:
        """Mark it; there is nothing to report, and no reason to stop."""
        self._marks.mark()
        return False, Metrics()


def users(count: int) -> FederatedDataset:
    """Return users that share 60,000 random rows; a round takes each of them once."""
    rng = np.random.default_rng(count)
    rows = SAMPLES // count
    x, y = torch.from_numpy(rng.random((rows, 784), np.float32)), torch.from_numpy(rng.integers(0, 10, rows))
    data = {user: PyTorchTensorDataset((x, y), user_id=str(user)) for user in range(count)}
    return FederatedDataset(data.__getitem__, MinimizeReuseUserSampler(list(data)))


def main() -> None:
    request, marks = asked(), Marks()
    network, data = Network(), users(request.clients)
    model = PyTorchModel(network, torch.optim.SGD, torch.optim.SGD(network.parameters(), lr=1.0))
    rounds = NNAlgorithmParams(
        central_num_iterations=request.rounds,
        evaluation_frequency=request.rounds + 1,  # the first round only, which warms up
        train_cohort_size=request.clients,
        val_cohort_size=None,
    )
    training = NNTrainHyperParams(local_batch_size=BATCH, local_num_epochs=1, local_learning_rate=RATE)
    marks.mark()
    FederatedAveraging().run(
        rounds, SimulatedBackend(data, data), model, training, callbacks=[EachRound(marks)]
    )
    if get_framework_module().distributed.global_rank == 0:
        marks.write(request)


if __name__ == "__main__":
    main()
