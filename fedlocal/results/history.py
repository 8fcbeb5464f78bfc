"""The history of a run: its rounds, in memory and in the run's folder.

``metrics.csv`` grows with each round, and so does ``timeline.csv`` where actors work in many stretches in a
round: what they hold is described in `fedlocal.results.rounds` and `fedlocal.results.round_files`.
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.copies import copy_of, sound_text
from fedlocal.results.csv_file import GrowingCsv, write_csv
from fedlocal.results.formatting import duration, fixed
from fedlocal.results.older_history import OLDER, read_older
from fedlocal.results.phases import shown
from fedlocal.results.round_files import (
    METRICS,
    TIMELINE,
    TIMELINE_HEADER,
    metric_records,
    read_rounds,
    read_timeline,
    with_work,
    work_records,
)
from fedlocal.results.rounds import HEADER, TIMED, MetricRow, Round, Work

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

__all__ = ["TIMED", "History", "Round", "Work"]

MOST_METRICS = 4  # in a line


class History:
    """The rounds of one run.

    Used as a context manager it is closed at the end of the block, also after an error.

    Parameters
    ----------
    folder : Path or None
        Where ``metrics.csv`` is written as the run goes on, with ``timeline.csv`` where rounds have `work`;
        None keeps the history in memory. The files of an earlier run in the same folder are replaced.
    rounds : sequence of Round
        The first rounds: of a resumed run, those that it keeps.

    Attributes
    ----------
    rounds : list of Round
        In ascending order of their numbers.

    Raises
    ------
    ResultsError
        If the folder cannot be written.

    Examples
    --------
    >>> history = History()
    >>> history.record(Round(0, metrics={"accuracy": 0.1}))
    >>> history.record(Round(1, seconds={"training": 0.5}, metrics={"accuracy": 0.9}))
    >>> history.series("accuracy")
    ([0, 1], [0.1, 0.9])
    >>> history.seconds
    0.5
    >>> history
    History: rounds 0 to 1, accuracy 0.1000 to 0.9000 (best 0.9000), training time 0.50 s
    """

    def __init__(self, folder: Path | None = None, rounds: Sequence[Round] = ()) -> None:
        self.rounds = list(rounds)
        self._folder = folder
        self._metrics: GrowingCsv | None = None
        self._timeline: GrowingCsv | None = None
        if folder is not None:
            self._metrics = GrowingCsv(folder / METRICS, HEADER, metric_records(self.rounds))
            work = work_records(self.rounds)
            self._timeline = GrowingCsv(folder / TIMELINE, TIMELINE_HEADER, work, optional=True)
            (folder / OLDER).unlink(missing_ok=True)

    def record(self, round: Round) -> None:  # noqa: A002  (Flower's and everyone's word for it)
        """Append a round and write its rows.

        A disk that is full or gone does not stop a run: the first failure is logged as a warning, then no
        more rows are written.

        Raises
        ------
        ResultsError
            If its number is not above that of the last one.
        """
        if self.rounds and round.number <= self.rounds[-1].number:
            msg = f"round {round.number} recorded after round {self.rounds[-1].number}: rounds must ascend"
            raise ResultsError(msg)
        self.rounds.append(round.as_written())
        if self._metrics is not None and self._timeline is not None:
            last = self.rounds[-1:]
            self._timeline.append(work_records(last))  # first: no round is read with a part of its work
            self._metrics.append(metric_records(last))

    @property
    def metric_names(self) -> set[str]:
        """The names of the global metrics that any round has."""
        return {name for round_ in self.rounds for name in round_.metrics}

    @property
    def error_count(self) -> int:
        """How many messages ended in an error."""
        return sum(len(round_.errors) for round_ in self.rounds)

    def series(self, metric: str) -> tuple[list[int], list[float]]:
        """Return the numbers of the rounds that have a global metric, and its values."""
        pairs = [
            (round_.number, round_.metrics[metric]) for round_ in self.rounds if metric in round_.metrics
        ]
        return [number for number, _ in pairs], [value for _, value in pairs]

    def final(self, metric: str) -> float | None:
        """Return the last value of a global metric, None if no round has it."""
        values = self.series(metric)[1]
        return values[-1] if values else None

    def best(self, metric: str, mode: Literal["min", "max"] | None = None) -> float | None:
        """Return the best value of a global metric, NaN left out; None if there is none.

        Parameters
        ----------
        metric : str
            A global metric.
        mode : {"min", "max"} or None
            Whether low or high is good; None means low for names that end in ``loss`` or ``error``.
        """
        values = [value for value in self.series(metric)[1] if not math.isnan(value)]
        low_is_good = metric.endswith(("loss", "error")) if mode is None else mode == "min"
        choose: Callable[[list[float]], float] = min if low_is_good else max
        return choose(values) if values else None

    def total(self, span: str) -> float:
        """Return the seconds of one span, summed over the rounds."""
        return sum(round_.seconds.get(span, 0.0) for round_ in self.rounds)

    @property
    def seconds(self) -> float:
        """The training time: dispatch, training, collection and aggregation of all rounds, in seconds."""
        return sum(round_.timed for round_ in self.rounds)

    @property
    def idle_share(self) -> float | None:
        """The part of the workers' time within rounds they spent idle, None if not measured."""
        idle, busy = self.total("idle"), self.total("busy")
        return idle / (idle + busy) if idle + busy > 0 else None

    def close(self) -> None:
        """Close the files; closing twice is allowed.

        Where ``metrics.csv`` could not be written as the run went on, or was deleted meanwhile, both files
        are written again.

        Raises
        ------
        ResultsError
            If it cannot be written.
        """
        folder, self._folder = self._folder, None
        if folder is None or self._metrics is None or self._timeline is None:
            return
        self._metrics.close()
        self._timeline.close()
        if not self._metrics.is_whole:
            with suppress(OSError):  # what is in the way, writing will say
                folder.mkdir(parents=True, exist_ok=True)
            write_csv(folder / METRICS, HEADER, metric_records(self.rounds))
            if any(round_.work for round_ in self.rounds):
                write_csv(folder / TIMELINE, TIMELINE_HEADER, work_records(self.rounds))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except ResultsError as error:
            if kind is None:
                raise
            logger.warning("%s", error)  # what ended the run is the news, not this

    @classmethod
    def is_in(cls, folder: Path) -> bool:
        """Tell whether a folder has the history of a run."""
        paths = (folder / METRICS, copy_of(folder / METRICS), folder / OLDER)
        return any(path.exists() for path in paths)

    @classmethod
    def resumed(cls, folder: Path, last: int) -> Self:
        """Go on with the history of an earlier run after one of its rounds; later ones are dropped.

        A file that is damaged is kept beside, its name followed by ``.damaged``, and the rounds are read from
        its second copy. Where somebody has deleted them all, that is logged, and the history begins with what
        comes.

        Raises
        ------
        ResultsError
            If they are damaged beyond that: the message says how to go on without them.
        """
        if not cls.is_in(folder):
            logger.warning("the rounds up to %d are lost: %s has no metrics.csv", last, folder)
            return cls(folder)
        readers = {OLDER: read_older, METRICS: read_rounds, TIMELINE: read_timeline}
        for path, read in {folder / name: read for name, read in readers.items()}.items():
            if path.exists() and (damage := _damage(path, read)):
                path.replace(path.with_name(f"{path.name}.damaged"))
                logger.warning("%s is damaged (%s), and kept as %s.damaged", path, damage, path.name)
        try:
            rounds = cls.load(folder).rounds
        except ResultsError as error:
            raise ResultsError(
                f"{error}: no sound copy of its rounds is left; move metrics.csv.damaged and "
                ".metrics.csv.copy elsewhere to go on without them"
            ) from error
        return cls(folder, [round_ for round_ in rounds if round_.number <= last])

    @classmethod
    def load(cls, folder: str | Path, *, actors: bool = True) -> Self:
        """Read the history of an earlier run; recording into it writes nothing.

        Parameters
        ----------
        folder : str or Path
            The run's folder. A last round that a killed run did not write to its end is left out. A
            ``timeline.csv`` that is damaged is logged, and the rounds have no `work`.
        actors : bool
            Whether to read what each actor did, which is most of a history.

        Raises
        ------
        ResultsError
            If there is no history, or it is damaged.
        """
        folder = Path(folder)
        older = folder / OLDER
        rounds = read_older(older) if older.exists() else read_rounds(folder / METRICS, actors=actors)
        return cls(rounds=with_work(rounds, folder / TIMELINE) if actors else rounds)

    def to_frame(self) -> "pd.DataFrame":
        """Return the rows of ``metrics.csv`` as a data frame; ``actor`` is a nullable integer.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            msg = "History.to_frame needs pandas: pip install pandas, or read metrics.csv with what you have"
            raise ImportError(msg) from error
        frame = pd.DataFrame(list(self._rows()), columns=list(HEADER))
        return frame.astype({"round": "int64", "actor": "Int64", "value": "float64"})

    def __repr__(self) -> str:
        """Return a line: which rounds, how accuracy and loss went, and how long training took."""
        if not self.rounds:
            return "History: no rounds"
        first, last = self.rounds[0].number, self.rounds[-1].number
        parts = [f"rounds {first} to {last}" if last > first else f"round {first}"]
        for metric in shown(self.metric_names)[:MOST_METRICS]:
            values = self.series(metric)[1]
            went = " to ".join(map(fixed, dict.fromkeys((values[0], values[-1]))))
            parts.append(f"{metric} {went} (best {fixed(self.best(metric))})")
        if self.error_count:
            parts.append(f"{self.error_count} messages ended in an error")
        return f"History: {', '.join([*parts, f'training time {duration(self.seconds)}'])}"

    def _repr_html_(self) -> str:
        return f"<div><p>{escape(repr(self))}</p>{self._curves()}</div>"

    def _curves(self) -> str:
        return ""  # unless the room of figures is there

    @classmethod
    def drawn_by(cls, curves: "Callable[[History], str]") -> "Callable[[History], str]":
        """Decorate the function that draws a history as SVG, which a notebook shows below the text.

        The room of figures does so when it is imported: this room draws nothing.
        """
        cls._curves = curves  # type: ignore[assignment, method-assign]
        return curves

    def _rows(self) -> Iterator[MetricRow]:
        return (row for round_ in self.rounds for row in round_.rows())


def _damage(path: Path, read: Callable[[Path], object]) -> str | None:
    """Say what is wrong with a file of a history, None if nothing is."""
    try:
        damage = sound_text(path)[1]
        if not damage:
            read(path)
    except ResultsError as error:
        return str(error)
    return damage
