"""Translation of a command line into Hydra's language, of what fedlocal adds to it.

``resume=FOLDER`` becomes the run or the sweep in that folder, ``sweep.resume=true`` finds the sweep that was
begun with the same settings, ``-q`` turns the display off.
"""

import atexit
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from fedlocal.cli.options import TRUTH
from fedlocal.config.neutral_options import CHANGEABLE, SWEEP_ONLY
from fedlocal.config.trust import check_stored_arguments, read_yaml
from fedlocal.experiment.run_folder import run_folder

SWEEPS = "multirun"  # where sweeps lie, unless hydra.sweep.dir says otherwise


class ArgumentsError(ValueError):
    """A command line asks for something that is impossible."""


@dataclass(frozen=True)
class CommandLine:
    """A command line in Hydra's language: its overrides and flags, and the folder of a run to go on with."""

    arguments: list[str]
    resuming: Path | None = None


def translate(arguments: Sequence[str]) -> CommandLine:
    """Translate a command line into Hydra's language, and check the folders that it names.

    Raises
    ------
    ArgumentsError, ResumeError
        If a folder is not that of a run or a sweep, results could not be written, or more is asked for than
        to go on with something.
    """
    quiet = {"-q", "--quiet"}
    remaining = [argument for argument in arguments if argument not in quiet]
    if len(remaining) < len(arguments):
        remaining.append("display=off")
    line = CommandLine(remaining)
    if any(argument.startswith("resume=") for argument in remaining):
        line = _resume(remaining)
    elif _is_true("sweep.resume", remaining):
        line = CommandLine(_with_earlier_sweep(remaining))
    _check_output_folder(line.arguments)
    if not line.resuming:
        _check_unused(line.arguments)
    return line


def has_flags(arguments: Sequence[str]) -> bool:
    """Tell whether anything but runs is asked for."""
    return any(argument.startswith("-") and argument not in ("-m", "--multirun") for argument in arguments)


def _resume(arguments: Sequence[str]) -> CommandLine:
    """Translate ``resume=FOLDER``: the run's folder becomes Hydra's, or the sweep there is repeated."""
    overrides = [argument for argument in arguments if not argument.startswith("resume=")]
    folders = [argument.removeprefix("resume=") for argument in arguments if argument not in overrides]
    flags = [argument for argument in overrides if argument.startswith("-")]
    if flags or len(folders) > 1 or not folders[0]:
        asked = " ".join(arguments)
        raise ArgumentsError(
            f"{asked}: resume=FOLDER goes on with one run or sweep, and goes with no other flags"
        )
    folder = Path(folders[0].strip("'\"")).expanduser()
    if (folder / "multirun.yaml").is_file():
        return CommandLine(_resume_sweep(folder, overrides))
    run = run_folder(folder)
    quoted = _quoted(_plainly_named(run))
    return CommandLine([*overrides, f"hydra.run.dir={quoted}", "hydra.output_subdir=null"], resuming=run)


def _resume_sweep(folder: Path, overrides: Sequence[str]) -> list[str]:
    """Return the command line of a stored sweep, with its folder and the overrides that may change."""
    refused = [override for override in overrides if not _is_changeable(override)]
    if refused:
        may = ", ".join((*CHANGEABLE, *SWEEP_ONLY))
        raise ArgumentsError(f"a sweep goes on as it was: {', '.join(refused)} cannot be set, only {may} can")
    hydra, task = _stored_overrides(folder)
    kept = [override for override in hydra if not re.match(r"hydra\.(mode|sweep\.dir)=", override)]
    if not _is_true("trust", overrides):
        check_stored_arguments([*task, *kept], folder / "multirun.yaml")
    go_on = ["sweep.resume=true", f"hydra.sweep.dir={_quoted(folder)}"]
    return ["-m", *task, *kept, "trust=false", *overrides, *go_on]


