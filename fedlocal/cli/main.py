"""The command ``fedlocal``: what comes before Hydra, whose import takes a while, and how it all ends.

Exit codes: 0 if all that was asked for was done, 1 if it was not, 128 + the signal after one (Ctrl-C: 130).
"""

import gc
import os
import re
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from fedlocal import __version__
from fedlocal.cli.arguments import has_flags, translate
from fedlocal.cli.completion import asks_for_words, words
from fedlocal.cli.options import Verb
from fedlocal.config.did_you_mean import did_you_mean
from fedlocal.signals import code_of_signal, leave_to_forks, note_signal

VERBS = ("simulate", "predict", "report")  # their modules are named after them
SHOWN = {"--help", "-h", "--hydra-help", "--cfg", "-c", "--info", "-i"}  # with these, nothing runs

FEWEST_FILES = 32  # open at a time


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    for number in _ending_signals():
        signal.signal(number, _end)
    leave_to_forks(_ending_signals())
    os.environ.setdefault("PYTHONSAFEPATH", "fedlocal")  # or new processes look into the current folder first
    code: int | str | None = 130
    try:
        _check_files()
        code = _run_verb()
    except KeyboardInterrupt:
        pass
    except Exception:
        if code_of_signal() is None:  # or it is what somebody's library made of the signal
            raise
    if fork_server := sys.modules.get("fedlocal.actors.worker.fork_server"):
        fork_server.end()  # it may still be importing, and whoever reads our output would wait for that
    gc.freeze()  # or it goes through all that was ever imported again, for a tenth of a second
    sys.exit(code_of_signal() or code)


def _run_verb() -> int | str | None:
    """Do what the command line asks for; return the exit code."""
    first = sys.argv[1] if sys.argv[1:] else ""
    if SHOWN & {*sys.argv[1:]} and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has gone away (`| head`) ends it
    if first not in ("report", "simulate"):
        sys.path.append(str(Path.cwd()))  # last: where people keep what their `_target_` names
    if first in VERBS:
        return verb_of(first)(sys.argv[2:])
    if first == "--version":
        print(f"fedlocal {__version__}")
        return 0
    if re.fullmatch(r"[A-Za-z]\w*", first):
        return _unknown_verb(first)
    if asks_for_words(sys.argv[1:]):
        _print_words(os.environ.get("COMP_LINE") or "fedlocal ")
    return _run(sys.argv[1:])


def verb_of(name: str) -> Verb[Any]:
    """Return a verb, whose module is imported only when it is asked for."""
    verb: Verb[Any] = import_module(f"fedlocal.cli.{name}").main
    return verb


def _unknown_verb(verb: str) -> str:
    """Say that there is no such command, which ends the process with 1."""
    hint = did_you_mean(verb, VERBS) or ";"
    expected = f"{', '.join(VERBS)}, or options of a run, such as actors=8"
    return f"error: {verb}: there is no such command{hint} expected {expected}"


def _check_files() -> None:
    """Exit if this process may open so few files that whatever it does next fails."""
    if sys.platform != "win32":
        import resource

        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if 0 <= files < FEWEST_FILES:
            sys.exit(
                f"error: at most {files} files may be open at a time (ulimit -n); set {FEWEST_FILES} or more"
            )


def _run(arguments: Sequence[str]) -> int | str | None:
    """Run experiments; return the exit code."""
    try:
        line = translate(arguments)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    sys.argv[1:] = line.arguments
    if {"--help", "-h"} & set(line.arguments):
        from fedlocal.cli.help import print_help

        return print_help(line.arguments)
    if runs_actors(line.arguments):
        warm_up(drawing=not any(argument.startswith("figures=") for argument in line.arguments))
    from fedlocal.cli.jobs import run_jobs

    return run_jobs(resuming=line.resuming)


def runs_actors(arguments: Sequence[str]) -> bool:
    """Tell whether a command line looks like a run on actors; only Hydra knows for sure.

    A model may be a framework's, which is to be imported with the rest, and a scheme may have no clients:
    that, too, only Hydra knows.
    """
    unsure = re.compile("backend|(model|scheme)=")
    return not has_flags(arguments) and not any(map(unsure.match, arguments))


def warm_up(*, drawing: bool = True) -> None:
    """Have the process that workers fork from import what they need while Hydra composes."""
    from fedlocal.experiment.figures import PRELOAD
    from fedlocal.flower.grid.backends import PRELOAD as CLIENTS
    from fedlocal.flower.grid.backends import Actors

    Actors().prepare((*CLIENTS, *(PRELOAD if drawing else ())))


def _print_words(line: str) -> None:
    """Print what Hydra, which goes on from here, does not know of; end if there is nothing else."""
    first, complete = words(line, VERBS, verb_of)
    print(*first, sep="\n")
    if complete:
        sys.exit(0)


def _ending_signals() -> list[signal.Signals]:
    """Return the signals that end a run in good order."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End the run in good order; at the second signal, now: workers end with their parent."""
    del frame
    note_signal(number)
    for ending in _ending_signals():
        signal.signal(ending, lambda number, _: os._exit(128 + number))
    raise KeyboardInterrupt  # whatever the signal: of SystemExit an inline actor would make a client's error
