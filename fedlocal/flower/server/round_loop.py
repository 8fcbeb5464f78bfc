"""fedlocal's own round loop over a Flower strategy.

It calls what ``Strategy.start`` calls, in the same order, and ends with the same bits; but it can be watched,
timed and stopped after each round, which ``Strategy.start`` cannot.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy as Strategy
from numpy.typing import NDArray

from fedlocal.availability import Presence, Presences, always_available
from fedlocal.flower.admission.policy import Admission
from fedlocal.flower.admission.strict import is_finite
from fedlocal.flower.grid.local_grid import ExchangeTimes, LocalGrid
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.node.client_runner import partition_of
from fedlocal.flower.node.seeding import seeded
from fedlocal.flower.server.metrics import with_common_metrics
from fedlocal.flower.server.participation import Participation, participations
from fedlocal.flower.server.streaming_mean import Span, TrainingOutcome, streams, train_and_average
from fedlocal.flower.server.untrained_arrays import names_apart, rounded, separate_untrained
from fedlocal.seeds import Stream, generator

Arrays = Mapping[str, NDArray[Any]]
Evaluate = Callable[[int, Arrays], Mapping[str, float]]

NO_MORE = "No more were asked (strategy.fraction_train)."

_log = logging.getLogger(__name__)


class Step(IntEnum):
    """What a strategy does in a round. The values are part of every result: never renumber."""

    CONFIGURE_TRAIN = 0
    CONFIGURE_EVALUATE = 1
    AGGREGATE_TRAIN = 2
    AGGREGATE_EVALUATE = 3


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
    """What a round gave; round 0 is the evaluation of the initial arrays.

    Parameters
    ----------
    number : int
        The round's number.
    arrays : mapping of str to NDArray
        The global model after it; not to be written to.
    train_metrics, evaluate_metrics : mapping of str to float
        The clients' metrics as the strategy aggregated them.
    server_metrics : mapping of str to float
        The metrics of the central evaluation.
    client_metrics, client_evaluations : mapping of int to mapping of str to float
        What each partition reported in training, and in the clients' evaluation.
    errors, evaluation_errors : mapping of int to str
        Why a partition has no reply, in training and in the clients' evaluation.
    exchange : ExchangeTimes, optional
        The times of the training messages, if the grid is a local one.
    averaging : sequence of (float, float)
        When replies were averaged during the exchange, in ``time.perf_counter`` seconds.
    spans : mapping of str to float
        Seconds: ``configure``, ``exchange``, ``aggregation``, ``evaluation``.
    presence : Presence, optional
        Which clients were there, if not all of them had to be.
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
        The number of rounds.
    seed : int
        Of all that the strategy draws from global generators: Flower samples nodes from Python's, and noise
        from NumPy's.
    evaluate : callable
        Central evaluation: the round's number and the model's arrays, to metrics; empty where it does not
        evaluate.
    admission : Admission
        Turns bad replies into errors.
    min_results : int, optional
        How many clients must reply in a round; by default all that were asked. A client that is excused,
        since it has nothing to train on, has replied.
    timeout : float, optional
        Seconds for a round's training, and for its evaluation.
    presences : callable
        Says which clients are there in each round; by default all. A round for which the strategy would need
        more leaves the model as it was; clients that leave in the middle of a round are asked for nothing.
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
            The round that gave `initial`, where an earlier run goes on: rounds up to this number are not
            yielded.

        Raises
        ------
        UntrainedArraysError
            If the strategy would spoil arrays that are no parameters.
        QuorumError
            If fewer than `min_results` clients replied (the first client's traceback is in the message), or
            the strategy gave no model, or one that is not finite.
        """
        names_apart(self.strategy, initial, self.untrained)  # or an error, before any work is lost
        arrays = array_record(initial)
        if not after:
            yield FederatedRound(0, initial, server_metrics=self.evaluate(0, initial))
        train_config, evaluate_config = ConfigRecord(), ConfigRecord()
        numbers = range(after + 1, self.rounds + 1)
        upcoming = participations(self.presences, after, self.rounds)
        for number, participation in zip(numbers, upcoming, strict=True):
            stopwatch = _Stopwatch()
            outcome = self._train(number, arrays, train_config, grid, participation, stopwatch)
            arrays = outcome.arrays
            evaluate_metrics, evaluated, failed = self._evaluate_on_clients(
                number, arrays, evaluate_config, grid, participation
            )
            server_metrics = self.evaluate(number, ndarrays(arrays))
            stopwatch.lap("evaluation")
            yield FederatedRound(
                number,
                ndarrays(arrays),
                outcome.metrics,
                evaluate_metrics,
                server_metrics,
                outcome.clients,
                evaluated,
                outcome.errors,
                failed,
                outcome.exchange,
                outcome.averaging,
                stopwatch.laps,
                participation.presence,
            )

    def _train(
        self,
        number: int,
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,
        participation: Participation,
        stopwatch: _Stopwatch,
    ) -> _TrainingPhase:
        """Train and aggregate. No reply is kept: the next round overwrites the memory that replies lie in."""
        participation.admit(grid, "train")
        messages: list[Message] = []
        if not (nothing := participation.too_few(self.strategy, "train")):
            with self._seeded(Step.CONFIGURE_TRAIN, number):
                messages = list(self.strategy.configure_train(number, arrays, config, grid))
        stopwatch.lap("configure")
        messages = participation.answering(messages)
        outcome = self._exchanged(messages, arrays, grid) if messages else TrainingOutcome([])
        stopwatch.lap("exchange")
        self._check_quorum(number, outcome, self.min_results, participation)
        clients, errors = _by_partition(outcome.replies)
        outcome = self._aggregated(number, outcome, arrays, nothing or "no client had anything to add")
        phase = _TrainingPhase(
            self._as_sent(number, outcome.arrays, arrays),
            _floats(outcome.metrics),
            clients,
            errors,
            grid.last_exchange if messages and isinstance(grid, LocalGrid) else None,
            outcome.averaging,
        )
        stopwatch.lap("aggregation")
        return phase

    def _exchanged(self, messages: Sequence[Message], arrays: ArrayRecord, grid: Grid) -> TrainingOutcome:
        """Have clients train, and admit their replies."""
        if streams(self.strategy) and isinstance(grid, LocalGrid):
            return train_and_average(self.strategy, grid, messages, self.admission, arrays, self.timeout)
        replies = list(grid.send_and_receive(messages, timeout=self.timeout))
        admitted = self.admission.values(self.admission.structure(replies, arrays))
        return TrainingOutcome(admitted, excused=len(replies) - len(admitted))

    def _aggregated(
        self, number: int, outcome: TrainingOutcome, before: ArrayRecord, nothing: str
    ) -> TrainingOutcome:
        """Have the strategy aggregate, unless that was done; without replies the model stays as it was."""
        if not any(reply.has_content() for reply in outcome.replies):
            _log.warning("round %d: %s, the model stays as it was", number, nothing)
            return replace(outcome, arrays=before, metrics=None)
        if outcome.averaging:
            return outcome
        replies = with_common_metrics(outcome.replies)
        replies, apart = separate_untrained(self.strategy, replies, before, self.untrained)
        with self._seeded(Step.AGGREGATE_TRAIN, number):
            arrays, metrics = self.strategy.aggregate_train(number, replies)
        if arrays is not None and apart:
            arrays = array_record({**ndarrays(arrays), **apart})
        return replace(outcome, arrays=arrays, metrics=metrics)

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
        self, number: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid, participation: Participation
    ) -> tuple[dict[str, float], dict[int, dict[str, float]], dict[int, str]]:
        participation.admit(grid, "evaluate")
        if participation.too_few(self.strategy, "evaluate"):
            return {}, {}, {}
        with self._seeded(Step.CONFIGURE_EVALUATE, number):
            messages = list(self.strategy.configure_evaluate(number, arrays, config, grid))
        messages = participation.answering(messages)
        if not messages:
            return {}, {}, {}
        replies = self.admission.evaluation(list(grid.send_and_receive(messages, timeout=self.timeout)))
        asked = len(messages)
        needed = None if self.min_results is None else min(self.min_results, asked)  # fewer may be asked
        outcome = TrainingOutcome(replies, excused=asked - len(replies))
        self._check_quorum(number, outcome, needed, participation, " to evaluate")
        evaluated, errors = _by_partition(replies)
        # A single loss that is not finite would make the mean NaN.
        useful = with_common_metrics([reply for reply in replies if _is_useful(reply)])
        if not useful:
            return {}, evaluated, errors
        with self._seeded(Step.AGGREGATE_EVALUATE, number):
            metrics = self.strategy.aggregate_evaluate(number, useful)
        return _floats(metrics), evaluated, errors

    def _seeded(self, step: Step, number: int) -> AbstractContextManager[None]:
        """Seed what the strategy draws from in a step of a round."""
        return seeded(int(generator(self.seed, Stream.SAMPLING, step, number).integers(2**63)))

    @staticmethod
    def _check_quorum(
        number: int,
        outcome: TrainingOutcome,
        needed: int | None,
        participation: Participation,
        when: str = "",
    ) -> None:
        """End the run where fewer clients replied than needed; None needs all that were asked."""
        failed = [reply for reply in outcome.replies if reply.has_error()]
        replied = len(outcome.replies) + outcome.excused
        needed = replied if needed is None else needed
        if replied - len(failed) < needed:
            asked = f"{participation.presence} (availability)." if participation.presence else ""
            reason = failed[0].error.reason if failed else asked or NO_MORE
            raise QuorumError(
                f"round {number}: {len(failed)} of {replied} clients failed{when}, {needed} must reply "
                f"(min_results). {reason}"
            )


def _is_useful(reply: Message) -> bool:
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
