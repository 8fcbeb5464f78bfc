"""The command ``fedlocal``: what comes before Hydra, whose import takes a while, and how it all ends.

Exit codes: 0 if all that was asked for was done, 1 if it was not, 128 + the signal after one (Ctrl-C: 130).
"""

import gc
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    for number in _endings():
        signal.signal(number, _end)
    sys.path.insert(0, str(Path.cwd()))  # where people keep what their `_target_` names
    code: int | str | None = 130
    try:
        if sys.argv[1:2] and sys.argv[1] in VERBS:
            sys.exit(VERBS[sys.argv[1]](sys.argv[2:]))
        resuming = any(argument.startswith("resume=") for argument in sys.argv[1:])
        if resuming:
            sys.argv[1:] = resume_arguments(sys.argv[1:])
        check_output_folder(sys.argv[1:])
        if runs_actors(sys.argv[1:]):
            warm_up()
        from fedlocal.jobs import run_jobs

        code = run_jobs(resuming=resuming)
    except KeyboardInterrupt:
        pass
    gc.freeze()  # or it goes through all that was ever imported again, for a tenth of a second
    sys.exit(code)


def _simulate(arguments: Sequence[str]) -> int:
    """Run a Flower app."""
    from fedlocal.simulation.command import main as simulate

    return simulate(arguments)


def _predict(arguments: Sequence[str]) -> int:
    """Have a saved model answer for rows."""
    from fedlocal.inference.command import main as predict

    return predict(arguments)


VERBS = {"simulate": _simulate, "predict": _predict}


def resume_arguments(arguments: Sequence[str]) -> list[str]:
    """Return what Hydra is told in place of ``resume=FOLDER``: to use that folder, and to leave its notes.

    Raises
    ------
    SystemExit
        If the folder is not that of a run, or more is asked for than to go on with one.
    """
    from fedlocal.resuming import run_folder

    others = [argument for argument in arguments if not argument.startswith("resume=")]
    wanted = [argument.removeprefix("resume=") for argument in arguments if argument not in others]
    flags = [argument for argument in others if argument.startswith("-")]
    if flags or len(wanted) > 1 or not wanted[0]:
        asked = " ".join(arguments)
        _refuse(f"{asked}: resume=FOLDER goes on with one run, and goes with neither sweeps nor other flags")
    try:
        place = str(run_folder(wanted[0].strip("'\""))).replace("\\", "\\\\").replace("'", "\\'")
    except ValueError as error:
        _refuse(str(error))
    return [*others, f"hydra.run.dir='{place}'", "hydra.output_subdir=null"]


def check_output_folder(arguments: Sequence[str]) -> None:
    """Refuse an output folder that cannot be written before Hydra trips over it.

    Raises
    ------
    SystemExit
        With the folder and the reason.
    """
    if _has_flags(arguments):
        return
    chosen = [
        match[1] for argument in arguments if (match := re.match(r"hydra\.(?:run|sweep)\.dir=(.+)", argument))
    ]
    wanted = Path(re.split(r"\$\{", chosen[-1].strip("'\""))[0] if chosen else ".").absolute()
    existing = next(path for path in (wanted, *wanted.parents) if path.exists())
    if not existing.is_dir():
        _refuse(f"results cannot be written to {wanted}: {existing} is not a folder; set hydra.run.dir")
    if not os.access(existing, os.W_OK | os.X_OK):
        _refuse(f"results cannot be written to {wanted}: {existing} is read-only; set hydra.run.dir")


def runs_actors(arguments: Sequence[str]) -> bool:
    """Tell whether a command line looks like a run on actors; only Hydra knows for sure.

    A model may be a framework's, which is to be imported with the rest: that, too, only Hydra knows.
    """
    return not _has_flags(arguments) and not any(re.match("backend|model=", each) for each in arguments)


def warm_up() -> None:
    """Have the process that workers fork from import what they need while Hydra composes."""
    from fedlocal.drawing import PRELOAD
    from fedlocal.flower.backends import Actors

    Actors().prepare(PRELOAD)


def _has_flags(arguments: Sequence[str]) -> bool:
    """Tell whether anything but runs is asked for."""
    return any(argument.startswith("-") and argument not in ("-m", "--multirun") for argument in arguments)


def _endings() -> list[signal.Signals]:
    """Return the signals that end a run in good order."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End the run in good order; at the second signal, now: workers end with their parent."""
    del frame
    for each in _endings():
        signal.signal(each, lambda number, _: os._exit(128 + number))
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _refuse(reason: str) -> NoReturn:
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(1)
