"""tensorboardX's private names that fedlocal needs, each with what depends on it."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.compat.private_names import PrivateName

pytest.importorskip("tensorboardX", reason="pip install 'fedlocal[tensorboard]'")
pytestmark = pytest.mark.extras


def _writes(path: Path) -> bool:
    from fedlocal.compat import tensorboardx as board

    writer = board.RecordWriter(str(path))
    summary = board.Summary(value=[board.Summary.Value(tag="loss", simple_value=1.0)])
    writer.write(board.Event(wall_time=1.0, step=1, summary=summary).SerializeToString())
    writer.flush()
    writer.close()
    return path.stat().st_size > 0


def _starts_and_ends() -> bool:
    from fedlocal.compat import tensorboardx as board

    start = board.HParamsPluginData(session_start_info=board.SessionStartInfo(start_time_secs=1.0))
    start.session_start_info.hparams["rounds"].number_value = 3
    end = board.SessionEndInfo(status=board.Status.Value("STATUS_FAILURE"), end_time_secs=2.0)
    log = board.SessionLog(status=board.SessionLog.START)
    plugin: Any = board.SummaryMetadata.PluginData(plugin_name="hparams", content=start.SerializeToString())
    return bool(plugin.content and end.status and log.status)


def _has_text() -> bool:
    from fedlocal.compat import tensorboardx as board

    (value,) = board.text("run", "words").value
    return bool(value.metadata.plugin_data.plugin_name == "text")


def _names(folder: Path) -> list[PrivateName]:
    return [
        PrivateName(
            "tensorboardX.record_writer.RecordWriter, tensorboardX.proto",
            lambda: _writes(folder / "events"),
            "writing event files (fedlocal.trackers.TensorBoard)",
        ),
        PrivateName(
            "tensorboardX.proto.plugin_hparams_pb2, api_pb2, event_pb2.SessionLog",
            _starts_and_ends,
            "TensorBoard's table of hyperparameters (fedlocal.trackers.TensorBoard)",
        ),
        PrivateName(
            "tensorboardX.summary.text", _has_text, "a run's tags and results (fedlocal.trackers.TensorBoard)"
        ),
    ]


@pytest.mark.parametrize("number", range(3), ids=[private.name for private in _names(Path())])
def test_a_private_name_of_tensorboardx_is_as_before(tmp_path: Path, number: int) -> None:
    _names(tmp_path)[number].check(f"tensorboardX {version('tensorboardX')}")
