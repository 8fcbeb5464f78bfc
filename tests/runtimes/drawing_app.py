"""A client app that draws from global generators, as many apps do."""

import random

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

import fedlocal

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Send back noise in place of a model."""
    arrays = message.content.array_records["arrays"]
    noise = [
        np.random.standard_normal(array.shape).astype(np.float32) + np.float32(random.random())  # noqa: NPY002
        for array in arrays.to_numpy_ndarrays()
    ]
    metrics = MetricRecord({"num-examples": len(fedlocal.partition(context).training)})
    record = ArrayRecord(dict(zip(arrays, ArrayRecord(noise).values(), strict=True)))
    return Message(RecordDict({"arrays": record, "metrics": metrics}), reply_to=message)
