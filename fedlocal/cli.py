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
from typing import NoReturn

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # before NumPy loads; actors.threads says why


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    for name in ("SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    sys.path.insert(0, str(Path.cwd()))  # where people keep what their `_target_` names
    code: int | str | None = 130
    try:
        check_output_folder(sys.argv[1:])
        if runs_actors(sys.argv[1:]):
            warm_up()
        from fedlocal.jobs import run_jobs

        code = run_jobs()
    except KeyboardInterrupt:
        pass
    gc.freeze()  # or it goes through all that was ever imported again, for a tenth of a second
    sys.exit(code)


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
    """Tell whether a command line looks like a run on actors; only Hydra knows for sure."""
    return not _has_flags(arguments) and not any(argument.startswith("backend") for argument in arguments)


def warm_up() -> None:
    """Have the process that workers fork from import what they need while Hydra composes."""
    from fedlocal.drawing import PRELOAD
    from fedlocal.flower.backends import Actors

    Actors().prepare(PRELOAD)


def _has_flags(arguments: Sequence[str]) -> bool:
    """Tell whether anything but runs is asked for."""
    return any(argument.startswith("-") and argument not in ("-m", "--multirun") for argument in arguments)


def _refuse(reason: str) -> NoReturn:
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(1)
