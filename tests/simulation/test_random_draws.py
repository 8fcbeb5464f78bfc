"""Random numbers that apps draw while they are imported, and the bits that follow from them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

import fedlocal
from fedlocal.results import weights_hash

APP = """
import random

import numpy as np
from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

DRAWN = float(np.random.rand() + random.random())
CHOSEN = int(np.random.choice(1000))
client, server = ClientApp(), ServerApp()


@client.train()
def train(message, context):
    return Message(RecordDict({"m": MetricRecord({"drawn": DRAWN, "chosen": CHOSEN})}), reply_to=message)


@server.main()
def main(grid, context):
    replies = grid.send_and_receive([Message(RecordDict(), node, "train") for node in grid.get_node_ids()])
    assert [reply.content["m"]["drawn"] for reply in replies] == [DRAWN] * 4
"""


@pytest.fixture(autouse=True)
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "foreign.py").write_text(APP)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("foreign", None)


def fingerprint(**options: Any) -> str:
    sys.modules.pop("foreign", None)  # as in a new process
    return fedlocal.simulate("foreign:server", "foreign:client", 4, display="off", **options).fingerprint


def test_draws_while_an_app_is_imported_depend_on_the_seed_alone() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    prints = {fingerprint(workers=2), fingerprint(workers=1), fingerprint(backend="inline")}
    assert len(prints) == 1
    assert fingerprint(backend="inline", seed=1) not in prints
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]  # noqa: NPY002


def shifting() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        (array,) = message.content.array_records["arrays"].to_numpy_ndarrays()
        answer = RecordDict({"arrays": ArrayRecord([array + np.float32(1)])})
        answer["metrics"] = MetricRecord({"num-examples": 1})
        return Message(answer, reply_to=message)

    return app


def test_the_final_arrays_of_a_strategy_have_their_hash() -> None:
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = FedAvg(fraction_evaluate=0.0)
        strategy.start(grid, ArrayRecord([np.zeros(3, np.float32)]), num_rounds=2)

    result = fedlocal.simulate(server, shifting(), 2, backend="inline", display="off")
    assert result.arrays_hash == weights_hash({"0": np.full(3, 2, np.float32)})


def test_arrays_in_the_state_are_the_final_ones_of_a_loop_of_its_own() -> None:
    server, expected = ServerApp(), np.arange(3.0)

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        context.state["final"] = ArrayRecord({"w": ArrayRecord([expected])["0"]})

    result = fedlocal.simulate(server, shifting(), 2, backend="inline", display="off")
    assert result.arrays_hash == weights_hash({"final/w": expected})


def test_an_app_without_arrays_has_no_hash_of_them() -> None:
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        context.state["text"] = ArrayRecord([np.array(["a"])])

    assert fedlocal.simulate(server, shifting(), 2, backend="inline", display="off").arrays_hash is None
