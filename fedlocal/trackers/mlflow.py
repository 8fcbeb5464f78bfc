"""MLflow: a run in a store that many runs share, by default that of the working directory.

The store is SQLite, as MLflow's own default is: it refuses to write folders of files by now. Nothing is sent
anywhere unless a server is named; MLflow's own telemetry is turned off.
"""

import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fedlocal.results.atomic_files import read_json, write_json
from fedlocal.results.folder_lock import FolderInUseError, locked_folder
from fedlocal.trackers.base import MetricPoint, RunEnded, RunStarted, TrackerError

STATUS = {"completed": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
SETTINGS = {
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # or a run waits minutes for a server that is gone
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
LONGEST_WAIT = 120.0  # seconds to wait for other runs that make the store's tables, which takes them a few
NOTE = "mlflow.json"  # in the run's folder: which run of which store it is


class MLflow:
    """Keeps a run in MLflow; needs ``pip install 'fedlocal[mlflow]'``.

    Parameters
    ----------
    uri : str or None
        Of the store or server; None: ``mlflow.db`` in the working directory, with artefacts in ``mlruns/``.
    experiment : str
        Name of the experiment that lists the run.
    models : bool
        Whether to store the model files.
    """

    def __init__(self, uri: str | None = None, experiment: str = "fedlocal", models: bool = False) -> None:
        self._given_uri, self._uri = uri, f"sqlite:///{_quoted(Path.cwd())}/mlflow.db"
        self._artefacts = None if uri else (Path.cwd() / "mlruns").as_uri()
        self._experiment, self._models = experiment, models
        self._client: Any = None
        self._id = self._main = self._run = ""
        self._last: dict[str, int] = {}

    def open(self, folder: Path | None) -> None:
        """Import the library, and find the store and the experiment.

        Raises
        ------
        TrackerError
            If one of them is missing, or cannot be used.
        """
        self._uri = self._given_uri or _note(folder).get("uri", self._uri)  # it may go on from another place
        if find_spec("mlflow") is None:
            raise TrackerError("tracker=mlflow needs MLflow: pip install 'fedlocal[mlflow]'")
        try:
            client = _client_class()
            with _silence(), _store_lock() if self._uri.startswith("sqlite:") else nullcontext():
                self._client = client(self._uri)
                self._id = self._experiment_id()
        except Exception as error:
            reason = " ".join(str(error).split())
            raise TrackerError(f"tracker=mlflow: {self._uri} cannot be used: {reason}") from error

    def _experiment_id(self) -> str:
        experiment = self._client.get_experiment_by_name(self._experiment)
        if experiment is None:
            return str(self._client.create_experiment(self._experiment, self._artefacts))
        if experiment.lifecycle_stage == "deleted":
            raise TrackerError(
                f"the experiment {self._experiment!r} was deleted: restore it, or choose another with "
                "tracker.mlflow.experiment"
            )
        return str(experiment.experiment_id)

    def begin(self, run: RunStarted) -> None:
        """Create a run with its parameters and tags, or take up the one that the run's folder names."""
        self._main = run.main
        tags = {**run.tags, **({"sweep": run.sweep} if run.sweep else {})}
        with _silence():
            if earlier := self._earlier_run(run.folder):
                self._go_on(earlier)
                return
            created = self._client.create_run(self._id, run_name=run.name, tags=tags)
            self._run = created.info.run_id
            if run.folder:
                write_json(run.folder / NOTE, {"uri": self._uri, "run": self._run})
            self._log_batch(params=_entities("Param", run.parameters))

    def _earlier_run(self, folder: Path | None) -> Any:
        """Return the run in the store that a run's folder names, None if there is none."""
        from mlflow.exceptions import MlflowException

        note = _note(folder)
        try:
            return self._client.get_run(note["run"]) if note.get("uri") == self._uri else None
        except MlflowException:  # somebody deleted it
            return None

    def _go_on(self, earlier: Any) -> None:
        """Take up a run, and read the last step of each metric: MLflow would keep a step twice."""
        self._run = earlier.info.run_id
        for name in earlier.data.metrics:
            history = self._client.get_metric_history(self._run, name)
            self._last[name] = max(metric.step for metric in history)
        if "error" in earlier.data.tags:
            self._client.delete_tag(self._run, "error")
        self._client.update_run(self._run, status="RUNNING")

    def log(self, points: Sequence[MetricPoint]) -> None:
        """Log the numbers of some rounds; those of a baseline under its name."""
        metrics = []
        for point in points:
            above = "" if point.arm == self._main else f"{point.arm}/"
            named = {f"{above}{name}": value for name, value in point.values.items()}
            new = {name: value for name, value in named.items() if point.round > self._last.get(name, -1)}
            metrics += _metrics(new, point.time, point.round)
        with _silence():
            self._log_batch(metrics=metrics)

    def end(self, run: RunEnded) -> None:
        """Log the results and figures, and say how the run ended."""
        with _silence():
            try:
                self._log_batch(
                    metrics=_metrics(run.metrics, time.time(), run.round),
                    tags=_entities("RunTag", {"status": run.status, **run.tags}),
                )
                for figure in run.figures:
                    self._client.log_artifact(self._run, str(figure), "figures")
                for model in run.models if self._models else ():
                    self._client.log_artifact(self._run, str(model), "model")
            finally:
                self._client.set_terminated(self._run, STATUS[run.status])

    def _log_batch(self, **what: Sequence[Any]) -> None:
        self._client.log_batch(self._run, **what)


def _note(folder: Path | None) -> dict[str, str]:
    """Return which run of which store a run's folder names; empty if it names none."""
    try:
        note = read_json(folder / NOTE) if folder else {}
        return {"uri": str(note["uri"]), "run": str(note["run"])} if note else {}
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or it is not to be read
        return {}


def _quoted(path: Path) -> str:
    """Return a path as part of an address; blanks stay, since not all versions of SQLAlchemy unquote them."""
    return path.as_posix().replace("%", "%25").replace("?", "%3F").replace("#", "%23")


@contextmanager
def _store_lock() -> Iterator[None]:
    """Lock the store while its tables are made: MLflow does not, and two runs at once would break it."""
    folder, deadline = Path("mlruns"), time.monotonic() + LONGEST_WAIT
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked_folder(folder))
                break
            except FolderInUseError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)  # there is nothing to wait on that all systems have
        yield


def _client_class() -> Any:
    """Import MLflow, which takes seconds, with its telemetry off."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "mlflow" in sys.modules:
            from fedlocal.compat.mlflow import read_telemetry_settings

            read_telemetry_settings()  # again, for what is set above
        from mlflow.tracking import MlflowClient
    return MlflowClient


@contextmanager
def _silence() -> Iterator[None]:
    """Silence logs of failures, which are raised as errors too, and warnings of deprecated calls."""
    loud = [logging.getLogger(name) for name in ("mlflow", "urllib3.connectionpool")]
    levels = [log.level for log in loud]
    for log in loud:
        log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(loud, levels, strict=True):
            log.setLevel(level)


def _metrics(values: Mapping[str, float], at: float, step: int) -> list[Any]:
    from mlflow.entities import Metric

    return [Metric(name, value, int(1000 * at), step) for name, value in values.items()]


def _entities(kind: str, values: Mapping[str, Any]) -> list[Any]:
    """Return names and values as MLflow's entities of a kind; their values are texts."""
    from mlflow import entities

    return [getattr(entities, kind)(name, str(value)) for name, value in values.items()]
