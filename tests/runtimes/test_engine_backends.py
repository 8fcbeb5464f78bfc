"""fedlocal's own apps on engines that are not fedlocal's: the same bits, wherever the clients are."""

import shlex

import pytest
from flwr.app import Message, MessageType, RecordDict

from fedlocal import compose, run
from fedlocal.config.schema import ConfigError
from fedlocal.flower.client.default_client import PARTITION_QUERY
from fedlocal.flower.server.round_loop import QuorumError
from fedlocal.runtimes.engine_backends import GridBackend, Ray
from fedlocal.runtimes.federation import composed
from fedlocal.runtimes.remote_grid import EngineError, RemoteGrid
from tests.runtimes.engine import Engine

LINE = "actors=3 rounds=2 baseline=false display=off partition=dirichlet model.hidden=[8] 'seed=5'"


@pytest.mark.parametrize(
    "more",
    [
        "",
        pytest.param("strategy=fedadam", marks=pytest.mark.slow),
        pytest.param("strategy.fraction_evaluate=1 skew=noise", marks=pytest.mark.slow),
        pytest.param("model.momentum=0.9 optimizer_state=keep", marks=pytest.mark.slow),
        pytest.param("attack=colluding attack.actors=[0,2]", marks=pytest.mark.slow),
    ],
)
def test_an_engine_gives_the_bits_of_local_actors(more: str) -> None:
    line = f"{LINE} {more}"
    there = run(composed(line), backend=GridBackend(Engine(line, 3)))
    here = run(compose(*shlex.split(line), "backend=inline"))
    assert there.hashes == here.hashes
    assert there.histories["federated"].rounds[-1].metrics == here.histories["federated"].rounds[-1].metrics
    assert there.histories["federated"].rounds[-1].seconds.keys() - {"elapsed", "contended"} == {
        "dispatch",
        "training",
        "aggregation",
        "evaluation",
    }


def test_what_clients_draw_on_an_engine_is_seeded_by_the_run() -> None:
    line = f"{LINE} client=app client.reference=tests.runtimes.drawing_app:app"
    first, again = (
        run(composed(line), backend=GridBackend(Engine(line, 3, seed=seed))).hashes for seed in (1, 2)
    )
    assert first == again
    other = run(composed(f"{line} seed=6"), backend=GridBackend(Engine(f"{line} seed=6", 3, seed=1))).hashes
    assert other != first


def test_a_node_that_falls_silent_is_an_error_and_not_a_wait() -> None:
    engine = Engine(LINE, 3)
    engine.silent = {1}
    with pytest.raises(QuorumError, match=r"1 of 3 clients failed.*did not reply in time"):
        run(composed(LINE), backend=GridBackend(engine))


def test_an_engines_error_about_a_node_that_is_gone_is_that_nodes_error() -> None:
    engine = Engine(LINE, 3)
    engine.gone = {1}
    with pytest.raises(QuorumError, match=r"1 of 3 clients failed.*no reply to message 'to 1'"):
        run(composed(LINE), backend=GridBackend(engine))


def test_an_engine_must_have_a_node_for_each_partition() -> None:
    with pytest.raises(EngineError, match=r"3 nodes are needed .actors., 2 are there after 0 s"):
        RemoteGrid(Engine(LINE, 2), 3, patience=0)
    with pytest.raises(EngineError, match=r"owns partition . of 4, but the run has 3 actors"):
        RemoteGrid(Engine(LINE, 3, partitions=4), 3)


def test_a_node_that_never_says_who_it_is_is_an_error_and_not_a_wait() -> None:
    engine = Engine(LINE, 3)
    engine.silent, engine.spoke = {1}, 0
    with pytest.raises(EngineError, match=r"node \d+ does not say who it is within 7 s"):
        RemoteGrid(engine, 3, patience=7)


def test_each_of_two_messages_to_a_node_has_its_reply() -> None:
    grid = RemoteGrid(Engine(LINE, 3), 3)
    first, second, _ = grid.get_node_ids()
    asked = [
        Message(RecordDict(), node, f"{MessageType.QUERY}.{PARTITION_QUERY}")
        for node in (second, first, second)
    ]
    replies = grid.send_and_receive(asked)
    assert [reply.metadata.src_node_id for reply in replies] == [first, second, second]
    assert len({id(reply) for reply in replies}) == 3
    assert not any(reply.has_error() for reply in replies)


def test_options_that_an_engine_cannot_honour_are_refused() -> None:
    backend = GridBackend(Engine(LINE, 3))
    with pytest.raises(ConfigError, match="actors=auto tries local actors out"):
        run(compose("actors=auto"), backend=backend)
    with pytest.raises(ConfigError, match="num_cpus=0"):
        Ray(num_cpus=0)


@pytest.mark.parametrize("line", ["actors=x", "nonsense=1", "actors=0", "'"])
def test_a_wrong_line_of_options_is_named(line: str) -> None:
    with pytest.raises(ConfigError):
        composed(line)


@pytest.mark.extras
def test_flowers_simulation_gives_the_bits_of_local_actors() -> None:
    pytest.importorskip("ray", reason="extras: needs Ray (pip install -e '.[ray]')")
    options = ("rounds=2", "baseline=false", "display=off", "model.hidden=[8]")
    assert run(compose(*options, "backend=ray")).hashes == run(compose(*options, "backend=inline")).hashes
