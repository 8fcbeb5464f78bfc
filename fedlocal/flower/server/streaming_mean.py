"""Averages replies while other clients still train, for strategies whose aggregate is the mean.

Replies are averaged by groups and released: however many clients take part, the memory of a few groups is
enough, and most of the aggregation takes no extra time. The bits are those of the strategy's
``aggregate_train`` over all replies at once. Metrics are aggregated when all replies are there: only then is
it certain which metrics all clients have.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict

from fedlocal.flower.admission.policy import Admission
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.messages.arrays import array_record, arrays_of
from fedlocal.flower.server.mean import RunningMean, in_groups
from fedlocal.flower.server.metrics import metrics_of, with_common_metrics

Span = tuple[float, float]  # beginning and end, in time.perf_counter seconds


class Averaging(Protocol):
    """A strategy whose aggregate is the mean, weighted by a metric.

    Attributes
    ----------
    streams : bool
        Whether the mean may be streamed; a strategy without this attribute says no.
    """

    streams: bool

    def weight(self, metrics: MetricRecord) -> float:
        """Return the weight of the arrays that came with these metrics."""
        ...

    def aggregate_metrics(self, contents: list[RecordDict]) -> MetricRecord:
        """Aggregate the metrics of replies without their arrays."""
        ...


def streams(strategy: Any) -> TypeGuard[Averaging]:
    """Tell whether a strategy declares that its mean can be taken while other clients train."""
    return bool(getattr(strategy, "streams", False))


@dataclass(frozen=True)
class TrainingOutcome:
    """The outcome of a round's training.

    Parameters
    ----------
    replies : list of Message
        Replies and errors, sorted by node; without their arrays, if these were averaged.
    arrays : ArrayRecord, optional
        The mean; empty if no reply was good.
    metrics : MetricRecord, optional
        The clients' metrics, aggregated.
    averaging : sequence of Span
        When averaging took place; empty if that is still to be done.
    excused : int
        How many clients replied that they have nothing to train on; their replies are not kept.
    """

    replies: list[Message]
    arrays: ArrayRecord | None = None
    metrics: MetricRecord | None = None
    averaging: Sequence[Span] = ()
    excused: int = 0


def train_and_average(
    strategy: Averaging,
    grid: LocalGrid,
    messages: Sequence[Message],
    admission: Admission,
    sent: ArrayRecord,
    timeout: float | None,
) -> TrainingOutcome:
    """Send training messages and average what comes back.

    Parameters
    ----------
    strategy : Averaging
        Weighs the replies.
    grid : LocalGrid
        The grid of the clients.
    messages : sequence of Message
        The strategy's requests; at most one for each client.
    admission : Admission
        Judges the replies.
    sent : ArrayRecord
        The global model that clients were sent.
    timeout : float, optional
        Seconds for all of it.
    """
    mean, replies, spans = RunningMean(), list[Message](), list[Span]()
    for group in grid.exchange(messages, _groups(messages, grid), timeout):
        started = time.perf_counter()
        admitted = admission.structure(group, sent)
        replies += _average(mean, strategy, admission, admitted)
        del group, admitted
        spans.append((started, time.perf_counter()))
    started = time.perf_counter()
    replies.sort(key=lambda reply: reply.metadata.src_node_id)
    contents = [reply.content for reply in with_common_metrics(replies) if reply.has_content()]
    arrays, metrics = array_record(mean.arrays()), strategy.aggregate_metrics(contents) if contents else None
    spans.append((started, time.perf_counter()))
    return TrainingOutcome(replies, arrays, metrics, spans, len(messages) - len(replies))


def _groups(messages: Sequence[Message], grid: LocalGrid) -> list[list[int]]:
    """Return the messages' positions in the order and the groups in which their replies are averaged."""
    nodes = [message.metadata.dst_node_id for message in messages]
    return in_groups(nodes, [grid.cost(node) for node in nodes])


def _average(
    mean: RunningMean, strategy: Averaging, admission: Admission, replies: list[Message]
) -> list[Message]:
    """Add the good replies of a group to the mean, and return the group without arrays."""
    good = [reply for reply in replies if reply.has_content()]
    weights = [strategy.weight(metrics_of(reply.content)) for reply in good]
    if sum(weights) > 0:
        if not mean.average([arrays_of(reply.content) for reply in good], weights):
            admitted = admission.values(replies)
            if any(
                reply.has_error() and not other.has_error()
                for reply, other in zip(admitted, replies, strict=True)
            ):
                return _average(mean, strategy, admission, admitted)
        mean.merge()
    for reply in good:
        for name in [name for name, record in reply.content.items() if isinstance(record, ArrayRecord)]:
            del reply.content[name]
    return replies
