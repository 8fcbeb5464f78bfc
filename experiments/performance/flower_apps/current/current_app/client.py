"""Its client."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from current_app.task import accuracy, rows_of, trained

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    x, y = rows_of(int(context.node_config["partition-id"]), int(context.node_config["num-partitions"]))
    (weights,) = message.content.array_records["arrays"].to_numpy_ndarrays()
    metrics = MetricRecord({"num-examples": len(y)})
    content = RecordDict({"arrays": ArrayRecord([trained(weights, x, y)]), "metrics": metrics})
    return Message(content, reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    x, y = rows_of(int(context.node_config["partition-id"]), int(context.node_config["num-partitions"]))
    (weights,) = message.content.array_records["arrays"].to_numpy_ndarrays()
    metrics = MetricRecord({"num-examples": len(y), "accuracy": accuracy(weights, x, y)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
