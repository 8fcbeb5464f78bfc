"""A command line before Hydra sees it: what fedlocal adds to Hydra's own language, in Hydra's words.

``resume=FOLDER`` becomes the run or the sweep in that folder, ``sweep.resume=true`` finds the sweep that was
begun with the same settings, ``-q`` turns the display off.
"""

import atexit
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from fedlocal.config.neutral_options import CHANGEABLE, SWEEP_ONLY
from fedlocal.config.trust import check_stored_arguments, read_yaml
from fedlocal.experiment.run_folder import run_folder

SWEEPS = "multirun"  # where sweeps lie, unless hydra.sweep.dir says otherwise


class ArgumentsError(ValueError):
    """A command line that asks for what cannot be."""


@dataclass(frozen=True)
class Request:
    """What Hydra is told.

    Parameters
    ----------
    arguments : list of str
        The command line in Hydra's language.
    resuming : Path or None
        The folder of the run to go on with.
    """

    arguments: list[str]
    resuming: Path | None = None


def understood(arguments: Sequence[str]) -> Request:
    """Translate a command line into Hydra's language, and check the folders that it names.

    Raises
    ------
    ArgumentsError, ResumeError
        If a folder is not that of a run or a sweep, results could not be written, or more is asked for than
        to go on with something.
    """
    quiet = {"-q", "--quiet"}
    told = [each for each in arguments if each not in quiet]
    if len(told) < len(arguments):
        told.append("display=off")
    request = Request(told)
    if any(argument.startswith("resume=") for argument in told):
        request = _resumed(told)
    elif any(re.fullmatch(r"\+*sweep\.resume=(true|on|yes|1)", each, re.IGNORECASE) for each in told):
        request = Request(_continued(told))
    _check_output_folder(request.arguments)
    if not request.resuming:
        _check_unused(request.arguments)
    return request


def has_flags(arguments: Sequence[str]) -> bool:
    """Tell whether anything but runs is asked for."""
    return any(argument.startswith("-") and argument not in ("-m", "--multirun") for argument in arguments)


def _resumed(arguments: Sequence[str]) -> Request:
    """Return what Hydra is told in place of ``resume=FOLDER``: to use that folder."""
    others = [argument for argument in arguments if not argument.startswith("resume=")]
    wanted = [argument.removeprefix("resume=") for argument in arguments if argument not in others]
    flags = [argument for argument in others if argument.startswith("-")]
    if flags or len(wanted) > 1 or not wanted[0]:
        asked = " ".join(arguments)
        raise ArgumentsError(
            f"{asked}: resume=FOLDER goes on with one run or sweep, and goes with no other flags"
        )
    folder = Path(wanted[0].strip("'\"")).expanduser()
    if (folder / "multirun.yaml").is_file():
        return Request(_sweep(folder, others))
    place = run_folder(folder)
    told = _quoted(_plainly_named(place))
    return Request([*others, f"hydra.run.dir={told}", "hydra.output_subdir=null"], resuming=place)


def _sweep(folder: Path, others: Sequence[str]) -> list[str]:
    """Return what Hydra is told to go on with a sweep: all that it was told then."""
    refused = [each for each in others if not _is_changeable(each)]
    if refused:
        may = ", ".join((*CHANGEABLE, *SWEEP_ONLY))
        raise ArgumentsError(f"a sweep goes on as it was: {', '.join(refused)} cannot be set, only {may} can")
    hydra, task = _asked(folder)
    told = [each for each in hydra if not re.match(r"hydra\.(mode|sweep\.dir)=", each)]
    if not any(re.fullmatch("trust=(true|on|yes|1)", each, re.IGNORECASE) for each in others):
        check_stored_arguments([*task, *told], folder / "multirun.yaml")
    go_on = ["sweep.resume=true", f"hydra.sweep.dir={_quoted(folder)}"]
    return ["-m", *task, *told, "trust=false", *others, *go_on]


def _continued(arguments: Sequence[str]) -> list[str]:
    """Return the command line with the folder of the sweep that it was begun in before, if it was.

    Raises
    ------
    ArgumentsError
        If the folder that it names holds another sweep.
    """
    told = [each for each in arguments if _is_override(each) and not _is_changeable(each)]
    place = next((each.partition("=")[2] for each in arguments if each.startswith("hydra.sweep.dir=")), None)
    if place is None:
        begun = next((each for each in _newest_first(Path(SWEEPS)) if _task(each) == told), None)
        return [*arguments, f"hydra.sweep.dir={_quoted(begun)}"] if begun else list(arguments)
    folder = Path(place.strip("'\""))
    if (folder / "multirun.yaml").is_file() and _task(folder) != told:
        raise ArgumentsError(
            f"{folder} holds another sweep ({' '.join(_task(folder))}): choose another hydra.sweep.dir"
        )
    return list(arguments)


def _is_override(argument: str) -> bool:
    """Tell an option of the runs from Hydra's own, its flags, and what follows these."""
    given = "=" in argument or argument.startswith("~")
    return given and not argument.startswith(("-", "hydra.", "hydra/"))


def _is_changeable(argument: str) -> bool:
    return re.split("[.=]", argument.lstrip("+~"))[0] in (*CHANGEABLE, *SWEEP_ONLY)


def _newest_first(place: Path) -> Iterator[Path]:
    found = [path.parent for path in place.glob("*/*/multirun.yaml")]
    yield from sorted(found, key=lambda folder: (folder / "multirun.yaml").stat().st_mtime, reverse=True)


def _task(folder: Path) -> list[str]:
    return [each for each in _asked(folder)[1] if not _is_changeable(each)]


def _asked(folder: Path) -> tuple[list[str], list[str]]:
    """Return what a sweep was asked for when it began: about Hydra, and about its runs."""
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
    told = dict(each.partition("=")[::2] for each in arguments)
    folder = Path(told.get("hydra.run.dir", "outputs").strip("'\""))
    if (
        told.get("overwrite", "false").lower() in ("false", "off", "no", "0")
        and (folder / "config.yaml").is_file()
    ):
        from fedlocal.results import check_unused

        check_unused(folder)


def _check_output_folder(arguments: Sequence[str]) -> None:
    """Refuse an output folder that cannot be written before Hydra trips over it.

    Raises
    ------
    ArgumentsError
        With the folder and the reason.
    """
    if has_flags(arguments):
        return
    chosen = [
        match[1] for argument in arguments if (match := re.match(r"hydra\.(?:run|sweep)\.dir=(.+)", argument))
    ]
    wanted = Path(re.split(r"\\*\$\{", chosen[-1].strip("'\""))[0] if chosen else ".").absolute()
    try:
        existing = next(path for path in (wanted, *wanted.parents) if path.exists())
        reason = "" if existing.is_dir() else "is not a folder"
        if not reason:
            TemporaryDirectory(prefix=".fedlocal-", dir=existing).cleanup()  # asking is not enough
    except OSError as error:
        existing, reason = wanted, f"cannot be written ({error.strerror or error})"
    if reason:
        raise ArgumentsError(f"results cannot be written to {wanted}: {existing} {reason}; set hydra.run.dir")
