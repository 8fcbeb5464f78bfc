"""The batch queue: the bits of the sequential scheme, whoever computes what, and whatever dies meanwhile."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal import Run, compose, resume, run
from fedlocal.actors import audit
from fedlocal.config.schema import ConfigError
from fedlocal.models import GradientTree, ModelError, Node
from fedlocal.schemes.batch_parallel.waves import Queue
from fedlocal.schemes.coordinator import ActorFailedError
from tests.schemes import mortals

pytestmark = pytest.mark.usefixtures("no_leaks")

SMALL = [
    "dataset=synthetic",
    "dataset.train=403",
    "dataset.test=100",
    "dataset.shape=[6,6]",
    "model.hidden=[17,8]",
    "rounds=3",
    "batch_size=16",
    "baseline=false",
    "display=off",
    "figures=false",
]
QUEUE = "scheme=batch_parallel"
INLINE = "backend=inline"


def trained(*overrides: str, folder: Path | None = None) -> Run:
    given = [override for override in SMALL if not ("model=" in " ".join(overrides) and "hidden" in override)]
    return run(compose(*given, *overrides), folder)


def final_hash(*overrides: str) -> str:
    (hash_,) = trained(*overrides).hashes.values()
    return hash_


@pytest.mark.parametrize(
    "setting",
    [
        ["accumulate=5"],
        pytest.param(["accumulate=2", "model.momentum=0.9", "optimizer_state=keep"], marks=pytest.mark.slow),
        pytest.param(["accumulate=4", "model.weight_decay=0.01", "local_epochs=2"], marks=pytest.mark.slow),
        pytest.param(["accumulate=3", "model=paper", "model.hidden=[9]"], marks=pytest.mark.slow),
        ["accumulate=1", "model.momentum=0.9"],
        pytest.param(
            ["accumulate=1", "model=sgd_classifier", "optimizer_state=keep"], marks=pytest.mark.slow
        ),
    ],
    ids=" ".join,
)
def test_any_number_of_actors_and_workers_equals_sequential(setting: list[str]) -> None:
    expected = trained("scheme=sequential", *setting)
    variants = [
        ["actors=1", INLINE],
        ["actors=5", INLINE],
        ["actors=7", "workers=3"],
        ["actors=2", "workers=2"],
    ]
    for other in variants:
        outcome = trained(QUEUE, *setting, *other)
        assert outcome.hashes["batch_parallel"] == expected.hashes["sequential"], other
        losses = [outcome.histories["batch_parallel"].series("train-loss")]
        assert losses == [expected.histories["sequential"].series("train-loss")]


def test_a_wave_has_one_batch_of_each_actor_by_default() -> None:
    assert final_hash(QUEUE, "actors=3", INLINE) == final_hash("scheme=sequential", "accumulate=3")
    assert compose(QUEUE, "actors=3").accumulate == 3
    assert compose(QUEUE, "actors=3", "accumulate=8").accumulate == 8
    assert compose("actors=3").accumulate == 1


def test_the_baseline_updates_from_as_many_samples() -> None:
    outcome = trained(QUEUE, "actors=3", INLINE, "baseline=true")
    assert outcome.hashes["batch_parallel"] == outcome.hashes["sequential, 1 thread"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_worker_killed_while_it_writes_is_not_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    mortal = [f"model._target_={mortals.__name__}.Mortal", f"+model.marks={tmp_path}"]
    outcome = trained(QUEUE, "actors=4", "workers=2", *mortal, folder=folder)
    events = audit(folder / "journal.jsonl")
    assert events.sound
    assert events.retried >= len(list(tmp_path.glob("death-*"))) >= 1
    assert outcome.hashes["batch_parallel"] == final_hash("scheme=sequential", "accumulate=4")


def test_a_wave_is_one_message_per_worker(tmp_path: Path) -> None:
    trained(QUEUE, "actors=6", "workers=2", "rounds=1", folder=tmp_path)
    assert audit(tmp_path / "journal.jsonl").posted == 2 * -(-403 // (6 * 16))


def test_an_actors_error_ends_the_run_with_its_reason() -> None:
    with pytest.raises(ActorFailedError, match=r"actor 0 failed \(exception\): ArithmeticError: no gradient"):
        trained(QUEUE, "actors=2", INLINE, f"model._target_={mortals.__name__}.Broken")


def test_models_without_gradients_need_accumulate_1() -> None:
    with pytest.raises(ModelError, match="accumulate=1"):
        trained(QUEUE, "actors=2", INLINE, "model=sgd_classifier")


def test_the_transport_of_earlier_versions_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"no option scheme\.transport; .* scheme\._target_="):
        trained(QUEUE, "actors=2", "scheme.transport=messages")


def test_a_run_of_earlier_versions_with_copied_messages_is_refused_with_the_remedy(tmp_path: Path) -> None:
    trained(QUEUE, "actors=2", INLINE, "rounds=1", folder=tmp_path)
    config = (tmp_path / "config.yaml").read_text().partition("# sha256")[0]
    target = "_target_: fedlocal.schemes.BatchParallel"
    (tmp_path / "summary.json").unlink()
    (tmp_path / "config.yaml").write_text(config.replace(target, f"{target}\n  transport: messages"))
    with pytest.raises(ConfigError, match=r"scheme\.transport: .* scheme\._target_=experiments"):
        resume(tmp_path)


def test_the_measured_times_and_rows_add_up() -> None:
    history = trained(QUEUE, "actors=5", "workers=2", "local_epochs=2").histories["batch_parallel"]
    for round_ in history.rounds[1:]:
        assert {"dispatch", "training", "collection", "aggregation", "busy", "idle"} <= round_.seconds.keys()
        assert round_.seconds["busy"] + round_.seconds["idle"] == pytest.approx(2 * round_.timed, rel=1e-6)
        assert sum(measured["num-examples"] for measured in round_.actors.values()) == 2 * 403
        weighted = sum(
            measured["num-examples"] * measured["train-loss"] for measured in round_.actors.values()
        )
        assert weighted / 806 == pytest.approx(round_.metrics["train-loss"])


@pytest.mark.parametrize("accumulate", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_a_run_goes_on_from_a_checkpoint_with_the_same_bits(tmp_path: Path, accumulate: int) -> None:
    momentum = ["model.momentum=0.9", "optimizer_state=keep"]
    setting = [QUEUE, "actors=4", INLINE, f"accumulate={accumulate}", *momentum]
    trained(*setting, folder=tmp_path)
    (tmp_path / "summary.json").unlink()
    config = (tmp_path / "config.yaml").read_text().partition("# sha256")[0]
    config = config.replace("rounds: 3", "rounds: 6")
    target = "_target_: fedlocal.schemes.BatchParallel"
    older = f"{target}\n  transport: memory"  # as earlier versions wrote
    (tmp_path / "config.yaml").write_text(config.replace(target, older))
    resumed = resume(tmp_path)
    assert resumed.hashes == trained(*setting, "rounds=6").hashes
    assert [round_.number for round_ in resumed.histories["batch_parallel"].rounds] == list(range(7))


@given(
    rows=st.integers(1, 300),
    batch_size=st.integers(1, 40),
    accumulate=st.integers(2, 40),
    actors=st.integers(1, 40),
    workers=st.integers(1, 8),
)
def test_every_batch_of_a_wave_belongs_to_one_actor_and_its_sums_fit(
    rows: int, batch_size: int, accumulate: int, actors: int, workers: int
) -> None:
    queue = Queue(rows, batch_size, accumulate, actors, workers)
    seen = []
    for start, stop in queue.waves():
        batches = queue.batches(start, stop)
        firsts = [first for _, first, _, _ in batches]
        assert len({actor for actor, *_ in batches}) == len(batches) <= actors
        seen += [row for _, _, begin, end in batches for row in range(begin, end)]
        for mine in queue.shared_out(batches):
            vectors = [np.empty(1, np.float32) for _ in range(queue.buffers)]
            tree, begin = GradientTree(1, vectors), mine[0][1]
            count = sum(-(-(end - first_row) // batch_size) for *_, first_row, end in mine)
            for leaf in range(begin, begin + count):
                tree.add(Node(leaf, 1, tree.spare()))
            assert all(any(node.vector is vector for vector in vectors) for node in tree.nodes)
        assert firsts == sorted(firsts)
    assert seen == list(range(rows))
