"""``fedlocal simulate PATH``: runs the Flower app in a folder, and says what came of it."""

import argparse
import re
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fedlocal.actors import ActorSystemError
from fedlocal.config.did_you_mean import did_you_mean
from fedlocal.simulation.project import Project, ProjectError, Value, project_at

if TYPE_CHECKING:
    from fedlocal.simulation.run import Result

EPILOG = "exit codes: 0 all went well; 1 the app failed, or a message to a client did; 2 it could not be run"


def main(arguments: Sequence[str]) -> int:
    """Run a Flower app; return the exit code."""
    parser = _parser()
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        options = re.findall(r"--[\w-]+", parser.format_usage())
        hint = did_you_mean(unknown[0].partition("=")[0], options)
        parser.error(f"there is no option {unknown[0]}{hint}")
    try:
        project = project_at(given.path)
        config = project.configured(given.run_config)
    except ProjectError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not given.quiet:
        _print_unused(project)
    sys.path.insert(0, str(project.folder))  # workers have it, too
    if not given.quiet and not given.num_supernodes:
        print(f"{project.nodes.number} clients: {project.nodes.source}", file=sys.stderr)
    folder = given.folder or Path("outputs", f"{datetime.now().astimezone():%Y-%m-%d/%H-%M-%S}")
    return _simulate(project, config, folder, given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fedlocal simulate",
        description="Run a Flower app on local actors: no Ray, no ports, the same bits for the same seed.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    add("path", type=Path, nargs="?", default=Path(), help="the app's folder, with its pyproject.toml")
    add("-c", "--run-config", action="append", default=[], metavar="'KEY=VALUE …'",
        help="overrides of [tool.flwr.app.config], or a TOML file; may be given several times")  # fmt: skip
    add("--num-supernodes", type=_count, metavar="N",
        help="clients (default: what the app says, or Flower's own configuration, or 2)")  # fmt: skip
    add("--workers", type=_count, metavar="N", help="processes that run clients (default: the cores)")
    add("--seed", type=_seed, default=0, help="of all global generators (default: 0)")
    add("--backend", choices=("actors", "inline"), default="actors", help="inline: in this process")
    add("--admission", choices=("structural", "strict"), default="structural",
        help="strict: what is trained must come back in the shapes that were sent, and finite")  # fmt: skip
    add("--folder", type=Path, help="for the results (default: outputs/DATE/TIME)")
    add("--flower-log", action="store_true", help="show what Flower's server logs, too")
    add("-q", "--quiet", action="store_true", help="show the results alone")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: there must be at least 1")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text}: it must be 0 or more")
    return number


def _print_unused(project: Project) -> None:
    if project.unused:
        options = ", ".join(f"{name} = {value}" for name, value in project.unused.items())
        print(
            f"not used here, since workers are this machine's cores (see --workers): {options}",
            file=sys.stderr,
        )


def _simulate(project: Project, config: dict[str, Value], folder: Path, given: argparse.Namespace) -> int:
    from fedlocal.flower.node.app_loading import AppError
    from fedlocal.results import ResultsError
    from fedlocal.simulation.run import NOT_LOADED, simulate

    try:
        result = simulate(
            project.server_app,
            project.client_app,
            given.num_supernodes or project.nodes.number,
            workers=given.workers or "auto",
            seed=given.seed,
            run_config=config,
            backend=given.backend,
            admission=given.admission,
            folder=folder,
            display="off" if given.quiet else "auto",
            flower_log=given.flower_log,
        )
    except KeyboardInterrupt:
        print(f"interrupted; the results so far are in {folder}", file=sys.stderr)
        raise
    except (AppError, ActorSystemError, ResultsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, AppError) or NOT_LOADED in _notes(error) else 1
    except Exception as error:  # noqa: BLE001 - the app's own
        traceback.print_exc()
        if NOT_LOADED in _notes(error):
            return 2
        print(
            f"error: the server app of {project.name} failed; the results so far are in {folder}",
            file=sys.stderr,
        )
        return 1
    _print_result(result)
    return 1 if result.errors else 0


def _notes(error: Exception) -> list[str]:
    return getattr(error, "__notes__", [])


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
