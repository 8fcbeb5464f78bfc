"""fedlocal's own round loop over a Flower strategy.

It calls what ``Strategy.start`` calls, in the same order, and ends with the same bits; but it can be watched,
timed and stopped after each round, which ``Strategy.start`` cannot.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice, repeat
from typing import Any, cast

from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy as Strategy

from fedlocal.availability import Presence, Presences, always_available
from fedlocal.flower.admission.policy import Admission
from fedlocal.flower.grid.local_grid import ExchangeTimes, LocalGrid
from fedlocal.flower.messages.arrays import array_record, ndarrays
from fedlocal.flower.node.client_runner import partition_of
from fedlocal.flower.server.mean import in_groups
from fedlocal.flower.server.metrics import metrics_of, numbers
from fedlocal.flower.server.participation import admit
from fedlocal.flower.server.reply_mean import ReplyMean, release_arrays
from fedlocal.flower.server.strategy_steps import Arrays as Arrays
from fedlocal.flower.server.strategy_steps import Phase, StrategySteps
from fedlocal.flower.server.strategy_steps import QuorumError as QuorumError
from fedlocal.flower.server.untrained_arrays import names_apart

Span = tuple[float, float]  # beginning and end, in time.perf_counter seconds
Evaluate = Callable[[int, Arrays], Mapping[str, float]]

NO_MORE = "No more were asked (strategy.fraction_train)."
NOTHING_ADDED = "no client had anything to add"

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
class RoundLoop:
    """The loop's settings.

    Parameters
    ----------
    strategy : Strategy
        Any of Flower's message-API strategies.
    rounds : int
        The number of rounds.
    seed : int
        Of all that the strategy draws from global generators.
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

    @cached_property
    def _steps(self) -> StrategySteps:
        return StrategySteps(self.strategy, self.seed, self.admission, self.untrained)

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
        configs = ConfigRecord(), ConfigRecord()
        everybody = repeat(cast(Presence | None, None))
        presences = islice(self.presences() or everybody, after, self.rounds)
        for number, presence in zip(range(after + 1, self.rounds + 1), presences, strict=True):
            stopwatch = _Stopwatch()
            round_ = self._train(number, arrays, configs[0], grid, presence, stopwatch)
            arrays = array_record(round_.arrays)
            round_ = self._evaluate_on_clients(round_, arrays, configs[1], grid)
            server_metrics = self.evaluate(number, round_.arrays)
            stopwatch.lap("evaluation")
            yield replace(round_, server_metrics=server_metrics, spans=stopwatch.laps)

    def _train(
        self,
        number: int,
        sent: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,
        presence: Presence | None,
        stopwatch: _Stopwatch,
    ) -> FederatedRound:
        """Train and aggregate. No reply is kept: the next round overwrites the memory that replies lie in."""
        messages, nothing = self._messages("train", number, sent, config, grid, presence)
        stopwatch.lap("configure")
        strategy: Any = self.strategy
        streams = (
            isinstance(grid, LocalGrid) and self.admission.uniform and getattr(strategy, "streams", False)
        )
        mean: ReplyMean | None = strategy.mean() if streams else None
        replies, averaging = self._exchange(messages, sent, grid, mean) if messages else ([], [])
        stopwatch.lap("exchange")
        self._check_quorum(number, replies, len(messages), self.min_results, presence)
        clients, errors = _by_partition(replies)
        arrays, metrics = ndarrays(sent), None
        if clients:
            arrays, metrics = self._steps.aggregate_train(number, replies, sent, mean)
        else:
            _log.warning("round %d: %s, the model stays as it was", number, nothing or NOTHING_ADDED)
        stopwatch.lap("aggregation")
        return FederatedRound(
            number,
            arrays,
            numbers(metrics),
            client_metrics=clients,
            errors=errors,
            exchange=getattr(grid, "last_exchange", None) if messages else None,
            averaging=averaging,
            presence=presence,
        )

    def _messages(
        self,
        phase: Phase,
        number: int,
        arrays: ArrayRecord,
        config: ConfigRecord,
        grid: Grid,
        presence: Presence | None,
    ) -> tuple[list[Message], str]:
        """Have the strategy ask clients that will answer; if none can be asked, say why.

        A client that leaves in the middle of a round loses its work, and is no error.
        """
        if presence and (nothing := admit(grid, presence, phase, self.strategy)):
            return [], nothing
        messages = self._steps.configure(phase, number, arrays, config, grid)
        if presence:
            stays = presence.to_the_end
            messages = [message for message in messages if stays[partition_of(message.metadata.dst_node_id)]]
        return messages, ""

    def _exchange(
        self, messages: Sequence[Message], sent: ArrayRecord, grid: Grid, mean: ReplyMean | None
    ) -> tuple[list[Message], list[Span]]:
        """Have clients train, and admit their replies; a mean takes them by groups, and their arrays."""
        replies, averaging = list[Message](), list[Span]()
        groups: Iterable[list[Message]]
        if mean and isinstance(grid, LocalGrid):
            nodes = [message.metadata.dst_node_id for message in messages]
            order = in_groups(nodes, [grid.cost(node) for node in nodes])
            groups = grid.exchange(messages, order, self.timeout)
        else:
            groups = [list(grid.send_and_receive(messages, timeout=self.timeout))]
        for group in groups:
            started = time.perf_counter()
            admitted = self.admission.structure(group, sent)
            if mean is None or not mean.average_replies(admitted):
                admitted = self.admission.values(admitted)
                if mean:
                    mean.average_replies(admitted)
            if mean:
                mean.merge()
                release_arrays(admitted)
                averaging.append((started, time.perf_counter()))
            replies += admitted
            del group, admitted
        return sorted(replies, key=lambda reply: reply.metadata.src_node_id), averaging

    def _evaluate_on_clients(
        self, round_: FederatedRound, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> FederatedRound:
        number, presence = round_.number, round_.presence
        messages, _ = self._messages("evaluate", number, arrays, config, grid, presence)
        if not messages:
            return round_
        replies = self.admission.evaluation(list(grid.send_and_receive(messages, timeout=self.timeout)))
        needed = None if self.min_results is None else min(self.min_results, len(messages))
        self._check_quorum(number, replies, len(messages), needed, presence, " to evaluate")
        evaluated, errors = _by_partition(replies)
        return replace(
            round_,
            evaluate_metrics=self._steps.aggregate_evaluate(number, replies),
            client_evaluations=evaluated,
            evaluation_errors=errors,
        )

    @staticmethod
    def _check_quorum(
        number: int,
        replies: Sequence[Message],
        asked: int,
        needed: int | None,
        presence: Presence | None,
        when: str = "",
    ) -> None:
        """End the run where fewer clients replied than needed; None needs all that were asked.

        A client whose reply was left out is excused, since it has nothing to train on: it has replied.
        """
        failed = [reply for reply in replies if reply.has_error()]
        needed = asked if needed is None else needed
        if asked - len(failed) < needed:
            reason = (
                failed[0].error.reason if failed else f"{presence} (availability)." if presence else NO_MORE
            )
            raise QuorumError(
                f"round {number}: {len(failed)} of {asked} clients failed{when}, {needed} must reply "
                f"(min_results). {reason}"
            )


def _by_partition(replies: Sequence[Message]) -> tuple[dict[int, dict[str, float]], dict[int, str]]:
    metrics: dict[int, dict[str, float]] = {}
    errors: dict[int, str] = {}
    for reply in replies:
        partition = partition_of(reply.metadata.src_node_id)
        if reply.has_error():
            errors[partition] = reply.error.reason or ""
        else:
            metrics[partition] = numbers(metrics_of(reply.content))
    return metrics, errors
