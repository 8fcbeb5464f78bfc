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
    metrics = MetricRecord({"num-examples": len(rows), "mean": float(rows.x.mean())})
    record = ArrayRecord(dict(zip(names, ArrayRecord(arrays).values(), strict=True)))
    return Message(RecordDict({"arrays": record, "metrics": metrics}), reply_to=message)
