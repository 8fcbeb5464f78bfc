"""Messages that are pushed: their errors are reported and their memory is freed, whatever is pulled."""

import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

import fedlocal
from fedlocal.cli.simulate import main as command
from fedlocal.results import History, read_run

pytestmark = pytest.mark.usefixtures("no_leaks")
BACKENDS = ["actors", "inline"]
given: dict[str, Any] = {"display": "off"}


def failing_in_round_1() -> ClientApp:
    """Return an app whose client 1 fails in round 1, when the file that it is told of is there."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        config = message.content.config_records["config"]
        number, gate = int(str(config["server-round"])), Path(str(config["gate"]))
        partition = int(context.node_config["partition-id"])
        if (partition, number) == (1, 1):
            while not gate.exists() and gate.name:
                time.sleep(0.01)
            raise ValueError("client 1 fails in round 1")
        metrics = MetricRecord({"num-examples": 1, "loss": float(partition + number)})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


def instruct(node: int, number: int, gate: str = "") -> Message:
    return Message(
        RecordDict({"config": ConfigRecord({"server-round": number, "gate": gate})}), node, "train"
    )


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("pulls", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_error_is_in_history_and_summary_whenever_it_comes_and_whoever_pulls(
    tmp_path: Path, backend: Any, late: bool, pulls: bool
) -> None:
    server, gate = ServerApp(), tmp_path / "gate"

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        nodes = list(grid.get_node_ids())
        file = str(gate) if late and backend == "actors" else ""
        waiting = set(grid.push_messages([instruct(node, 1, file) for node in nodes]))
        for number in (2, 3, 4):
            list(grid.send_and_receive([instruct(nodes[0], number)]))
        gate.touch()
        while pulls and waiting:
            waiting -= {reply.metadata.reply_to_message_id for reply in grid.pull_messages(waiting)}
            time.sleep(0.002)

    folder = tmp_path / "results"
    result = fedlocal.simulate(server, failing_in_round_1(), 2, backend=backend, folder=folder, **given)
    assert [(error.partition, error.round) for error in result.errors] == [(1, 1)]
    rounds = History.load(folder).rounds
    assert [round_.number for round_ in rounds] == [1, 2, 3, 4]
    assert [[error.actor for error in round_.errors] for round_ in rounds] == [[1], [], [], []]
    assert [sorted(round_.actors) for round_ in rounds] == [[0], [0], [0], [0]]
    assert read_run(folder).status == "completed"


def test_errors_that_nobody_pulls_make_the_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "foreign.py").write_text(
        """
from flwr.app import Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
client, server = ClientApp(), ServerApp()
@client.train()
def train(message, context):
    raise ValueError("this fails")
@server.main()
def main(grid, context):
    grid.push_messages([Message(RecordDict(), node, "train") for node in grid.get_node_ids()])
