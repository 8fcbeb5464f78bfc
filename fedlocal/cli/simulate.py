"""``fedlocal simulate PATH``: runs the Flower app in a folder, and says what came of it."""

import sys
import traceback
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fedlocal.cli.options import UsageError, Verb, option

if TYPE_CHECKING:
    from fedlocal.simulation.project import Project, Value
    from fedlocal.simulation.run import Result


@dataclass(frozen=True)
class SimulateOptions:
    """Run a Flower app on local actors: no Ray, no ports, the same bits for the same seed.

    exit codes: 0 all went well; 1 the app failed, or a message to a client did; 2 it could not be run
    """

    path: Path = option(
        "the app's folder, with its pyproject.toml; without it the current folder",
        "PATH",
        default=Path(),
        positional=True,
    )
    run_config: tuple[str, ...] = option(
        "overrides of [tool.flwr.app.config], or a TOML file; may be given several times",
        "'KEY=VALUE …'",
        default=(),
    )
    num_supernodes: int | None = option(
        "clients; without it what the app says, or Flower's own configuration, or 2", default=None
    )
    workers: int | Literal["auto"] = option("processes that run clients; auto: the cores", default="auto")
    seed: int = option("of all global generators", default=0)
    backend: Literal["actors", "inline"] = option("or inline: in this process", default="actors")
    admission: Literal["structural", "strict"] = option(
        "or strict: what is trained must come back in the shapes that were sent, and finite",
        default="structural",
    )
    folder: Path | None = option("for the results; without it outputs/DATE/TIME", default=None)
    flower_log: bool = option("or true: show what Flower's server logs, too", default=False)
    display: Literal["auto", "off"] = option("or off, as -q: show the results alone", default="auto")


def _simulate(options: SimulateOptions) -> int:
    from fedlocal.simulation.project import ProjectError, project_at

    try:
        project = project_at(options.path)
        config = project.configured(options.run_config)
    except ProjectError as error:
        raise UsageError(str(error)) from error
    if options.display != "off":
        _announce(project, options)
    sys.path.insert(0, str(project.folder))  # workers have it, too
    return _run(project, config, options)


def _announce(project: "Project", options: SimulateOptions) -> None:
    if project.unused:
        unused = ", ".join(f"{name} = {value}" for name, value in project.unused.items())
        _say(f"not used here, since workers are this machine's cores (see workers=…): {unused}")
    if not options.num_supernodes:
        _say(f"{project.nodes.number} clients: {project.nodes.source}")


def _run(project: "Project", config: "dict[str, Value]", options: SimulateOptions) -> int:
    from fedlocal.actors import ActorSystemError
    from fedlocal.flower.node.app_loading import AppError
    from fedlocal.results import ResultsError
    from fedlocal.simulation.run import NOT_LOADED, simulate

    folder = options.folder or Path("outputs", f"{datetime.now().astimezone():%Y-%m-%d/%H-%M-%S}")
    try:
        result = simulate(
            project.server_app,
            project.client_app,
            options.num_supernodes or project.nodes.number,
            workers=options.workers,
            seed=options.seed,
            run_config=config,
            backend=options.backend,
            admission=options.admission,
            folder=folder,
            display=options.display,
            flower_log=options.flower_log,
        )
    except KeyboardInterrupt:
        _say(f"interrupted; the results so far are in {folder}")
        raise
    except Exception as error:  # noqa: BLE001 - the app's own
        not_loaded = isinstance(error, AppError) or NOT_LOADED in getattr(error, "__notes__", [])
        if isinstance(error, AppError | ActorSystemError | ResultsError):
            _say(f"error: {error}")
        else:
            traceback.print_exc()
            if not not_loaded:
                _say(f"error: the server app of {project.name} failed; the results so far are in {folder}")
        return 2 if not_loaded else 1
    _print_result(result)
    return 1 if result.errors else 0


def _print_result(result: "Result") -> None:
    from rich.console import Console

    from fedlocal.display.table import comparison_table
    from fedlocal.results import arm_of
    from fedlocal.simulation.recorder import metrics_table

    console = Console(highlight=False)
    if result.history.rounds:
        console.print(comparison_table([arm_of("simulation", result.history)], main=result.history))
    else:
        console.print("no message was sent to a client")
    if table := metrics_table(result.history):
        console.print(table)
    if result.errors:
        number, first = len(result.errors), result.errors[0]
        failures = f"{number} messages ended in an error, the first in round {first.round}: {first.reason}"
        console.print(failures, markup=False, soft_wrap=True)
    console.print(f"fingerprint {result.fingerprint[:16]}", soft_wrap=True)
    if result.arrays_hash:
        console.print(f"final arrays {result.arrays_hash[:16]}", soft_wrap=True)
    console.print(f"results {result.folder}", soft_wrap=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


main = Verb("simulate", SimulateOptions, _simulate, refused=2)
