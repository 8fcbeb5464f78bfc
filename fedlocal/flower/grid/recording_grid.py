"""A grid that records its messages round by round, whatever loop the app has.

Messages of one round number are one round: strategies send the number to clients, older strategies in the
message's group. Where an app has no numbers, a new round begins when messages are sent of a kind that the
current round has had already.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flwr.app import ArrayRecord, ConfigRecord, Error, Message, MessageType, MetricRecord, RecordDict

from fedlocal.actors import Buffer, Reply, Result, System, raw
from fedlocal.flower.admission.policy import Admission
from fedlocal.flower.compat.private import MESSAGE_UNAVAILABLE, replacement
from fedlocal.flower.grid.local_grid import (
    Encoded,
    ExchangeTimes,
    Handling,
    LocalGrid,
    NoReplyError,
    handled,
)
from fedlocal.flower.grid.outbox import EXPIRED, remaining
from fedlocal.flower.node.client_runner import partition_of


@dataclass(frozen=True)
class ClientError:
    """A message that ended in an error.

    Parameters
    ----------
    partition : int
        The client's partition.
    round : int
        The round of the message.
    message_type : str
        What the client was asked to do.
    code : int
        Flower's error code.
    reason : str
        A line, then the traceback where there is one.
    """

    partition: int
    round: int
    message_type: str
    code: int
    reason: str


@dataclass
class Phase:
    """The messages of one kind (train, evaluate, query) in a round."""

    started: float = 0.0  # when the first message went, ``time.perf_counter`` seconds; 0 without replies
    ended: float = 0.0  # when the last reply came
    handlings: list[Handling] = field(default_factory=list)
    metrics: dict[int, dict[str, float]] = field(default_factory=dict)  # that clients reported, by partition


@dataclass
class RecordedRound:
    """What was recorded of a round."""

    number: int  # ascending, with gaps where an app leaves some out
    workers: int
    phases: dict[str, Phase] = field(default_factory=dict)  # by kind, in the order in which they began
    central: dict[str, float] = field(default_factory=dict)  # what the server app evaluated itself
    evaluation: float = 0.0  # seconds of that
    errors: list[ClientError] = field(default_factory=list)
    asked: set[tuple[str, int]] = field(default_factory=set, repr=False)
    under_way: int = field(default=0, repr=False)
    fingerprints: list[tuple[str, int, bytes]] = field(default_factory=list, repr=False)


class MessageRecorder:
    """Records the messages of a run, from any number of threads.

    `on_round` is called with each round, in order, when the next has begun and all its messages have replies.
    """

    def __init__(self, on_round: Callable[[RecordedRound], None], workers: int) -> None:
        self._on_round, self._workers = on_round, workers
        self._lock = threading.Lock()
        self._rounds: dict[str, RecordedRound] = {}  # not reported yet, by their names
        self._current: RecordedRound | None = None
        self._last = -1
        self._until = 0.0  # when the last reported round ended
        self._digest = hashlib.sha256()

    def sent(self, requests: Sequence[Message], digests: Mapping[int, bytes]) -> list[RecordedRound]:
        """Note messages before they go, with the digests of their contents by ``id``; return their rounds."""
        rounds: list[RecordedRound] = []
        with self._lock:
            fresh = self._begins_a_round(requests)
            for index, request in enumerate(requests):
                kind, partition = kind_of(request), _partition(request)
                round_ = self._round_of(request, fresh=fresh and not index)
                round_.under_way += 1
                rounds.append(round_)
                round_.phases.setdefault(kind, Phase())
                round_.asked.add((kind, partition))
                round_.fingerprints.append((kind, partition, digests[id(request.content)]))
        return rounds

    def received(
        self, sent: Sequence["SentMessage"], replies: Sequence[Message], times: ExchangeTimes
    ) -> None:
        """Note the reply to each message, in the same order."""
        with self._lock:
            for message, reply in zip(sent, replies, strict=True):
                self._note(message.round, reply, b"error" if reply.has_error() else message.reply)
            if sent:
                _time(sent[0].round.phases[kind_of(replies[0])], times)
            self._report_complete()

    def evaluated(self, number: int, metrics: Mapping[str, float], seconds: float) -> None:
        """Note what the server app evaluated itself: after the messages of a round, or before all others."""
        with self._lock:
            if number > self._last or (number == 0 < self._last):  # an app may have two strategies
                self._current = None
                self._report_complete()
                self._last = max(number, self._last + 1)
                self._current = self._rounds[str(number)] = RecordedRound(self._last, self._workers)
            if round_ := self._rounds.get(str(number), self._current):
                round_.central.update(metrics)
                round_.evaluation += seconds

    def finish(self) -> str:
        """Report the rounds that are left; return a fingerprint of all that was sent and replied."""
        with self._lock:
            while self._rounds:
                self._report()
            return self._digest.hexdigest()

    def _begins_a_round(self, requests: Sequence[Message]) -> bool:
        """Tell whether messages without a group are of a kind, or to a client, that the round has had."""
        asked = self._current.asked if self._current else set()
        kinds = {kind for kind, _ in asked}
        if len(requests) > 1:
            return any(kind_of(request) in kinds for request in requests)
        return any((kind_of(request), _partition(request)) in asked for request in requests)

    def _round_of(self, request: Message, *, fresh: bool) -> RecordedRound:
        """Return a message's round: that of its group, or a new one."""
        group = _group(request)
        if group and group in self._rounds:
            return self._rounds[group]
        if self._current and not group and not fresh:
            return self._current
        self._current = None
        self._report_complete()
        if group.isdecimal() and int(group) > self._last:
            self._last = int(group)
        elif self._last >= 0 or kind_of(request) in ("train", "evaluate"):  # what is asked before is round 0
            self._last = max(1, self._last + 1)
        else:
            self._last = 0
        self._current = self._rounds[group or f" {self._last}"] = RecordedRound(self._last, self._workers)
        return self._current

    def _note(self, round_: RecordedRound, reply: Message, digest: bytes) -> None:
        kind, partition = kind_of(reply), partition_of(reply.metadata.src_node_id)
        round_.fingerprints.append((f"{kind} reply", partition, digest))
        round_.under_way -= 1
        if reply.has_error():
            error = reply.error
            client_error = ClientError(
                partition, round_.number, reply.metadata.message_type, error.code, error.reason or ""
            )
            round_.errors.append(client_error)
        else:
            round_.phases[kind].metrics.setdefault(partition, {}).update(_numbers(reply.content))

    def _report_complete(self) -> None:
        """Report the first rounds that are over: what is reported does not depend on when replies come."""
        for first in list(self._rounds.values()):
            if first is self._current or first.under_way:
                return
            self._report()

    def _report(self) -> None:
        first = self._rounds.pop(next(iter(self._rounds)))  # reported once, also if that is interrupted
        if first is self._current:
            self._current = None
        for kind, partition, digest in sorted(first.fingerprints):
            self._digest.update(f"{first.number} {kind} {partition} ".encode() + digest)
        first.errors.sort(key=lambda error: (error.partition, error.message_type))
        for phase in first.phases.values():
            phase.metrics = dict(sorted(phase.metrics.items()))
            if phase.started:
                phase.started = max(phase.started, self._until)  # rounds may overlap: no second counts twice
                phase.ended = max(phase.ended, phase.started)
        self._until = max([self._until, *(phase.ended for phase in first.phases.values())])
        self._on_round(first)