"""
    )
    (tmp_path / "pyproject.toml").write_text(
        "[tool.flwr.app.components]\nserverapp = 'foreign:server'\nclientapp = 'foreign:client'\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    assert command([str(tmp_path), "num_supernodes=2", "backend=inline", "display=off"]) == 1
    assert "2 messages ended in an error" in capsys.readouterr().out


def test_errors_of_pushed_messages_are_told_of_a_server_app_that_fails(tmp_path: Path) -> None:
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        grid.push_messages([instruct(node, 1) for node in grid.get_node_ids()])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fedlocal.simulate(server, failing_in_round_1(), 2, backend="inline", folder=tmp_path, **given)
    (only,) = History.load(tmp_path).rounds
    assert [error.actor for error in only.errors] == [1]


@pytest.mark.parametrize("code", [None, 0, 3])
def test_a_server_app_that_exits_well_is_done_and_its_clients_errors_count(code: int | None) -> None:
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        grid.push_messages([instruct(node, 1) for node in grid.get_node_ids()])
        sys.exit(code)

    if code:
        with pytest.raises(SystemExit, match="3"):
            fedlocal.simulate(server, failing_in_round_1(), 2, backend="inline", **given)
    else:
        result = fedlocal.simulate(server, failing_in_round_1(), 2, backend="inline", **given)
        assert [error.partition for error in result.errors] == [1]


def applying() -> ClientApp:
    app = ClientApp()

    @app.train()
    def apply(message: Message, context: Context) -> Message:
        return Message(RecordDict(), reply_to=message)

    return app


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux does")
@pytest.mark.parametrize("backend", BACKENDS)
def test_push_without_pull_holds_no_descriptors(backend: Any) -> None:
    server, counts = ServerApp(), list[int]()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        for number in range(20):
            content = RecordDict({"a": ArrayRecord({"w": Array(np.full(1 << 15, number, np.float32))})})
            nodes = grid.get_node_ids()
            grid.push_messages([Message(content, node, "train") for node in nodes])
            list(grid.send_and_receive([Message(RecordDict(), node, "train") for node in nodes]))
            counts.append(sum(1 for _ in Path("/proc/self/fd").iterdir()))

    fedlocal.simulate(server, applying(), 3, workers=2, backend=backend, **given)
    assert max(counts[10:]) - counts[2] < 8  # of 20 rounds, not one each


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_time_of_rounds_of_pushed_messages_counts_once(backend: Any) -> None:
    server, client = ServerApp(), ClientApp()

    @client.train()
    def train(message: Message, context: Context) -> Message:
        time.sleep(0.02)
        return Message(RecordDict(), reply_to=message)

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        for number in (1, 2, 3):  # each round begins before the last one is over
            waiting = set(grid.push_messages([instruct(node, number) for node in grid.get_node_ids()]))
            grid.push_messages([instruct(node, number + 1) for node in grid.get_node_ids()])
            while waiting:
                waiting -= {reply.metadata.reply_to_message_id for reply in grid.pull_messages(waiting)}
                time.sleep(0.002)

    result = fedlocal.simulate(server, client, 2, workers=2, backend=backend, **given)
    assert 0.02 < result.history.seconds <= result.seconds
    for round_ in result.history.rounds:
        assert min(round_.seconds.values()) >= 0
        assert min(work.started for work in round_.work) >= 0


def test_the_fingerprint_does_not_depend_on_the_messages_pulled() -> None:
    prints = set()
    for pulls in (True, False):
        server = ServerApp()

        @server.main()
        def main(grid: Grid, context: Context, pulls: bool = pulls) -> None:
            for number in (1, 2):
                pushed = grid.push_messages([instruct(node, number) for node in grid.get_node_ids()])
                assert not pulls or len(list(grid.pull_messages(pushed))) == 2

        result = fedlocal.simulate(server, failing_in_round_1(), 2, backend="inline", **given)
        prints.add(result.fingerprint)
    assert len(prints) == 1


def test_a_second_run_of_a_strategy_in_one_app_has_rounds_of_its_own() -> None:
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        for number in (1, 2, 1, 2):
            list(grid.send_and_receive([instruct(node, number) for node in grid.get_node_ids()]))

    result = fedlocal.simulate(server, failing_in_round_1(), 1, backend="inline", **given)
    assert [(round_.number, sorted(round_.actors)) for round_ in result.history.rounds] == [
        (1, [0]),
        (2, [0]),
        (3, [0]),
        (4, [0]),
    ]


def test_a_reply_that_comes_after_the_server_app_is_done_counts() -> None:
    server, done = ServerApp(), threading.Event()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        grid.push_messages([Message(RecordDict(), node, "query") for node in grid.get_node_ids()])
        done.set()

    app = ClientApp()

    @app.query()
    def slow(message: Message, context: Context) -> Message:
        time.sleep(0.2)  # so that it is not there when the server app is done
        return Message(RecordDict({"m": MetricRecord({"n": 1.0})}), reply_to=message)

    result = fedlocal.simulate(server, app, 2, **given)
    assert done.is_set()
    assert sorted(result.history.rounds[0].actors) == [0, 1]


def test_a_signal_that_comes_while_a_client_works_inline_ends_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        monkeypatch.setattr("fedlocal.signals._Received.signal", 15)
        raise SystemExit(143)

    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        list(grid.send_and_receive([Message(RecordDict(), node, "query") for node in grid.get_node_ids()]))

    with pytest.raises(SystemExit, match="143"):
        fedlocal.simulate(server, app, 1, backend="inline", display="off")