def _with_earlier_sweep(arguments: Sequence[str]) -> list[str]:
    """Return the command line with the folder of the newest sweep that it began before, if there is one."""
    task = [argument for argument in arguments if _is_override(argument) and not _is_changeable(argument)]
    given = _value("hydra.sweep.dir", arguments)
    if given is None:
        begun = [path.parent for path in Path(SWEEPS).glob("*/*/multirun.yaml")]
        begun.sort(key=lambda folder: (folder / "multirun.yaml").stat().st_mtime, reverse=True)
        started = next((folder for folder in begun if _stored_task(folder) == task), None)
        return [*arguments, f"hydra.sweep.dir={_quoted(started)}"] if started else list(arguments)
    folder = Path(given)
    if (folder / "multirun.yaml").is_file() and _stored_task(folder) != task:
        raise ArgumentsError(
            f"{folder} holds another sweep ({' '.join(_stored_task(folder))}): choose another hydra.sweep.dir"
        )
    return list(arguments)


def _value(key: str, arguments: Sequence[str]) -> str | None:
    """Return the last value that a command line gives an option, without quotes; None if there is none."""
    pairs = [argument.lstrip("+").partition("=") for argument in arguments]
    values = [value.strip("'\"") for name, equals, value in pairs if name == key and equals]
    return values[-1] if values else None


def _is_true(key: str, arguments: Sequence[str]) -> bool:
    return TRUTH.get((_value(key, arguments) or "").lower(), False)


def _is_override(argument: str) -> bool:
    """Tell an option of the runs from Hydra's own, its flags, and what follows these."""
    given = "=" in argument or argument.startswith("~")
    return given and not argument.startswith(("-", "hydra.", "hydra/"))


def _is_changeable(argument: str) -> bool:
    return re.split("[.=]", argument.lstrip("+~"))[0] in (*CHANGEABLE, *SWEEP_ONLY)


def _stored_task(folder: Path) -> list[str]:
    return [override for override in _stored_overrides(folder)[1] if not _is_changeable(override)]


def _stored_overrides(folder: Path) -> tuple[list[str], list[str]]:
    """Return the overrides that a sweep began with: those of Hydra, and those of its runs."""
    path = folder / "multirun.yaml"
    try:
        overrides = read_yaml(path)["hydra"]["overrides"]  # as they were typed: ${…} is for Hydra to resolve
        return list(map(str, overrides["hydra"])), list(map(str, overrides["task"]))
    except Exception as error:  # whatever can be wrong with a file that somebody edited
        raise ArgumentsError(f"{path} does not say what its sweep was: {error}") from error


def _plainly_named(folder: Path) -> Path:
    """Return a folder under a name without ``${…}``, which Hydra would resolve again and again."""
    if "${" not in str(folder):
        return folder
    link = Path(mkdtemp(prefix="fedlocal-")) / "run"
    atexit.register(shutil.rmtree, link.parent, ignore_errors=True)
    link.symlink_to(folder)
    return link


def _quoted(folder: Path) -> str:
    """Return a folder as a word of Hydra's language."""
    text = str(folder.absolute())  # backslashes are as they are, but for those before a quote
    return "'{}'".format(re.sub(r"(\\*)('|\Z)", lambda at: at[1] * 2 + at[2].replace("'", "\\'"), text))


def _check_unused(arguments: Sequence[str]) -> None:
    """Refuse the folder of an earlier run before Hydra writes its notes there."""
    folder = Path(_value("hydra.run.dir", arguments) or "outputs")
    if not _is_true("overwrite", arguments) and (folder / "config.yaml").is_file():
        from fedlocal.results import check_unused

        check_unused(folder)


def _check_output_folder(arguments: Sequence[str]) -> None:
    """Refuse an output folder that cannot be written before Hydra trips over it."""
    if has_flags(arguments):
        return
    chosen = _value("hydra.run.dir", arguments) or _value("hydra.sweep.dir", arguments) or "."
    wanted = Path(re.split(r"\\*\$\{", chosen)[0]).absolute()
    try:
        existing = next(path for path in (wanted, *wanted.parents) if path.exists())
        reason = "" if existing.is_dir() else "is not a folder"
        if not reason:
            TemporaryDirectory(prefix=".fedlocal-", dir=existing).cleanup()  # asking is not enough
    except OSError as error:
        existing, reason = wanted, f"cannot be written ({error.strerror or error})"
    if reason:
        raise ArgumentsError(f"results cannot be written to {wanted}: {existing} {reason}; set hydra.run.dir")
