"""Flower apps of each kind on local actors: what they get, what they leave, and always the same bits."""

import json
import re
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.client import NumPyClient
from flwr.client.mod import secaggplus_mod
from flwr.clientapp import ClientApp
from flwr.clientapp.mod import fixedclipping_mod
from flwr.common import parameters_to_ndarrays
from flwr.server import LegacyContext, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg as OlderFedAvg
from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import DifferentialPrivacyClientSideFixedClipping, FedAvg

import fedlocal
from fedlocal.actors import ActorSystemError
from fedlocal.flower.grid.backends import Actors
from fedlocal.flower.node.app_loading import AppError
from fedlocal.results import History, ResultsError, read_run
from fedlocal.simulation import Result

QUICK = Path(__file__).parent / "quick"
CONFIG: dict[str, Any] = {"num-server-rounds": 2, "fraction": 0.6, "fails": -1, "model.name": "linear"}


@pytest.fixture(autouse=True)
def quick_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the modules of the app in ``quick`` found for the time of a test."""
    monkeypatch.syspath_prepend(str(QUICK))
    yield
    for name in [name for name in sys.modules if name.startswith("quick_app")]:
        del sys.modules[name]


def quick(nodes: int = 5, **options: Any) -> Result:
    config = {**CONFIG, **options.pop("config", {})}
    given = {"display": "off", "run_config": config, **options}
    return fedlocal.simulate("quick_app.server:app", "quick_app.client:app", nodes, **given)


def asking(*kinds: str, nodes: int = 3) -> ServerApp:
    """Return a server app with a loop of its own: it sends every client a message of each kind."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        for number, kind in enumerate(kinds):
            requests = [Message(RecordDict(), node, kind) for node in grid.get_node_ids()]
            replies = list(grid.send_and_receive(requests))
            assert len(replies) == nodes
            records: list[Any] = [reply.content["m"] for reply in replies if reply.has_content()]
            context.state[f"{number}"] = ConfigRecord(
                {key: [record[key] for record in records] for key in records[0]}
            )

    return app


def final_of(result: Result) -> Any:
    """Return the final array of an app that keeps its model."""
    record = result.context.state["final"]
    assert isinstance(record, ArrayRecord)
    return record.to_numpy_ndarrays()[0]


def answers(result: Result, number: int = 0) -> dict[str, Any]:
    record = result.context.state[f"{number}"]
    assert isinstance(record, ConfigRecord)
    return dict(record)


def metrics(message: Message, **values: Any) -> Message:
    return Message(RecordDict({"m": MetricRecord(values)}), reply_to=message)


def test_the_bits_depend_on_the_seed_alone() -> None:
    first, *rest = [quick(workers=count) for count in (1, 2, 3)] + [quick(backend="inline")]
    assert {other.fingerprint for other in rest} == {first.fingerprint}
    final = [final_of(result) for result in (first, *rest)]
    for array in final:
        np.testing.assert_array_equal(array, final[0])
    assert quick(backend="inline", seed=1).fingerprint != first.fingerprint


def test_results_are_those_of_any_run(tmp_path: Path) -> None:
    result = quick(folder=tmp_path / "new" / "folder", config={"fraction": 1.0})
    assert result.folder == tmp_path / "new" / "folder"
    assert {path.name for path in result.folder.iterdir()} >= {
        "metrics.csv",
        "summary.json",
        "environment.json",
        "journal.jsonl",
        "learning_curves.png",
        "timeline.png",
    }
    read = History.load(result.folder).rounds
    assert [round_.number for round_ in read] == [1, 2]
    assert read[0].metrics == {
        "train-loss": 1.0,
        "train-accuracy": 0.5,
        "client-loss": 0.5,
        "client-accuracy": 0.5,
    }
    assert read[1].metrics["client-loss"] == pytest.approx(1 / 4)  # each client's state lives on
    assert sorted(read[0].actors) == [0, 1, 2, 3, 4]
    assert read[0].seconds["busy"] > 0
    assert len(read[0].work) == 10
    summary = read_run(result.folder)
    assert (summary.status, summary.hash, summary.rounds) == ("completed", result.fingerprint, 2)


CENTRAL = {"test_loss": 0.25, "acc": 0.75}


