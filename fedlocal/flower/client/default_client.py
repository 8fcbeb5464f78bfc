"""fedlocal's own client app: trains the run's model on the rows of its partition."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fedlocal.flower.admission.policy import ARRAYS, METRICS, Declaration
from fedlocal.flower.client.local_training import LOSS, LOSS_BEFORE, LocalTraining, SliceSource, Task, Update
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
        self.train()(lambda message, context: _train(local, message, context))
        self.evaluate()(lambda message, context: _evaluate(local, message, context))
        self.query(PARTITION_QUERY)(report_partition)

    def stack_size(self, partitions: Sequence[int]) -> int:
        """Return how many of these clients, from the first on, can be asked to train at once."""
        return self._local.stack_size(partitions)

    def train_stack(self, content: RecordDict, partitions: Sequence[int]) -> Iterator[RecordDict]:
        """Yield the replies of clients without a state that are all sent this content to train."""
        return map(_reply, self._local.train(_task(content), {partition: {} for partition in partitions}))


def _train(local: LocalTraining, message: Message, context: Context) -> Message:
    kept = context.state.get(OPTIMIZER)
    clients = {partition_of(context): ndarrays(kept) if isinstance(kept, ArrayRecord) else {}}
    (update,) = local.train(_task(message.content), clients)
    if update.kept:
        context.state[OPTIMIZER] = array_record(update.kept)
    return Message(_reply(update), reply_to=message)


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


def _task(content: RecordDict) -> Task:
    config = cast(ConfigRecord, content[CONFIG])
    mu = cast(float, config.get("proximal-mu", 0.0))
    return Task(_arrays(content), cast(int, config["server-round"]), mu, bool(config.get(LOSS_BEFORE)))


def _reply(update: Update) -> RecordDict:
    metrics = record_of(MetricRecord, dict(update.metrics))
    return content_of({ARRAYS: array_record(update.arrays), METRICS: metrics})
