"""fedlocal's own round loop over a Flower strategy.

It calls what ``Strategy.start`` calls, in the same order, and ends with the same bits; but it can be watched,
timed and stopped after each round, which ``Strategy.start`` cannot.
"""

import logging
import math
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy as Strategy
from numpy.typing import NDArray

from fedlocal.availability import Presence, Presences, always_available
from fedlocal.flower.admission.strict import Admission, is_finite
from fedlocal.flower.grid.local_grid import ExchangeTimes, LocalGrid
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.node.client_runner import partition_of
from fedlocal.flower.server.metrics import with_common_metrics
from fedlocal.flower.server.participation import Attendance, attendances
from fedlocal.flower.server.streaming_mean import Span, TrainingOutcome, streams, train_and_average
from fedlocal.flower.server.untrained_arrays import kept_apart, rounded
from fedlocal.seeds import Stream, generator

Arrays = Mapping[str, NDArray[Any]]
Evaluate = Callable[[int, Arrays], Mapping[str, float]]

NO_MORE = "No more were asked (strategy.fraction_train)."

_log = logging.getLogger(__name__)


class _Stopwatch:
    """Cuts time into named laps, in seconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """End a lap."""
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now


class QuorumError(RuntimeError):
    """Too few clients replied in a round for it to give a model."""


@dataclass(frozen=True)
class FederatedRound:
    """What one round left behind; round 0 is the evaluation of the initial arrays.

    Parameters
    ----------
    number : int
        The round.
    arrays : mapping of str to NDArray
        The global model after it; not to be written to.
    train_metrics, evaluate_metrics : mapping of str to float
        The clients' metrics as the strategy aggregated them.
    server_metrics : mapping of str to float
        The central evaluation's.
    client_metrics, client_evaluations : mapping of int to mapping of str to float
        What each partition reported in training, and in the clients' evaluation.
    errors, evaluation_errors : mapping of int to str
        The reasons of the partitions that have no reply, likewise.
    exchange : ExchangeTimes, optional
        The times of the training messages, if the grid is a local one.
    averaging : sequence of (float, float)
        When replies were averaged during the exchange, in ``time.perf_counter`` seconds.
    spans : mapping of str to float
        Seconds: ``configure``, ``exchange``, ``aggregation``, ``evaluation``.
    presence : Presence, optional
        Which clients were there, if they were not all bound to be.
    """

    number: int
    arrays: Arrays
    train_metrics: Mapping[str, float] = field(default_factory=dict)
    evaluate_metrics: Mapping[str, float] = field(default_factory=dict)
    server_metrics: Mapping[str, float] = field(default_factory=dict)
    client_metrics: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    client_evaluations: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    errors: Mapping[int, str] = field(default_factory=dict)
    evaluation_errors: Mapping[int, str] = field(default_factory=dict)
    exchange: ExchangeTimes | None = None
    averaging: Sequence[Span] = ()
    spans: Mapping[str, float] = field(default_factory=dict)
    presence: Presence | None = None


@dataclass(frozen=True)
class _TrainingPhase:
    arrays: ArrayRecord
    metrics: dict[str, float]
    clients: dict[int, dict[str, float]]
    errors: dict[int, str]
    exchange: ExchangeTimes | None
    averaging: Sequence[Span]


@dataclass(frozen=True)
class RoundLoop:
    """The loop's settings.

    Parameters
    ----------
    strategy : Strategy
        Any of Flower's message-API strategies.
    rounds : int
        How many.
    seed : int
        Chooses the nodes of each round: Flower samples from Python's global generator.
    evaluate : callable
        Central evaluation: the round's number and the model's arrays, to metrics; empty where it does not
        evaluate.
    admission : Admission
        Turns bad replies into errors.
    min_results : int, optional
        How many clients must reply in a round; by default all that were asked. One that is excused, since
        it has nothing to train on, has replied.
    timeout : float, optional
        Seconds for a round's training, and for its evaluation.
    presences : callable
        Says which clients are there in each round; by default all. A round for which the strategy would need
        more leaves the model as it was; those that go in the middle of one are not asked for a result.
    untrained : collection of str
        Arrays that no gradient moves, such as batch-norm's statistics
        (`fedlocal.flower.server.untrained_arrays`).
    """

    strategy: Strategy
    rounds: int
    seed: int
    evaluate: Evaluate
    admission: Admission
    min_results: int | None = None
    timeout: float | None = None
    presences: Presences = always_available
    untrained: Collection[str] = ()

    def run(self, grid: Grid, initial: Arrays, after: int = 0) -> Iterator[FederatedRound]:
        """Yield round 0, and each further round when it is done.

        Parameters
        ----------
        grid : Grid
            Carries the messages.
        initial : mapping of str to NDArray
            The global model at the start.
        after : int
            The round that left it, to go on with an earlier run: round 0 and all others up to this one are
            not yielded.

        Raises
        ------
        QuorumError
            If fewer than `min_results` clients replied (the first client's traceback is in the message), or
            the strategy gave no model, or one that is not finite.
        """
        arrays = array_record(initial)
        if not after:
            yield FederatedRound(0, initial, server_metrics=self.evaluate(0, initial))
        train_config, evaluate_config = ConfigRecord(), ConfigRecord()
        numbers = range(after + 1, self.rounds + 1)
        upcoming = attendances(self.presences, after, self.rounds)
        for number, attendance in zip(numbers, upcoming, strict=True):
            watch = _Stopwatch()
            trained = self._train(number, arrays, train_config, grid, attendance, watch)
            arrays = trained.arrays
            evaluate_metrics, evaluated, failed = self._evaluate_on_clients(
                number, arrays, evaluate_config, grid, attendance
            )
            server_metrics = self.evaluate(number, ndarrays(arrays))
            watch.lap("evaluation")
            yield FederatedRound(
                number,
                ndarrays(arrays),
                trained.metrics,
                evaluate_metrics,
                server_metrics,
                trained.clients,
                evaluated,
                trained.errors,
                failed,
                trained.exchange,
                trained.averaging,
                watch.laps,
                attendance.presence,
            )

    def _train(
        self,
        number: int,
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,
        attendance: Attendance,
        watch: _Stopwatch,
    ) -> _TrainingPhase:
        """Train and aggregate. The replies end here: the shared memory they lie in is the next round's."""
        attendance.admit(grid, "train")
        messages: list[Message] = []
        if not (nothing := attendance.too_few(self.strategy, "train")):
            with self._sampling(number):
                messages = list(self.strategy.configure_train(number, arrays, config, grid))
        watch.lap("configure")
        messages = attendance.answering(messages)
        trained = self._exchanged(messages, arrays, grid) if messages else TrainingOutcome([])
        watch.lap("exchange")
        self._check_quorum(number, trained, self.min_results, attendance)
        clients, errors = _by_partition(trained.replies)
        trained = self._aggregated(number, trained, arrays, nothing or "no client had anything to add")
        phase = _TrainingPhase(
            self._as_sent(number, trained.arrays, arrays),
            _floats(trained.metrics),
            clients,
            errors,
            grid.last_exchange if messages and isinstance(grid, LocalGrid) else None,
            trained.averaging,
        )
        watch.lap("aggregation")
        return phase

    def _exchanged(self, messages: Sequence[Message], arrays: ArrayRecord, grid: Grid) -> TrainingOutcome:
        """Have clients train, and admit their replies."""
        if streams(self.strategy) and isinstance(grid, LocalGrid):
            return train_and_average(self.strategy, grid, messages, self.admission, arrays, self.timeout)
        replies = list(grid.send_and_receive(messages, timeout=self.timeout))
        admitted = self.admission.values(self.admission.structure(replies, arrays))
        return TrainingOutcome(admitted, excused=len(replies) - len(admitted))

    def _aggregated(
        self, number: int, trained: TrainingOutcome, before: ArrayRecord, nothing: str
    ) -> TrainingOutcome:
        """Have the strategy aggregate, if that was not done; without replies the model stays as it was."""
        if not any(reply.has_content() for reply in trained.replies):
            _log.warning("round %d: %s, the model stays as it was", number, nothing)
            return replace(trained, arrays=before, metrics=None)
        if trained.averaging:
            return trained
        replies = with_common_metrics(trained.replies)
        replies, apart = kept_apart(self.strategy, replies, before, self.untrained)
        arrays, metrics = self.strategy.aggregate_train(number, replies)
        if arrays is not None and apart:
            arrays = array_record({**ndarrays(arrays), **apart})
        return replace(trained, arrays=arrays, metrics=metrics)

    def _as_sent(self, number: int, record: ArrayRecord | None, before: ArrayRecord) -> ArrayRecord:
        """Return a strategy's arrays with the dtypes of the model.

        Strategies return serialised bytes, parsed here once rather than once per client; and FedAdam and its
        kin compute in float64.
        """
        name = f"round {number}: {type(self.strategy).__name__}"
        if record is None or list(record) != list(before):
            gave = list(record) if record else "no model"
            raise QuorumError(f"{name} gave {gave}; its options or warnings may say why")
        dtypes = {key: array.dtype for key, array in ndarrays(before).items()}
        with np.errstate(over="ignore"):
            arrays = {key: rounded(array, dtypes[key]) for key, array in ndarrays(record).items()}
        if bad := [key for key, array in arrays.items() if not is_finite(array)]:
            raise QuorumError(
                f"{name} gave arrays that are not finite ({', '.join(bad)}), from replies that were"
            )
        return array_record(arrays)

    def _evaluate_on_clients(
        self, number: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid, attendance: Attendance
    ) -> tuple[dict[str, float], dict[int, dict[str, float]], dict[int, str]]:
        attendance.admit(grid, "evaluate")
        if attendance.too_few(self.strategy, "evaluate"):
            return {}, {}, {}
        with self._sampling(-number):
            messages = list(self.strategy.configure_evaluate(number, arrays, config, grid))
        messages = attendance.answering(messages)
        if not messages:
            return {}, {}, {}
        replies = self.admission.evaluation(list(grid.send_and_receive(messages, timeout=self.timeout)))
        asked = len(messages)
        needed = None if self.min_results is None else min(self.min_results, asked)  # fewer may be asked
        judged = TrainingOutcome(replies, excused=asked - len(replies))
        self._check_quorum(number, judged, needed, attendance, " to evaluate")
        evaluated, errors = _by_partition(replies)
        # One loss that is not finite would make NaN of all others.
        useful = with_common_metrics([reply for reply in replies if _says_something(reply)])
        metrics = self.strategy.aggregate_evaluate(number, useful) if useful else None
        return _floats(metrics), evaluated, errors

    @contextmanager
    def _sampling(self, number: int) -> Iterator[None]:
        before = random.getstate()
        phase, number = int(number < 0), abs(number)
        random.seed(int(generator(self.seed, Stream.SAMPLING, phase, number).integers(2**63)))
        try:
            yield
        finally:
            random.setstate(before)

    @staticmethod
    def _check_quorum(
        number: int, trained: TrainingOutcome, needed: int | None, attendance: Attendance, when: str = ""
    ) -> None:
        """End the run where fewer clients replied than needed; None is all that were asked."""
        failed = [reply for reply in trained.replies if reply.has_error()]
        replied = len(trained.replies) + trained.excused
        needed = replied if needed is None else needed
        if replied - len(failed) < needed:
            asked = f"{attendance.presence} (availability)." if attendance.presence else ""
            reason = failed[0].error.reason if failed else asked or NO_MORE
            raise QuorumError(
                f"round {number}: {len(failed)} of {replied} clients failed{when}, {needed} must reply "
                f"(min_results). {reason}"
            )


def _says_something(reply: Message) -> bool:
    if reply.has_error():
        return False
    metrics = _floats(next(iter(reply.content.metric_records.values()), None))
    return metrics.get("num-examples", 1) > 0 and all(map(math.isfinite, metrics.values()))


def _by_partition(replies: Sequence[Message]) -> tuple[dict[int, dict[str, float]], dict[int, str]]:
    metrics: dict[int, dict[str, float]] = {}
    errors: dict[int, str] = {}
    for reply in replies:
        partition = partition_of(reply.metadata.src_node_id)
        if reply.has_error():
            errors[partition] = reply.error.reason or ""
        else:
            metrics[partition] = _floats(next(iter(reply.content.metric_records.values()), None))
    return metrics, errors


def _floats(record: MetricRecord | None) -> dict[str, float]:
    return {key: float(value) for key, value in (record or {}).items() if isinstance(value, int | float)}