def evaluating_app(*, older: bool) -> ServerApp:
    """Return a server app that evaluates the model itself, before and after each of two rounds."""
    if older:
        strategy = OlderFedAvg(
            evaluate_fn=lambda number, arrays, config: (0.25, {"acc": 0.75, "what": "text"})
        )
        return ServerApp(config=ServerConfig(num_rounds=2), strategy=strategy)
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        initial = ArrayRecord([np.zeros(3, np.float32)])
        FedAvg().start(grid, initial, 2, evaluate_fn=lambda number, arrays: MetricRecord(dict(CENTRAL)))

    return app


@pytest.mark.parametrize("older", [False, True])
def test_the_metrics_of_an_app_are_shown_by_their_own_names(
    older: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = ClientApp(client_fn=older_client) if older else reporting()
    app = evaluating_app(older=older)
    result = fedlocal.simulate(app, client, 2, backend="inline", folder=tmp_path, seed=1)
    rounds = result.history.rounds
    assert [round_.number for round_ in rounds] == [0, 1, 2]
    central = {"loss": 0.25, "acc": 0.75} if older else CENTRAL
    assert rounds[0].metrics == central
    expected = (
        {"train_loss", "client-loss", "client-accuracy"} if older else {"train_loss", "client-eval_acc"}
    )
    assert set(rounds[2].metrics) == expected | set(central)
    assert [round_.metrics for round_ in History.load(tmp_path).rounds] == [
        round_.metrics for round_ in rounds
    ]
    shown = json.loads((tmp_path / "summary.json").read_text())["metrics"]
    assert list(shown)[: len(central)] == sorted(central)
    assert set(shown) == set(rounds[2].metrics)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["round 0", "round 1", "round 2"]
    assert "acc 0.7500" in lines[0]
    assert "train_loss 0.5000" in lines[2]


def reporting() -> ClientApp:
    """Return a client app whose metrics have names of its own."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        record = MetricRecord({"num-examples": 1, "train_loss": 0.5})
        return Message(RecordDict({"arrays": message.content["arrays"], "m": record}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        return metrics(message, **{"num-examples": 1, "eval_acc": 0.5})

    return app


def test_an_app_s_second_strategy_has_rounds_of_its_own() -> None:
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        for base in (0.0, 10.0):

            def evaluate(number: int, arrays: ArrayRecord, base: float = base) -> MetricRecord:
                return MetricRecord({"sum": base + number})

            FedAvg().start(grid, ArrayRecord([np.zeros(3, np.float32)]), 2, evaluate_fn=evaluate)

    history = fedlocal.simulate(app, reporting(), 2, backend="inline", display="off").history
    assert history.series("sum") == ([0, 1, 2, 3, 4, 5], [0, 1, 2, 10, 11, 12])
    assert history.series("train_loss")[0] == [1, 2, 4, 5]


def test_metrics_of_some_clients_are_shown_and_so_are_those_of_clients_without_rows() -> None:
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        partition = int(context.node_config["partition-id"])
        mine: Any = {f"of {partition}": 2.0 * partition, "num-examples": 0, "both": 1.0 + partition}
        return Message(RecordDict({"m": MetricRecord(mine)}), reply_to=message)

    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        list(grid.send_and_receive([Message(RecordDict(), node, "query") for node in grid.get_node_ids()]))

    result = fedlocal.simulate(server, app, 2, backend="inline", display="off")
    (only,) = result.history.rounds
    assert only.metrics == {"query-both": 1.5, "query-of 0": 0.0, "query-of 1": 2.0}


def test_flower_s_own_log_is_shown_if_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    for shown in (False, True):
        fedlocal.simulate(evaluating_app(older=False), reporting(), 2, backend="inline", flower_log=shown)
        assert ("[ROUND 1/2]" in caplog.text) == shown


def test_results_take_the_place_of_an_earlier_run_s(tmp_path: Path) -> None:
    for _ in range(2):
        quick(2, folder=tmp_path, backend="inline", config={"fraction": 1.0})
    assert (tmp_path / "journal.jsonl").read_text().count('"opened"') == 1
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match=r"results cannot be written to .*file"):
        quick(2, folder=tmp_path / "file", backend="inline")


def test_a_client_that_fails_is_named_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    result = quick(config={"fails": 1, "fraction": 1.0})
    assert [(error.partition, error.round, error.message_type) for error in result.errors] == [
        (1, 1, "train"),
        (1, 2, "train"),
    ]
    assert "client 1: RuntimeError: this client fails" in result.errors[0].reason
    assert "quick_app/client.py" in result.errors[0].reason
    assert caplog.text.count("client 1 failed to train") == 2


def test_a_server_that_fails_is_the_callers_error(tmp_path: Path) -> None:
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        list(grid.send_and_receive([Message(RecordDict(), next(iter(grid.get_node_ids())), "query")]))
        raise ZeroDivisionError("no more rounds")

    with pytest.raises(ZeroDivisionError, match="no more rounds"):
        fedlocal.simulate(app, echoing(), 2, folder=tmp_path, display="off")
    summary = read_run(tmp_path)
    assert (summary.status, summary.error) == ("failed", "ZeroDivisionError: no more rounds")
    assert len(History.load(tmp_path).rounds) == 1


@pytest.mark.parametrize("at", ["record", "close"])
def test_an_interrupt_in_the_middle_of_a_round_s_record_is_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    record, interrupts = History.record, iter([at == "record"])

    def interrupted(self: History, round_: Any) -> None:
        record(self, round_)
        if next(interrupts, at == "close"):
            raise KeyboardInterrupt

    monkeypatch.setattr(History, "record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick(2, backend="inline", folder=tmp_path, config={"fraction": 1.0})
    assert read_run(tmp_path).status == "interrupted"
    assert [round_.number for round_ in History.load(tmp_path).rounds] == ([1, 2] if at == "close" else [1])


def echoing() -> ClientApp:
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        return metrics(message, partition=float(context.node_config["partition-id"]))

    return app


def test_an_app_has_queries_actions_and_a_lifespan() -> None:
    app, entered = echoing(), [0]

    @app.train("twice")
    def twice(message: Message, context: Context) -> Message:
        return metrics(message, entered=entered[0])

    @app.lifespan()
    def lifespan(context: Context) -> Iterator[None]:
        entered[0] += 1
        yield
        entered[0] -= 1

    result = fedlocal.simulate(asking("query", "train.twice", "query"), app, 3, display="off")
    assert answers(result)["partition"] == [0.0, 1.0, 2.0]
    assert answers(result, 1)["entered"] == [1, 1, 1]
    assert entered == [0]  # each worker has an app of its own
    assert [(round_.number, sorted(round_.actors)) for round_ in result.history.rounds] == [
        (0, [0, 1, 2]),
        (1, [0, 1, 2]),
    ]


def test_a_loop_of_its_own_may_push_and_pull() -> None:
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        waiting = set(
            grid.push_messages([Message(RecordDict(), node, "query") for node in grid.get_node_ids()])
        )
        replies: list[Message] = []
        while waiting:
            time.sleep(0.01)
            pulled = list(grid.pull_messages(waiting))
            waiting -= {reply.metadata.reply_to_message_id for reply in pulled}
            replies += pulled
        context.state["n"] = ConfigRecord({"n": len(replies)})

    result = fedlocal.simulate(app, echoing(), 4, display="off")
    assert result.context.state["n"] == ConfigRecord({"n": 4})
    assert sorted(result.history.rounds[0].actors) == [0, 1, 2, 3]


class Older(NumPyClient):
    """A client of the older API, which ends when it likes."""

    def __init__(self, partition: int) -> None:
        self.partition = partition

    def get_parameters(self, config: dict[str, Any]) -> list[Any]:
        return [np.zeros((40, 10), np.float32)]

    def fit(self, parameters: list[Any], config: dict[str, Any]) -> tuple[list[Any], int, dict[str, Any]]:
        noise = np.random.rand(40, 10).astype(np.float32)  # noqa: NPY002 - as apps do
        return [parameters[0] + noise * 10.0**self.partition], 10 + self.partition, {"train_loss": 0.5}

    def evaluate(self, parameters: list[Any], config: dict[str, Any]) -> tuple[float, int, dict[str, Any]]:
        return float(parameters[0].mean()), 10, {"accuracy": 0.25}


def older_client(context: Context) -> Any:
    return Older(int(context.node_config["partition-id"])).to_client()


class Remembering(OlderFedAvg):
    """Remembers the order of results, and the last model."""

    def __init__(self) -> None:
        super().__init__(min_available_clients=6)
        self.orders: list[list[int]] = []
        self.model: Any = None

    def aggregate_fit(self, server_round: int, results: Any, failures: Any) -> Any:
        self.orders.append([client.node_id for client, _ in results])
        self.model = super().aggregate_fit(server_round, results, failures)
        return self.model


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_an_app_of_the_older_api_has_the_same_bits_each_time(workers: int) -> None:
    strategies: list[Remembering] = []

    def server_fn(context: Context) -> ServerAppComponents:
        strategies.append(Remembering())
        return ServerAppComponents(config=ServerConfig(num_rounds=2), strategy=strategies[-1])

    app, client = ServerApp(server_fn=server_fn), ClientApp(client_fn=older_client)
    results = [fedlocal.simulate(app, client, 6, workers=workers, display="off") for _ in range(2)]
    assert not [error for result in results for error in result.errors]
    assert results[0].fingerprint == results[1].fingerprint
    assert strategies[0].orders == strategies[1].orders == [sorted(order) for order in strategies[0].orders]
    assert strategies[0].model[0].tensors == strategies[1].model[0].tensors
    last = results[0].history.rounds[-1]
    assert (last.number, last.metrics["train_loss"], last.metrics["client-accuracy"]) == (2, 0.5, 0.25)


def misshapen(kind: str) -> ClientApp:
    """Return a client app of which client 1 answers with something else than it was sent."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        arrays, weight = message.content["arrays"].to_numpy_ndarrays(), 1.0  # type: ignore[union-attr]
        if context.node_config["partition-id"] == 1:
            arrays = {"shape": [arrays[0][:1]], "nan": [arrays[0] * np.nan]}.get(kind, arrays)
            weight = -1.0 if kind == "weight" else weight
        answer = RecordDict({"arrays": ArrayRecord(arrays)})
        answer["metrics"] = MetricRecord({"num-examples": weight})
        return Message(answer, reply_to=message)

    return app


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("shape", r"are not like those that were sent: 0 float64\[1\]"),
        ("nan", "not finite"),
        ("weight", "above 0"),
    ],
)
def test_strict_admission_makes_what_does_not_look_as_sent_its_clients_error(kind: str, reason: str) -> None:
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        content = RecordDict({"arrays": ArrayRecord([np.ones(3)])})
        messages = [Message(content, node, "train") for node in grid.get_node_ids()]
        assert [reply.has_error() for reply in grid.send_and_receive(messages)] == expected
        pushed = grid.push_messages([Message(content, node, "train") for node in grid.get_node_ids()])
        replies = list[Message]()
        while len(replies) < 3:
            replies += grid.pull_messages(pushed)
        assert sum(reply.has_error() for reply in replies) == sum(expected)

    expected = [False, True, False]
    given: Any = {"num_supernodes": 3, "backend": "inline", "display": "off"}
    result = fedlocal.simulate(server, misshapen(kind), admission="strict", **given)
    assert [(error.partition, error.code) for error in result.errors] == [(1, 2)] * 2
    assert re.search(reason, result.errors[0].reason)
    expected = [False, False, False]
    assert not fedlocal.simulate(server, misshapen(kind), **given).errors


