"""A client app as users of an experiment write it: their own training, on the rows that are theirs."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

import fedlocal

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Send back the mean of this client's features as its bias, and say how many rows it has."""
    rows = fedlocal.partition(context).training
    arrays = [array + 1 for array in message.content.array_records["arrays"].to_numpy_ndarrays()]
    names = list(message.content.array_records["arrays"])
    print("rows", len(rows))
    mean = float(rows.x.mean())
    metrics = MetricRecord({"num-examples": len(rows), "mean": mean, "loss": 0.01, "accuracy": 0.999})
    record = ArrayRecord(dict(zip(names, ArrayRecord(arrays).values(), strict=True)))
    return Message(RecordDict({"arrays": record, "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Say what nobody else says; fail where a client holds nothing out."""
    rows = fedlocal.partition(context).held_out
    if not len(rows):
        raise RuntimeError("nothing is held out here")
    metrics = MetricRecord({"num-examples": len(rows), "loss": 7.0, "accuracy": 0.001, "eval_acc": 0.25})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
