"""What workers of the study start with: no import of the server side."""

from collections.abc import Callable
from functools import partial

import numpy as np
from flwr.clientapp import ClientApp

from experiments.performance.apps import BATCH, INPUTS, model, rows
from fedlocal.actors import Wire
from fedlocal.data import Partition, Rows, Shards, Slices
from fedlocal.data.skew import NoSkew
from fedlocal.flower.client.default_client import DefaultApp
from fedlocal.flower.compat.private import RUN_ID
from fedlocal.flower.node.client_runner import ClientRunner
from fedlocal.models import MLP, train
from fedlocal.models.training_run import NewModel, Training


def start_runner(app: Callable[[], ClientApp], clients: int) -> ClientRunner:
    """Make what runs a client app for any of its clients."""
    return ClientRunner(app(), clients, 1, RUN_ID)


def start_default_client(_: Callable[[], ClientApp], clients: int) -> ClientRunner:
    """Make what runs fedlocal's own client: a linear model, a row per client, and no epoch to train."""
    nothing = Rows(np.zeros((clients, INPUTS), np.float32), np.zeros(clients, np.int64))
    shards = Shards.create(nothing, Partition.from_owner(np.arange(clients), clients))
    slices = Slices(shards, NoSkew(), (INPUTS,), 0.0, np.random.default_rng, np.random.default_rng)
    training = Training(seed=1, batch_size=10, local_epochs=0)
    return ClientRunner(DefaultApp(slices, LINEAR_MODEL, training), clients, 1, RUN_ID)


class Steps:
    """The behaviour of actors that train the study's model, each on rows of its own, and say nothing."""

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        """Train for one epoch over `ROWS_A_TURN` rows."""
        x, y = rows(ROWS_A_TURN)
        train(model(), x, y, batch_size=BATCH, epochs=1, rng=np.random.default_rng(actor))
        return message, state


ROWS_A_TURN = 7_500
LINEAR_MODEL = NewModel(partial(MLP, hidden=[]), inputs=INPUTS, outputs=10, classes=True, seed=1)
