"""TensorBoard: event files in the run's folder, one folder for each arm, so that their curves share a chart.

They are written by tensorboardX, which needs neither PyTorch nor TensorFlow, record by record: its usual
writer has a thread of its own, which a full disk ends, and for which the run would then wait for ever.
"""

import re
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fedlocal.trackers.base import MetricPoint, RunEnded, RunStarted, Scalar, TrackerError

EVENTS = "events.out.tfevents.*"
LONGEST = 100  # characters of a folder's name


class TensorBoard:
    """Writes ``tensorboard/`` in the run's folder; needs ``pip install 'fedlocal[tensorboard]'``.

    A run of a sweep has another folder in it with the run's name. When a run goes on, all its rounds are
    written anew.
    """

    def __init__(self) -> None:
        self._root = self._main = Path()
        self._again = False
        self._files: dict[Path, Any] = {}

    def open(self, folder: Path | None) -> None:
        """Check that there are a folder and the library.

        Raises
        ------
        TrackerError
            If one of them is missing.
        """
        if folder is None:
            raise TrackerError(
                "tracker=tensorboard writes into the run's folder, and there is none: give run() one, as in "
                "run(config, Path('folder'))"
            )
        if find_spec("tensorboardX") is None:
            raise TrackerError("tracker=tensorboard needs tensorboardX: pip install 'fedlocal[tensorboard]'")
        self._root = folder / "tensorboard"

    def begin(self, run: RunStarted) -> None:
        """Write the parameters and tags; earlier event files are removed."""
        self._again = _remove_events(self._root)
        if run.sweep:
            self._root /= _folder_name(run.name)
        self._main = self._root / run.main
        self._write(self._main, _session_start(run.parameters))
        self._write(self._main, _text("run", {"name": run.name, **run.tags}))
        self._flush()

    def log(self, points: Sequence[MetricPoint]) -> None:
        """Write the numbers of some rounds."""
        for point in points:
            self._write(self._root / point.arm, _scalars(point.values), point.round, point.time)
        self._flush()

    def end(self, run: RunEnded) -> None:
        """Write the results and figures, and close the files."""
        try:
            self._write(self._main, _scalars(run.metrics), run.round)
            self._write(self._main, _text("results", {"status": run.status, **run.tags}), run.round)
            for figure in run.figures:
                self._write(self._main, _image(f"figures/{figure.stem}", figure.read_bytes()), run.round)
            self._write(self._main, _session_end(failed=run.status != "completed"))
            self._flush()
        finally:
            for file in self._files.values():
                with suppress(OSError):  # of what could not be written above
                    file.close()
            self._files.clear()

    def _write(self, folder: Path, summary: Any, step: int = 0, at: float | None = None) -> None:
        file = self._files.get(folder) or self._open(folder)
        file.write(_event(at, step=step, summary=summary))

    def _open(self, folder: Path) -> Any:
        from fedlocal.compat.tensorboardx import RecordWriter, SessionLog

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / EVENTS.replace("*", f"{time.time():.0f}.fedlocal")
        self._files[folder] = file = RecordWriter(str(path))
        file.write(_event(file_version="brain.Event:2"))
        if self._again:  # a TensorBoard that is looking at the run forgets what it has seen
            file.write(_event(step=0, session_log=SessionLog(status=SessionLog.START)))
        return file

    def _flush(self) -> None:
        for file in self._files.values():
            file.flush()


def _event(at: float | None = None, **content: Any) -> bytes:
    from fedlocal.compat.tensorboardx import Event

    return bytes(Event(wall_time=at or time.time(), **content).SerializeToString())


def _remove_events(root: Path) -> bool:
    """Remove the event files of an earlier run, and tell whether there were any."""
    paths = list(root.rglob(EVENTS))
    for path in paths:
        path.unlink()
    return bool(paths)


def _folder_name(name: str) -> str:
    """Return a run's name as the name of a folder on any system."""
    return re.sub(r"[^\w.,=+-]+", "_", name.replace(", ", ","))[:LONGEST].strip(". ") or "run"


def _scalars(values: Mapping[str, float]) -> Any:
    from fedlocal.compat.tensorboardx import Summary

    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])


def _text(tag: str, rows: Mapping[str, str]) -> Any:
    from fedlocal.compat.tensorboardx import text

    lines = [f"| {name} | {' '.join(value.split()).replace('|', '&#124;')} |" for name, value in rows.items()]
    return text(tag, "\n".join(["| | |", "|---|---|", *lines]))


def _image(tag: str, png: bytes) -> Any:
    from fedlocal.compat.tensorboardx import Summary

    width, height = struct.unpack(">II", png[16:24])  # PNG's first chunk
    image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=png)
    return Summary(value=[Summary.Value(tag=tag, image=image)])


def _session_start(parameters: Mapping[str, Scalar]) -> Any:
    """Return the entry of a run in the table of hyperparameters.

    It lists neither their names nor those of metrics: TensorBoard collects both from all runs it looks at,
    which need not have the same.
    """
    from fedlocal.compat.tensorboardx import HParamsPluginData, SessionStartInfo

    start = SessionStartInfo(start_time_secs=time.time())
    for name, value in parameters.items():
        if isinstance(value, bool):
            start.hparams[name].bool_value = value
        elif isinstance(value, int | float):
            start.hparams[name].number_value = value
        else:
            start.hparams[name].string_value = value
    return _hparams("session_start_info", HParamsPluginData(session_start_info=start))


def _session_end(*, failed: bool) -> Any:
    from fedlocal.compat.tensorboardx import HParamsPluginData, SessionEndInfo, Status

    status = Status.Value("STATUS_FAILURE" if failed else "STATUS_SUCCESS")
    end = SessionEndInfo(status=status, end_time_secs=time.time())
    return _hparams("session_end_info", HParamsPluginData(session_end_info=end))


def _hparams(tag: str, content: Any) -> Any:
    from fedlocal.compat.tensorboardx import Summary, SummaryMetadata

    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=content.SerializeToString())
    value = Summary.Value(tag=f"_hparams_/{tag}", metadata=SummaryMetadata(plugin_data=plugin))
    return Summary(value=[value])