def test_secure_aggregation_comes_out_as_the_plain_mean() -> None:
    models: list[Any] = []
    mods: Any
    for mods, workflow in (
        ([], DefaultWorkflow()),
        ([secaggplus_mod], DefaultWorkflow(SecAggPlusWorkflow(3, 2))),
    ):
        app, strategy = ServerApp(), Remembering()

        @app.main()
        def main(grid: Grid, context: Context, strategy: Any = strategy, workflow: Any = workflow) -> None:
            workflow(grid, LegacyContext(context, ServerConfig(num_rounds=1), strategy))

        client = ClientApp(client_fn=steady_client, mods=mods)
        result = fedlocal.simulate(app, client, 6, display="off")
        assert not result.errors
        models.append(parameters_to_ndarrays(strategy.model[0])[0])
    np.testing.assert_allclose(models[0], models[1], atol=1e-2)


class Steady(Older):
    """Sends what its partition alone decides."""

    def fit(self, parameters: list[Any], config: dict[str, Any]) -> tuple[list[Any], int, dict[str, Any]]:
        return [np.full((40, 10), self.partition / 10, np.float32)], 10, {}


def steady_client(context: Context) -> Any:
    return Steady(int(context.node_config["partition-id"])).to_client()


@pytest.mark.slow
def test_differential_privacy_on_the_client_side_gives_the_same_bits_each_time() -> None:
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = DifferentialPrivacyClientSideFixedClipping(FedAvg(fraction_evaluate=0.0), 0.1, 0.5, 3)
        result = strategy.start(grid, ArrayRecord([np.zeros((20, 3), np.float32)]), num_rounds=2)
        context.state["final"] = result.arrays

    client = ClientApp(mods=[fixedclipping_mod])
    client.train()(import_module("quick_app.client").train)
    results = [
        fedlocal.simulate(app, client, 3, workers=count, run_config=CONFIG, display="off") for count in (1, 2)
    ]
    final = [final_of(result) for result in results]
    np.testing.assert_array_equal(*final)  # the server's noise is drawn from NumPy's global generator
    assert 0 < abs(final[0]).max() < 2


