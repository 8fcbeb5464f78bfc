"""Apps that train with the libraries people use, each with the bits of its seed."""

from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg, FedXgbBagging
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

import fedlocal

ROUNDS = 3


def averaging(initial: list[Any]) -> ServerApp:
    """Return a server app that keeps its final arrays."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        result = FedAvg(fraction_evaluate=0.0).start(grid, ArrayRecord(initial), num_rounds=ROUNDS)
        context.state["final"] = result.arrays

    return app


def rows_of(context: Context) -> tuple[Any, Any]:
    x, y = load_digits(return_X_y=True)
    start, step = (int(context.node_config[key]) for key in ("partition-id", "num-partitions"))
    return (x / 16)[start::step].astype(np.float32), y[start::step]


def reply(message: Message, arrays: ArrayRecord, rows: int) -> Message:
    metrics = MetricRecord({"num-examples": rows})
    return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)


def finals(server: ServerApp, client: ClientApp) -> list[list[Any]]:
    """Run an app with one worker and with three; return the final arrays of both."""
    runs = [fedlocal.simulate(server, client, 3, workers=count, display="off") for count in (1, 3)]
    assert not runs[0].errors, runs[0].errors[0].reason
    assert runs[0].fingerprint == runs[1].fingerprint
    return [dict(run.context.state)["final"].to_numpy_ndarrays() for run in runs]  # type: ignore[union-attr]


def test_scikit_learn_with_its_own_shuffling_gives_the_same_bits_each_time() -> None:
    client = ClientApp()

    @client.train()
    def train(message: Message, context: Context) -> Message:
        x, y = rows_of(context)
        x = x.astype(np.float64)  # as the model has it
        model = SGDClassifier(loss="log_loss")  # no random_state: it draws from NumPy's global generator
        model.partial_fit(x[:1], y[:1], classes=np.arange(10))
        model.coef_, model.intercept_ = message.content.array_records["arrays"].to_numpy_ndarrays()
        model.partial_fit(x, y)
        return reply(message, ArrayRecord([model.coef_, model.intercept_]), len(y))

    first, other = finals(averaging([np.zeros((10, 64)), np.zeros(10)]), client)
    np.testing.assert_array_equal(first[0], other[0])
    x, y = load_digits(return_X_y=True)
    assert ((x / 16 @ first[0].T + first[1]).argmax(axis=1) == y).mean() > 0.8


@pytest.mark.extras
def test_pytorch_with_dropout_gives_the_same_bits_each_time() -> None:
    torch: Any = pytest.importorskip("torch", reason="extras: needs PyTorch")
    client = ClientApp()

    def network() -> Any:
        return torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Dropout(0.2), torch.nn.Linear(32, 10))

    @client.train()
    def train(message: Message, context: Context) -> Message:
        model, (x, y) = network(), rows_of(context)
        record = message.content.array_records["arrays"]
        model.load_state_dict(
            dict(zip(model.state_dict(), map(torch.tensor, record.to_numpy_ndarrays()), strict=True))
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for chosen in torch.randperm(len(y)).split(16):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(
                model(torch.tensor(x)[chosen]), torch.tensor(y)[chosen]
            ).backward()
            optimizer.step()
        return reply(message, ArrayRecord([value.numpy() for value in model.state_dict().values()]), len(y))

    torch.manual_seed(0)
    first, other = finals(averaging([value.numpy() for value in network().state_dict().values()]), client)
    for mine, theirs in zip(first, other, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.extras
def test_xgboost_learns_by_bagging() -> None:
    xgboost: Any = pytest.importorskip("xgboost", reason="extras: needs XGBoost (pip install xgboost)")
    client, server = ClientApp(), ServerApp()
    options = {"objective": "multi:softmax", "num_class": 10, "nthread": 1, "subsample": 0.8, "max_depth": 3}

    @client.train()
    def train(message: Message, context: Context) -> Message:
        x, y = rows_of(context)
        rows = xgboost.DMatrix(x, label=y)
        (sent,) = message.content.array_records["arrays"].to_numpy_ndarrays()
        booster = xgboost.Booster(params=options)
        if len(sent):
            booster.load_model(bytearray(sent.tobytes()))
        before = booster.num_boosted_rounds() if len(sent) else 0
        booster = xgboost.train(options, rows, 2, xgb_model=booster if len(sent) else None)
        grown = booster[before:] if before else booster
        trees = np.frombuffer(grown.save_raw("json"), np.uint8)
        return reply(message, ArrayRecord([trees]), len(y))

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = FedXgbBagging(fraction_train=1.0, fraction_evaluate=0.0)
        initial = ArrayRecord([np.zeros(0, np.uint8)])
        context.state["final"] = strategy.start(grid, initial, num_rounds=ROUNDS).arrays

    first, other = finals(server, client)
    np.testing.assert_array_equal(first[0], other[0])
    booster = xgboost.Booster()
    booster.load_model(bytearray(first[0].tobytes()))
    x, y = load_digits(return_X_y=True)
    predicted = booster.predict(xgboost.DMatrix((x / 16).astype(np.float32)))
    assert (predicted == y).mean() > 0.85


@pytest.mark.extras
def test_pandas_answers_queries() -> None:
    pytest.importorskip("pandas", reason="extras: needs pandas (pip install -e '.[test-extras]')")
    client, server = ClientApp(), ServerApp()

    @client.query("histogram")
    def histogram(message: Message, context: Context) -> Message:
        import pandas as pd

        counts = pd.Series(rows_of(context)[1]).value_counts().sort_index()
        return Message(RecordDict({"counts": MetricRecord({"n": counts.tolist()})}), reply_to=message)

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        asked = [Message(RecordDict(), node, "query.histogram") for node in grid.get_node_ids()]
        replies = [reply.content.metric_records["counts"]["n"] for reply in grid.send_and_receive(asked)]
        context.state["sum"] = MetricRecord({"n": np.sum(replies, axis=0).tolist()})

    result = fedlocal.simulate(server, client, 4, display="off")
    sums: Any = result.context.state["sum"]
    assert sums["n"] == np.bincount(load_digits(return_X_y=True)[1]).tolist()
