"""q-FedAvg (Li et al., 2020) as in its paper: a client's weight is its loss at the model that it received."""

from collections.abc import Iterable

from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid
from flwr.serverapp.strategy import QFedAvg as FlowerQFedAvg

from fedlocal.flower.client.local_training import LOSS_BEFORE
from fedlocal.flower.server.traits import FLOWERS


class QFedAvg(FlowerQFedAvg):
    """Flower's ``QFedAvg``, with the paper's F_k(w_t), and with its parameters.

    Without this, clients report the mean loss of the batches in training, each at another model.

    References
    ----------
    .. [1] T. Li, M. Sanjabi, A. Beirami, V. Smith, "Fair Resource Allocation in Federated Learning",
       ICLR 2020, arXiv:1905.10497, algorithm 2.
    """

    traits = FLOWERS[FlowerQFedAvg]

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask clients to train, and for their loss before that."""
        if self.train_loss_key == LOSS_BEFORE:
            config[LOSS_BEFORE] = True
        return super().configure_train(server_round, arrays, config, grid)