@dataclass
class SentMessage:
    """A message that has no reply yet: its round, its arrays, and when it went."""

    round: RecordedRound
    arrays: list[ArrayRecord]
    started: float
    reply: bytes = b""  # the digest of the reply's bytes, once they are there


class RecordingGrid(LocalGrid):
    """A local grid whose replies are judged, and whose messages are recorded."""

    def __init__(self, system: System, nodes: int, admission: Admission, recorder: MessageRecorder) -> None:
        super().__init__(system, [1.0] * nodes)
        self._admission, self._recorder = admission, recorder
        self._sent: dict[str, SentMessage] = {}

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Send messages, wait, and return the replies and errors that come in time, sorted by partition.

        As with Flower's grids, messages to unknown nodes are left out, those without a reply in time have
        none, and with a `timeout` of 0 the call does not wait.
        """
        requests = self._deliverable(messages)
        if timeout is not None and timeout <= 0:
            self.push_messages(requests)
            return []
        replies, _ = self.ask(requests, timeout)
        return [reply for reply in replies if not _is_missing(reply)]

    def ask(
        self, messages: Iterable[Message], timeout: float | None = None
    ) -> tuple[list[Message], ExchangeTimes]:
        """Send messages, wait, and return one reply or error for each, sorted by partition, and the times.

        A message whose time to live is over is not waited for.
        """
        requests = sorted(messages, key=_partition)
        lives = [remaining(request) for request in requests]
        most = max(lives, default=0.0)
        replies, times = super().ask(requests, most if timeout is None else min(timeout, most))
        answered = [_alive(request, reply) for request, reply in zip(requests, replies, strict=True)]
        return self._received_all(answered, times), times

    def _received_all(self, replies: Sequence[Message], times: ExchangeTimes) -> list[Message]:
        sent = [self._sent.pop(reply.metadata.reply_to_message_id) for reply in replies]
        admitted = [self._admitted(*pair) for pair in zip(replies, sent, strict=True)]
        self._recorder.received(sent, admitted, times)
        return admitted

    def wait_for_pushed(self, timeout: float | None = None) -> int:
        """Wait until no message that was pushed is under way; return how many are after `timeout` seconds."""
        return self._outbox.wait(self._read, timeout)

    def _sending(self, requests: Sequence[Message], encoded: Mapping[int, Encoded]) -> None:
        started = time.perf_counter()
        digests = {content: _digest(*parts) for content, parts in encoded.items()}
        for request, round_ in zip(requests, self._recorder.sent(requests, digests), strict=True):
            arrays = list(request.content.array_records.values())
            self._sent[request.metadata.message_id] = SentMessage(round_, arrays, started)

    def _message(self, request: Message, result: Result) -> Message:
        if isinstance(result, Reply):
            self._sent[request.metadata.message_id].reply = _digest(result.wire.header, result.wire.arrays)
        return super()._message(request, result)

    def _read(self, request: Message, result: Result) -> Message:
        started = self._sent[request.metadata.message_id].started
        handlings = handled([result])
        ended = handlings[0].ended if handlings else time.perf_counter()
        times = ExchangeTimes(started, ended, self._system.workers, handlings)
        return self._received_all([self._message(request, result)], times)[0]

    def _admitted(self, reply: Message, sent: SentMessage) -> Message:
        if kind_of(reply) == MessageType.TRAIN:
            (admitted,) = self._admission.values(self._admission.structure([reply], *sent.arrays))
        else:
            (admitted,) = self._admission.evaluation([reply])
        return admitted


def _is_missing(reply: Message) -> bool:
    return reply.has_error() and isinstance(reply.error, NoReplyError)


def _alive(request: Message, reply: Message) -> Message:
    """Return a reply, or Flower's error where none came before the request's time to live was over."""
    if _is_missing(reply) and remaining(request) <= 0:
        return replacement(reply, None, Error(MESSAGE_UNAVAILABLE, f"{EXPIRED}: {reply.error.reason}"))
    return reply


def kind_of(message: Message) -> str:
    """Return what a message asks for, without the name of an action: train, evaluate or query."""
    return message.metadata.message_type.partition(".")[0]


def _group(message: Message) -> str:
    """Return the name of a message's round: its group, or its number; empty if it has neither."""
    if message.metadata.group_id:
        return message.metadata.group_id
    configs = message.content.config_records.values()
    return next((str(config["server-round"]) for config in configs if "server-round" in config), "")


def _digest(header: bytes, arrays: Sequence[Buffer]) -> bytes:
    digest = hashlib.sha256(header)
    for array in arrays:
        digest.update(raw(array))
    return digest.digest()


def _partition(request: Message) -> int:
    return partition_of(request.metadata.dst_node_id)


def _time(phase: Phase, times: ExchangeTimes) -> None:
    phase.started = min(phase.started or times.started, times.started)
    phase.ended = max(phase.ended, times.ended)
    phase.handlings += times.handlings


def _numbers(content: RecordDict) -> dict[str, float]:
    """Return the metrics of a reply; those of older apps are configuration."""
    records: list[MetricRecord | ConfigRecord] = list(content.metric_records.values())
    records += [record for key, record in content.config_records.items() if key.endswith(".metrics")]
    return {
        name: float(value)
        for record in records
        for name, value in record.items()
        if isinstance(value, int | float)
    }
