"""The record of a round, and the tidy rows as which it is written.

A row of ``metrics.csv`` is ``round,phase,actor,metric,value``: one number each, so that
``pandas.read_csv("metrics.csv").query("phase == 'evaluate'")`` is all a reader needs.

====================  =========  ====================================  ===================================
phase                 actor      metric                                value
====================  =========  ====================================  ===================================
a span                empty      ``seconds``                           wall seconds of the span (see `Round`)
``train``             empty      ``train-loss`` and other ``train-…``  as actors report it, on average
``train``             empty      ``available``                         actors that were there
``rows``              empty      ``trained``                           rows trained on, in all epochs
``evaluate``          empty      ``loss``, ``accuracy``, …             of the global model, on the test set
``evaluate-clients``  empty      ``client-loss``, …                    on actors' held-out rows, on average
``train``             its index  ``num-examples``, ``train-loss``, …   of this actor's training
``evaluate``          its index  ``loss``, ``accuracy``, …             of its own model, on the test set
``evaluate-clients``  its index  ``client-loss``, …                    on this actor's held-out rows
``error``             its index  the reason, on one line               1; of training
``error-…``           its index  the reason, on one line               1; of another phase
``absent``            its index  ``away``, or ``left``: in mid-round   1
``round``             empty      ``recorded``                          1; only if nothing else is known of it
====================  =========  ====================================  ===================================

``actor`` is empty where a row is of the whole round. Numbers that are not finite are ``nan``, ``inf``,
``-inf``. A metric's name says its phase (`fedlocal.results.phases`): no two phases share one. Control
characters in names and reasons are replaced.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from fedlocal.results.formatting import printable
from fedlocal.results.phases import COLUMN, PHASES, Phase, phase_of

TIMED = ("dispatch", "training", "collection", "aggregation")
"""The spans of a round, in this order, that count for speed-up."""

HEADER = ("round", "phase", "actor", "metric", "value")
OF_TRAINING = ("num-examples", "seconds", "started", "worker")
ERRORS: Mapping[Phase, str] = {phase: f"error-{COLUMN[phase]}" for phase in PHASES} | {"train": "error"}
PHASE_OF_ERROR = {name: phase for phase, name in ERRORS.items()}

MOST_LISTED = 10_000
"""Of more actors than these, a round says how many were there, but not who."""


class MetricRow(NamedTuple):
    """One number of a run, as ``metrics.csv`` holds it."""

    round: int
    phase: str
    actor: int | None
    metric: str
    value: float


class MessageError(NamedTuple):
    """A message to an actor that ended in an error.

    Parameters
    ----------
    actor : int
        The actor's index.
    phase : {"train", "client", "query"}
        The kind of message.
    reason : str
        Why there is no reply.
    """

    actor: int
    phase: Phase
    reason: str


class Work(NamedTuple):
    """One stretch of work: what an actor did without a pause, on one worker.

    Parameters
    ----------
    actor, worker : int
        Who, and where.
    started, seconds : float
        Seconds from the round's start to the stretch's, and how long it took.
    """

    actor: int
    worker: int
    started: float
    seconds: float


@dataclass(frozen=True)
class Round:
    """Everything that was measured in one round.

    Parameters
    ----------
    number : int
        From 1; round 0 is the evaluation of the initial model, before any training.
    seconds : Mapping[str, float]
        Wall seconds of ``dispatch``, ``training``, ``collection`` and ``aggregation``, which follow one
        another and make up the round; apart from them ``evaluation``, and the worker-seconds ``busy`` and
        ``idle`` within the round. In a comparison also ``elapsed``, the whole round, and ``contended``, for
        how much of it others had the cores (`fedlocal.results.contention`).
    metrics : Mapping[str, float]
        Of the global model: ``loss`` and ``accuracy`` on the test set where this round was evaluated; and
        the actors' means, such as ``train-loss``, as `fedlocal.results.phases` names them.
    actors : Mapping[int, Mapping[str, float]]
        Per actor: ``num-examples``, ``train-loss``, ``seconds``, ``started`` (seconds since the round's
        start), ``worker``; ``client-loss`` and ``client-accuracy`` where clients evaluate; ``loss`` and
        ``accuracy`` on the test set where each has a model of its own.
    errors : tuple of MessageError
        One for each message that ended in an error; an actor may have several in a round.
    work : sequence of Work
        Where actors work in many stretches in a round, each of them; `actors` then says no ``started``. Not
        part of the rows: a history keeps it in ``timeline.csv``.
    absent : Mapping[int, str]
        Actor to ``away``, or ``left`` if it went in the middle of the round.
    trained_rows : int or None
        How many rows what was learnt in the round rests on, each as often as it was visited: those of actors
        whose reply was an error, or never came, do not count. None if it is not known.
    """

    number: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    actors: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    errors: tuple[MessageError, ...] = ()
    work: Sequence[Work] = ()
    absent: Mapping[int, str] = field(default_factory=dict)
    trained_rows: int | None = None

    @property
    def timed(self) -> float:
        """Seconds of the spans that speed-up counts."""
        return sum(self.seconds.get(span, 0.0) for span in TIMED)

    @property
    def workers(self) -> float:
        """How many workers there were: ``busy`` and ``idle`` are their seconds; 0 if not known."""
        total = self.seconds.get("busy", 0.0) + self.seconds.get("idle", 0.0)
        return total / self.timed if self.timed > 0 else 0.0

    @property
    def stretches(self) -> Sequence[Work]:
        """Who worked where and when: `work`, or a stretch for each actor whose start is known."""
        return self.work or [
            Work(actor, int(measured["worker"]), measured["started"], measured["seconds"])
            for actor, measured in self.actors.items()
            if "started" in measured
        ]

    def as_written(self) -> "Round":
        """Return the round as its rows have it: reasons are lines, actors without numbers are left out."""
        return replace(
            self,
            actors={actor: measured for actor, measured in self.actors.items() if measured},
            errors=tuple(
                error._replace(reason=printable(" ".join(error.reason.split()))) for error in self.errors
            ),
            work=tuple(self.work),
        )

    def rows(self) -> Iterator[MetricRow]:
        """Yield the round as rows of ``metrics.csv``, actors in ascending order."""
        row = partial(MetricRow, self.number)
        if self == Round(self.number, work=self.work):
            yield row("round", None, "recorded", 1.0)
        yield from (row(span, None, "seconds", value) for span, value in self.seconds.items())
        if self.trained_rows is not None:
            yield row("rows", None, "trained", self.trained_rows)
        yield from (row(phase_of(metric), None, metric, value) for metric, value in self.metrics.items())
        for actor, measured in sorted(self.actors.items()):
            for metric, value in measured.items():
                yield row("train" if metric in OF_TRAINING else phase_of(metric), actor, metric, value)
        yield from (row(ERRORS[error.phase], error.actor, error.reason, 1.0) for error in self.errors)
        yield from (row("absent", actor, how, 1.0) for actor, how in sorted(self.absent.items()))


def rounds_from_rows(rows: Iterable[MetricRow]) -> list[Round]:
    """Put rows together to rounds again, in the order of their numbers."""
    rounds: dict[int, _Parts] = {}
    for row in rows:
        rounds.setdefault(row.round, _Parts()).add(row)
    return [Round(number, **vars(parts)) for number, parts in sorted(rounds.items())]


@dataclass
class _Parts:
    """The mappings of a round while its rows come in."""

    seconds: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    actors: dict[int, dict[str, float]] = field(default_factory=dict)
    errors: tuple[MessageError, ...] = ()
    absent: dict[int, str] = field(default_factory=dict)
    trained_rows: int | None = None

    def add(self, row: MetricRow) -> None:
        if row.phase == "round":
            return
        if row.phase == "rows":
            self.trained_rows = int(row.value)
        elif row.actor is None and row.phase not in ("evaluate", *COLUMN.values()):
            self.seconds[row.phase] = row.value
        elif row.actor is None:
            self.metrics[row.metric] = row.value
        elif row.phase in PHASE_OF_ERROR:
            self.errors += (MessageError(row.actor, PHASE_OF_ERROR[row.phase], row.metric),)
        elif row.phase == "absent":
            self.absent[row.actor] = row.metric
        else:
            self.actors.setdefault(row.actor, {})[row.metric] = row.value
