"""Any Flower app on local actors: ``fedlocal.simulate`` in place of Flower's ``run_simulation``."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from fedlocal.actors import ActorSystemError, usable_cores
from fedlocal.experiment.process_lock import process_lock
from fedlocal.flower.admission.policy import AS_SENT, Admission, PolicyName
from fedlocal.flower.admission.strict import Strict
from fedlocal.flower.admission.structural import Structural
from fedlocal.flower.compat.legacy import in_node_order
from fedlocal.flower.grid.backends import PRELOAD, Actors, Backend, Inline
from fedlocal.flower.grid.recording_grid import ClientError, MessageRecorder, RecordingGrid
from fedlocal.flower.node.app_loading import AppError, find, portable, start_client
from fedlocal.flower.node.output import without_flower_log
from fedlocal.flower.node.seeding import seeded
from fedlocal.flower.server.server_app import run_server
from fedlocal.results import History, ResultsError, clear_folder, locked_folder, weights_hash
from fedlocal.seeds import Stream, generator
from fedlocal.simulation.recorder import SimulationRecorder
from fedlocal.simulation.server_results import OlderHistory, ServerResults, observed_server

logger = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds of silence at the end
NOT_LOADED = "the app could not be loaded"  # a note of what is raised then

RunConfig = Mapping[str, bool | int | float | str]


@dataclass(frozen=True)
class Result:
    """The results of a simulation.

    Parameters
    ----------
    history : History
        The metrics of clients in each round, and when they worked.
    errors : tuple of ClientError
        The messages that ended in an error, with the client's partition, the reason and the traceback.
    context : flwr.app.Context
        The server app's, with what it put into ``context.state``.
    fingerprint : str
        SHA-256 of all messages and replies, 64 hexadecimal digits: equal for equal runs.
    arrays_hash : str or None
        SHA-256 of the arrays that the app's strategy ended with, or of those in ``context.state``.
    seconds : float
        From the start of the server app to its end.
    folder : Path or None
        The folder of the files.
    flower_history : flwr.server.History or None
        What a server of Flower's older API returns, as ``start_simulation`` did.
    """

    history: History
    errors: tuple[ClientError, ...]
    context: Context = field(repr=False)
    fingerprint: str
    arrays_hash: str | None
    seconds: float
    folder: Path | None
    flower_history: OlderHistory | None = field(default=None, repr=False)


def simulate(
    server_app: ServerApp | str,
    client_app: ClientApp | str,
    num_supernodes: int,
    *,
    workers: int | Literal["auto"] = "auto",
    seed: int = 0,
    run_config: RunConfig | None = None,
    backend: Backend | Literal["actors", "inline"] = "actors",
    admission: PolicyName = "structural",
    folder: Path | str | None = None,
    display: Literal["auto", "off"] = "auto",
    flower_log: bool = False,
) -> Result:
    """Run a Flower app, of any generation of its API, on this device.

    Parameters
    ----------
    server_app, client_app : ServerApp, ClientApp, or str
        The app's two parts: objects, or references such as ``"package.module:app"``.
    num_supernodes : int
        How many nodes there are; node i has ``partition-id`` i and ``num-partitions`` in its configuration.
    workers : int or "auto"
        Processes that run clients: by default, as many as there are cores.
    seed : int
        Of the global generators of Python, NumPy, PyTorch, TensorFlow and MLX, while an app is imported, in
        the server app and in each client call. The same seed gives the same bits, with any number of workers.
    run_config : mapping, optional
        What the apps find in ``context.run_config``.
    backend : {"actors", "inline"} or Backend
        Worker processes, or this process alone, where a debugger gets at clients; or one with limits of its
        own, such as ``fedlocal.backends.Actors(deadline=60)``.
    admission : {"structural", "strict"}
        Which replies are taken: any that parses within budgets, or of those to training only such whose
        arrays have names, shapes and dtypes as sent, and finite values. Another one is its client's error.
    folder : path-like, optional
        For the results, in place of those of an earlier run in it; without it nothing is written.
    display : {"auto", "off"}
        Whether a line about each round goes to standard error.
    flower_log : bool
        Whether what Flower logs in the server app is shown, too, such as its own line about each round.

    Returns
    -------
    Result
        Also if clients failed: what to make of that is the server app's business.

    Raises
    ------
    AppError
        If an app cannot be found, or cannot be given to workers.
    ValueError
        If a number is out of range.
    ResultsError
        If the folder cannot be written, or another run writes to it.
    ActorSystemError
        If workers cannot start, such as when the client app's import fails; the traceback is in the message.
    Exception
        Whatever the server app raises.

    Examples
    --------
    >>> result = fedlocal.simulate(server_app, client_app, num_supernodes=10)  # doctest: +SKIP
    >>> result.errors, result.fingerprint[:16]  # doctest: +SKIP
    ((), '5e0f6b1cc2a35d2f')
    """
    if num_supernodes < 1:
        raise ValueError(f"num_supernodes is {num_supernodes}; there must be at least 1")
    if workers != "auto" and workers < 1:
        raise ValueError(f"workers is {workers}; there must be at least 1, or 'auto'")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    policies: dict[str, Admission] = {"structural": Structural(), "strict": Strict(declaration=AS_SENT)}
    if admission not in policies:
        raise ValueError(f"admission is {admission!r}; it must be 'structural' or 'strict'")
    path = Path(folder) if folder is not None else None
    if path:
        _make(path)
    with process_lock, locked_folder(path) if path else nullcontext():
        if path:
            clear_folder(path, resuming=False)
        count = usable_cores() if workers == "auto" else workers
        setting = _Setting(
            num_supernodes,
            min(count, num_supernodes),
            seed,
            dict(run_config or {}),
            backend,
            policies[admission],
            flower_log=flower_log,
        )
        with SimulationRecorder(path, display) as recorder:
            return _run(server_app, client_app, setting, recorder)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise ResultsError(
            f"results cannot be written to {folder}: {reason}; choose another folder"
        ) from error


def _wait_for_pushed(grid: RecordingGrid) -> None:
    """Wait for the replies to messages that the server app pushed, and did not wait for."""
    if left := grid.wait_for_pushed(PATIENCE):
        logger.warning("the server app is done; %d messages that it sent are still handled", left)
        grid.wait_for_pushed()


@dataclass(frozen=True)
class _Setting:
    nodes: int
    workers: int
    seed: int
    run_config: RunConfig
    backend: Backend | str
    admission: Admission
    flower_log: bool


@contextmanager
def _load_errors() -> Iterator[None]:
    """Mark the errors of the block as those of an app that cannot be loaded."""
    try:
        yield
    except SystemExit as error:
        raise AppError(f"the app exits while it is imported, with code {error.code}") from error
    except Exception as error:
        error.add_note(NOT_LOADED)
        raise


def _run(
    server_app: ServerApp | str, client_app: ClientApp | str, setting: _Setting, recorder: SimulationRecorder
) -> Result:
    backends: dict[Any, Backend] = {"actors": Actors(), "inline": Inline()}
    backend = backends.get(setting.backend, setting.backend)
    if isinstance(backend, str):
        raise ValueError(f"backend is {backend!r}; it must be 'actors', 'inline' or a Backend")  # noqa: TRY004
    backend.prepare(PRELOAD)  # also what takes a lost worker's place is there at once
    with _load_errors():
        server = find(server_app, ServerApp, setting.seed)
        inline = isinstance(backend, Inline)
        load = partial(find, client_app, ClientApp, setting.seed) if inline else portable(client_app)
        start = partial(start_client, load, setting.nodes, setting.seed, setting.run_config)
        system = backend.clients(start, setting.workers, recorder.path("journal.jsonl"))
    messages = MessageRecorder(recorder.on_round, system.workers)
    recording = RecordingGrid(system, setting.nodes, setting.admission, messages)
    output = nullcontext() if setting.flower_log else without_flower_log()
    with recording as grid, in_node_order(server), output, observed_server(messages.evaluated) as results:
        started = time.perf_counter()
        try:
            with seeded(int(generator(setting.seed, Stream.SAMPLING).integers(2**32))):
                context = run_server(server, grid, setting.run_config)
            _wait_for_pushed(recording)
        finally:
            seconds = time.perf_counter() - started
            with suppress(ActorSystemError):  # which has been reported already
                recording.wait_for_pushed(0.0)  # what clients did may be why the server failed
            fingerprint = messages.finish()
    arrays_hash = _hash(results, context)
    recorder.completed(fingerprint, arrays_hash)
    return Result(
        recorder.history,
        tuple(recorder.errors),
        context,
        fingerprint,
        arrays_hash,
        seconds,
        recorder.folder,
        results.history,
    )


def _hash(results: ServerResults, context: Context) -> str | None:
    try:
        arrays = results.arrays(context)
        return weights_hash(arrays) if arrays else None
    except ValueError:  # trees, or text: no arrays of numbers
        return None