def global_state() -> Any:
    return np.array(np.random.get_state(legacy=True)[1])  # type: ignore[index]  # noqa: NPY002


def test_the_global_generators_of_the_caller_are_left_alone() -> None:
    before = global_state()
    quick(2, backend="inline")
    np.testing.assert_array_equal(global_state(), before)


@pytest.mark.parametrize(
    ("server", "client", "nodes", "options", "error", "reason"),
    [
        ("quick_app.server:app", "quick_app.client:app", 0, {}, ValueError, "num_supernodes is 0"),
        ("quick_app.server:app", "quick_app.client:app", 1, {"workers": 0}, ValueError, "workers is 0"),
        (
            "quick_app.server:app",
            "quick_app.client:app",
            1,
            {"backend": "rays"},
            ValueError,
            "backend is 'rays'",
        ),
        ("quick_app.server", "quick_app.client:app", 1, {}, AppError, "no reference to a ServerApp"),
        ("no_such:app", "quick_app.client:app", 1, {}, AppError, "no module 'no_such'"),
        ("quick_app.server:up", "quick_app.client:app", 1, {}, AppError, "quick_app.server has no 'up'"),
        ("quick_app.client:app", "quick_app.client:app", 1, {}, AppError, "not a ServerApp but ClientApp"),
        ("quick_app.server:app", 5, 1, {}, AppError, "pass the app itself"),
        ("quick_app.server:app", "quick_app.client:app", 1, {"seed": -1}, ValueError, "seed is -1"),
        ("quick_app.server:app", ".client:app", 1, {}, AppError, "no reference to a ClientApp"),
        ("quick_app.server:app", "no_such:app", 1, {}, AppError, "no module 'no_such'"),
        (
            "quick_app.server:app",
            "quick_app.nothing:app",
            1,
            {},
            ActorSystemError,
            "no module 'quick_app.nothing'",
        ),
        (
            "quick_app.server:app",
            "quick_app.server:app",
            1,
            {},
            ActorSystemError,
            "not a ClientApp but ServerApp",
        ),
        (
            "quick_app.server:app",
            "quick_app.client:up",
            1,
            {},
            ActorSystemError,
            "quick_app.client has no 'up'",
        ),
    ],
)
def test_an_app_that_cannot_be_run_is_refused_at_once(
    server: Any, client: Any, nodes: int, options: dict[str, Any], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason) as raised:
        fedlocal.simulate(server, client, nodes, display="off", run_config=CONFIG, **options)
    assert "\n" not in str(raised.value)


def test_an_import_that_fails_in_workers_is_told_with_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "foreign.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ActorSystemError, match=r"(?s)foreign\.py.*No module named 'no_such_library'"):
        fedlocal.simulate("quick_app.server:app", "foreign:app", 1, display="off", run_config=CONFIG)


def test_an_app_that_cannot_travel_is_an_error_that_says_what_to_do() -> None:
    app, held = ClientApp(), (number for number in range(3))

    @app.query()
    def query(message: Message, context: Context) -> Message:
        return metrics(message, n=next(held))

    with pytest.raises(AppError, match=r"generator.*backend='inline'"):
        fedlocal.simulate(asking("query"), app, 3, display="off")
    result = fedlocal.simulate(asking("query"), app, 3, backend="inline", display="off")
    assert answers(result)["n"] == [0, 1, 2]


@pytest.mark.slow
def test_limits_of_workers_are_a_backends() -> None:
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        while context.node_config["partition-id"] == 1:
            time.sleep(0.1)
        return metrics(message, n=1.0)

    result = fedlocal.simulate(asking("query"), app, 3, backend=Actors(deadline=5.0), display="off")
    assert [error.partition for error in result.errors] == [1]
    assert "did not answer within 5 s" in result.errors[0].reason
