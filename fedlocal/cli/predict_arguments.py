"""What ``fedlocal predict`` is asked for: its words, and what is wrong with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from fedlocal.config.did_you_mean import did_you_mean

if TYPE_CHECKING:
    from fedlocal.results import Which

HELP = """\
usage: fedlocal predict model=FOLDER input=FILE.csv|FILE.npz|test [key=value …]

Have a trained model answer for new rows.

  model=…                the folder of a run, or a model's file in it, such as FOLDER/actor-0.npz
  input=…                raw rows: a .csv, whose columns are found by their names where the training set had
                         names, or an .npz with an array x; or test, or the training set's name: its test rows
  header=auto            whether the first line of a .csv names its columns: true, false, or auto, which asks
                         where the line could be a row as well
  output=predictions.csv where predictions go: .csv or .npz; of test rows nowhere, unless it is given
  which=last             or best: the model of the round that did best on the test rows, also of a run that
                         has not ended
  probabilities=false    or true: write the probability of each class, too
  workers=auto           processes that compute; auto: this one, and more if it takes longer than a second
  batch_size=1024        rows that a worker takes at a time
  trust=false            or true: import and call whatever the model's files name, such as a class of your own

exit codes: 0 all rows were answered; 1 they were not; 130 after Ctrl-C"""

CHOICES = {
    "model": None,
    "input": None,
    "header": ("auto", "true", "false"),
    "output": None,
    "which": ("last", "best"),
    "probabilities": ("false", "true"),
    "workers": None,
    "batch_size": None,
    "trust": ("false", "true"),
}


class UsageError(ValueError):
    """The command line asks for what cannot be."""


@dataclass(frozen=True)
class PredictRequest:
    """What the command line asks for."""

    model: Path
    input: str
    output: Path | None
    which: "Which"
    probabilities: bool
    workers: int | Literal["auto"]
    batch_size: int
    header: bool | None = None
    trust: bool = False

    @property
    def path(self) -> Path | None:
        """The file of rows, None if a data set is meant."""
        path = Path(self.input).expanduser()
        return path if path.suffix in (".csv", ".npz") or path.is_file() else None


def request_of(arguments: Sequence[str]) -> PredictRequest:
    """Read the command line.

    Raises
    ------
    UsageError
        If a word is not known, is given twice, or has a value that it cannot have.
    """
    given: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key not in CHOICES or not equals or not value:
            hint = did_you_mean(key, CHOICES, "{}=…")
            raise UsageError(f"{argument}: expected {', '.join(f'{name}=…' for name in CHOICES)}{hint}")
        if key in given:
            raise UsageError(f"{key} is given twice")
        choices = CHOICES[key]
        if choices and value not in choices:
            raise UsageError(f"{argument}: must be {' or '.join(choices)}")
        given[key] = value
    for key in ("model", "input"):
        if key not in given:
            raise UsageError(f"{key}=… is missing; fedlocal predict --help")
    return _request(given)


def _request(given: Mapping[str, str]) -> PredictRequest:
    workers = given.get("workers", "auto")
    return PredictRequest(
        model=Path(given["model"]).expanduser(),
        input=given["input"],
        output=Path(given["output"]).expanduser() if "output" in given else None,
        which=cast("Which", given.get("which", "last")),
        probabilities=given.get("probabilities") == "true",
        workers="auto" if workers == "auto" else _count("workers", workers),
        batch_size=_count("batch_size", given.get("batch_size", "1024")),
        header={"true": True, "false": False}.get(given.get("header", "auto")),
        trust=given.get("trust") == "true",
    )


def _count(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{name}={text}: must be a number of at least 1")
    return int(text)


def check_output(path: Path | None) -> None:
    """Refuse a file that cannot be written before there is anything to write."""
    if path and path.suffix not in (".csv", ".npz"):
        raise UsageError(f"output={path}: must end in .csv or .npz")
    if path and (path.is_dir() or not path.parent.is_dir()):
        raise UsageError(f"output={path}: {'is a folder' if path.is_dir() else 'its folder does not exist'}")
