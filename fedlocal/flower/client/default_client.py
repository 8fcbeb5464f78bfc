"""fedlocal's own client app: trains the run's model on the rows of its partition."""

from collections.abc import Callable
from typing import Any, cast

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fedlocal.data import Slices
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.models import Model
from fedlocal.models.training_run import Training, as_metrics

OPTIMIZER = "optimizer"
PARTITION_QUERY = "who"  # the action of a query
LOSS_BEFORE = "train-loss-before"
"""The metric, and the option that asks clients for it: the mean loss over their rows before training."""


def client_app(slices: Slices, new_model: Callable[[], Model], training: Training) -> ClientApp:
    """Make the client app.

    It answers ``train`` with the trained arrays, ``num-examples`` and ``train-loss``, and if asked for it the
    loss before training; and ``evaluate`` on the rows that the partition holds out with ``num-examples``,
    ``loss`` and ``accuracy``. Arrays in its replies are the model's own memory: whoever calls the app copies
    them before the next call.

    Parameters
    ----------
    slices : Slices
        The partitions' rows.
    new_model : callable
        Makes the one model that serves all clients of this process in turn.
    training : Training
        How to train.
    """
    app, model = ClientApp(), new_model()

    @app.train()
    def train_on_partition(message: Message, context: Context) -> Message:
        partition, rows = _partition(context), slices.open(_partition(context)).training
        arrays, config = _instruction(message)
        model.load(arrays)
        model.load_optimizer(_optimizer(context) if training.keep_optimizer else None)
        model.anchor(cast(float, config.get("proximal-mu", 0.0)), arrays)
        number = cast(int, config["server-round"])
        before = model.evaluate(rows.x, rows.y).loss if config.get(LOSS_BEFORE) else None
        loss = training.run(model, rows.x, rows.y, partition=partition, number=number)
        if training.keep_optimizer and model.optimizer_arrays:
            copies = {name: array.copy() for name, array in model.optimizer_arrays.items()}
            context.state[OPTIMIZER] = array_record(copies)
        metrics = MetricRecord({"num-examples": len(rows), "train-loss": loss})
        if before is not None:
            metrics[LOSS_BEFORE] = before
        return Message(
            RecordDict({"arrays": array_record(model.arrays), "metrics": metrics}), reply_to=message
        )

    @app.evaluate()
    def evaluate_on_held_out(message: Message, context: Context) -> Message:
        rows = slices.open(_partition(context)).held_out
        model.load(_instruction(message)[0])
        metrics = MetricRecord({"num-examples": len(rows)})
        metrics.update(as_metrics(model.evaluate(rows.x, rows.y)))
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    app.query(PARTITION_QUERY)(report_partition)
    return app


def report_partition(message: Message, context: Context) -> Message:
    """Say which partition this node owns, and how many there are."""
    node = {key: int(context.node_config[key]) for key in ("partition-id", "num-partitions")}
    return Message(RecordDict({"node": MetricRecord(dict(node))}), reply_to=message)


def reported_partition(reply: Message) -> tuple[int, int]:
    """Return the partition, and how many there are, from a node's answer to a `PARTITION_QUERY`."""
    node = cast(MetricRecord, reply.content["node"])
    return cast(int, node["partition-id"]), cast(int, node["num-partitions"])


def _partition(context: Context) -> int:
    return int(context.node_config["partition-id"])


def _instruction(message: Message) -> tuple[dict[str, Any], ConfigRecord]:
    record = cast(ArrayRecord, message.content["arrays"])
    return ndarrays(record), cast(ConfigRecord, message.content["config"])


def _optimizer(context: Context) -> dict[str, Any] | None:
    record = context.state.get(OPTIMIZER)
    return ndarrays(record) if isinstance(record, ArrayRecord) else None
