"""fedlocal's own client app: trains the run's model on the rows of its partition."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fedlocal.flower.admission.policy import ARRAYS, METRICS, Declaration
from fedlocal.flower.client.local_training import LOSS, LOSS_BEFORE, LocalTraining, SliceSource, Task
from fedlocal.flower.compat.private import content_of, record_of
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.models import Model
from fedlocal.models.training_run import Training

DECLARATION = Declaration(losses=(LOSS,), visits_all_rows=True)
CONFIG = "config"  # the record of a request's options
OPTIMIZER = "optimizer"
PARTITION_QUERY = "who"  # the action of a query


class DefaultApp(ClientApp):
    """The client app, on any engine of Flower's; on local actors it may answer several requests at once.

    It answers ``train`` with the trained arrays, ``num-examples`` and ``train-loss``, and if asked for it the
    loss before training; and ``evaluate`` on the rows that the partition holds out with ``num-examples``,
    ``loss`` and ``accuracy``. Arrays in its replies are the model's own memory: whoever calls the app copies
    them before the next call.

    Parameters
    ----------
    slices : SliceSource
        The partitions' rows.
    new_model : callable
        Makes the one model that serves all clients of this process in turn.
    training : Training
        How to train.
    """

    def __init__(self, slices: SliceSource, new_model: Callable[[], Model], training: Training) -> None:
        super().__init__()
        self._local = local = LocalTraining(slices, new_model, training)
        # What an app holds are functions without it: a circle would keep the rows until a garbage collection.
        self.train()(
            lambda message, context: Message(
                next(_train(local, message.content, {partition_of(context): context.state})), reply_to=message
            )
        )
        self.evaluate()(lambda message, context: _evaluate(local, message, context))
        self.query(PARTITION_QUERY)(report_partition)

    def stack_size(self, partitions: Sequence[int]) -> int:
        """Return how many of these clients, from the first on, can be asked to train at once."""
        return self._local.stack_size(partitions)

    def train_stack(self, content: RecordDict, states: Mapping[int, RecordDict]) -> Iterator[RecordDict]:
        """Yield the replies of clients that are all sent this content to train, and change their states."""
        return _train(self._local, content, states)


def _train(
    local: LocalTraining, content: RecordDict, states: Mapping[int, RecordDict]
) -> Iterator[RecordDict]:
    config = cast(ConfigRecord, content[CONFIG])
    mu = cast(float, config.get("proximal-mu", 0.0))
    number, loss_before = cast(int, config["server-round"]), bool(config.get(LOSS_BEFORE))
    updates = local.train(
        Task(_arrays(content), number, mu, loss_before),
        {
            partition: ndarrays(cast(ArrayRecord, state[OPTIMIZER])) if OPTIMIZER in state else {}
            for partition, state in states.items()
        },
    )
    for state, update in zip(states.values(), updates, strict=True):
        if update.kept:
            state[OPTIMIZER] = array_record(update.kept)
        metrics = record_of(MetricRecord, dict(update.metrics))
        yield content_of({ARRAYS: array_record(update.arrays), METRICS: metrics})


def _evaluate(local: LocalTraining, message: Message, context: Context) -> Message:
    metrics = local.evaluate(_arrays(message.content), partition_of(context))
    return Message(RecordDict({METRICS: MetricRecord(dict(metrics))}), reply_to=message)


def report_partition(message: Message, context: Context) -> Message:
    """Say which partition this node owns, and how many there are."""
    node = {key: int(context.node_config[key]) for key in ("partition-id", "num-partitions")}
    return Message(RecordDict({"node": MetricRecord(dict(node))}), reply_to=message)


def reported_partition(reply: Message) -> tuple[int, int]:
    """Return the partition, and how many there are, from a node's answer to a `PARTITION_QUERY`."""
    node = cast(MetricRecord, reply.content["node"])
    return cast(int, node["partition-id"]), cast(int, node["num-partitions"])


def partition_of(context: Context) -> int:
    """Return the partition that the node of a context owns."""
    return int(context.node_config["partition-id"])


def _arrays(content: RecordDict) -> dict[str, Any]:
    return ndarrays(cast(ArrayRecord, content[ARRAYS]))
