"""What TensorBoard's own reader finds is what the histories hold."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fedlocal
from fedlocal import History, compose, run
from fedlocal.experiment.tracking import parameters
from fedlocal.results.runs import arm_folder
from fedlocal.trackers.dispatch import numbers
from tests.trackers.runs import SMALL, killed

pytest.importorskip("tensorboardX", reason="pip install 'fedlocal[tensorboard]'")
pytest.importorskip("tensorboard", reason="pip install 'fedlocal[tensorboard]'")
pytestmark = pytest.mark.extras


def read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


def scalars(stored: Any) -> set[tuple[str, int, float]]:
    """Return all that is there but the results, and check that nothing is there twice."""
    tags = [tag for tag in stored.Tags()["scalars"] if not tag.startswith("final/")]
    events = [(tag, event.step, event.value) for tag in tags for event in stored.Scalars(tag)]
    assert len(events) == len(set(events)) == len({event[:2] for event in events})
    return set(events)


def measured(history: History) -> set[tuple[str, int, float]]:
    """Return what a history holds; TensorBoard's numbers have 32 bits."""
    return {
        (tag, round_.number, float(np.float32(value)))
        for round_ in history.rounds
        for tag, value in numbers(round_).items()
    }


def plugin(events: Any, tag: str) -> Any:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    content = events.SummaryMetadata(f"_hparams_/{tag}").plugin_data.content
    return getattr(HParamsPluginData.FromString(content), tag)


def test_tensorboard_reads_the_measurements(tmp_path: Path) -> None:
    config = compose(*SMALL, "tracker=tensorboard")
    outcome = run(config, tmp_path)
    places = {name: arm_folder(tmp_path / "tensorboard", name) for name in outcome.histories}
    assert len(places) > 1
    for name, folder in places.items():
        assert scalars(read(folder)) == measured(outcome.histories[name])
    main = read(places["federated"])
    assert main.Scalars("final/accuracy")[0].value == np.float32(outcome.arms[0].accuracy)
    for figure in tmp_path.glob("*.png"):
        (image,) = main.Images(f"figures/{figure.stem}")
        assert image.encoded_image_string == figure.read_bytes()
        assert image.step == 6
    assert (image.width, image.height) > (100, 100)
    (text,) = main.Tensors("results/text_summary")
    assert outcome.hashes["federated"] in text.tensor_proto.string_val[0].decode()


def test_the_table_of_hyperparameters_has_the_configuration(tmp_path: Path) -> None:
    config = compose(*SMALL, "baseline=false", "tracker=tensorboard")
    run(config, tmp_path)
    events = read(tmp_path / "tensorboard" / "federated")
    stored = {name: getattr(value, value.WhichOneof("kind")) for name, value in _hparams(events).items()}
    assert stored == parameters(config)
    assert plugin(events, "session_end_info").status == 1  # success


def _hparams(events: Any) -> dict[str, Any]:
    return dict(plugin(events, "session_start_info").hparams)


def test_a_run_that_was_killed_goes_on_without_a_round_missing_or_twice(tmp_path: Path) -> None:
    folder = killed(tmp_path, "tracker=tensorboard")
    folder_ = folder / "tensorboard" / "federated"
    assert {event.step for event in read(folder_).Scalars("loss")} == {0, 1, 2, 3}
    outcome = fedlocal.resume(folder)
    assert scalars(read(folder_)) == measured(outcome.histories["federated"])
    assert scalars(read(folder / "tensorboard" / "sequential-1-thread")) == measured(
        outcome.histories["sequential, 1 thread"]
    )


def test_a_run_anew_in_the_same_folder_leaves_nothing_of_the_old_run(tmp_path: Path) -> None:
    run(compose(*SMALL, "tracker=tensorboard"), tmp_path)
    anew = [*SMALL, "rounds=2", "baseline=false", "overwrite=true"]
    outcome = run(compose(*anew, "tracker=tensorboard"), tmp_path)
    (only,) = {path.parent for path in tmp_path.rglob("events.out.tfevents.*")}
    assert scalars(read(only)) == measured(outcome.histories["federated"])
    run(compose(*anew), tmp_path)
    assert not list(tmp_path.rglob("events.out.tfevents.*"))


def test_runs_of_a_sweep_have_readable_names(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "multirun.yaml").touch()
    config = compose(*SMALL, "baseline=false", "tracker=tensorboard")
    run(config, tmp_path / "0", ["partition=iid", "model.hidden=[8]", "dataset.path=/a/b", "display=off"])
    (only,) = {path.parent for path in tmp_path.rglob("events.out.tfevents.*")}
    name = "partition=iid,model.hidden=_8_,dataset.path=_a_b"
    assert only.relative_to(tmp_path) == Path("0", "tensorboard", name, "federated")


def test_a_place_that_cannot_be_written_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    outcome = run(compose(*SMALL, "tracker=tensorboard"), tmp_path)
    assert outcome.hashes == run(compose(*SMALL)).hashes
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "tracker=tensorboard: " in warning.getMessage()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_a_full_disk_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboardX import record_writer

    full = partial(Path("/dev/full").open, "wb")
    monkeypatch.setattr(record_writer, "open_file", lambda path: full())
    outcome = run(compose(*SMALL, "baseline=false", "tracker=tensorboard"), tmp_path)
    assert outcome.arms[0].accuracy is not None
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "No space left on device; the run goes on without it" in warning.getMessage()
