"""The mean of replies that come by groups: for strategies whose aggregate it is.

A strategy that `streams` lets it be taken while other clients still train. Replies are averaged and released
then: however many clients take part, the memory of a few groups is enough, and aggregation takes next to no
time of its own.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict

from fedlocal.flower.messages.arrays import array_record, arrays_of
from fedlocal.flower.server.mean import RunningMean
from fedlocal.flower.server.metrics import metrics_of


class ReplyMean:
    """The mean of arrays, weighted by a metric, and the clients' metrics.

    Metrics are aggregated when all replies are there: only then is it certain which metrics all clients have.

    Parameters
    ----------
    weight : callable
        Returns the weight of the arrays that came with these metrics.
    aggregate_metrics : callable
        Aggregates the metrics of replies, whose arrays may be gone.
    """

    def __init__(
        self,
        weight: Callable[[MetricRecord | None], float],
        aggregate_metrics: Callable[[list[RecordDict]], MetricRecord],
    ) -> None:
        self._weight, self._aggregate_metrics, self._mean = weight, aggregate_metrics, RunningMean()

    def average(self, replies: Sequence[Message]) -> bool:
        """Average the good replies of a group, which count once they are merged.

        Returns
        -------
        bool
            False if an array may not be finite.
        """
        contents = [reply.content for reply in replies if reply.has_content()]
        weights = [self._weight(metrics_of(content)) for content in contents]
        return self._mean.average([arrays_of(content) for content in contents], weights)

    def merge(self) -> None:
        """Let the group that was averaged last count."""
        self._mean.merge()

    def result(self, replies: Sequence[Message]) -> tuple[ArrayRecord, MetricRecord]:
        """Return the mean, and the metrics of all replies.

        Raises
        ------
        ValueError
            If no weight was above 0.
        """
        if not (arrays := self._mean.arrays()):
            raise ValueError("no reply has a weight above 0")
        metrics = self._aggregate_metrics([reply.content for reply in replies if reply.has_content()])
        return array_record(arrays), metrics


class Streaming(Protocol):
    """A strategy whose aggregate is a `ReplyMean`.

    Attributes
    ----------
    streams : bool
        Whether it may be taken while clients train; a strategy without this attribute says no.
    """

    streams: bool

    def mean(self) -> ReplyMean:
        """Return the mean of a round, to be given groups of replies."""
        ...


def mean_of(strategy: Any) -> ReplyMean | None:
    """Return the mean that a strategy lets be taken while clients train, None if it lets none."""
    streaming: Streaming = strategy
    return streaming.mean() if getattr(strategy, "streams", False) else None


def release_arrays(replies: Sequence[Message]) -> None:
    """Leave arrays out of replies, and free the memory that they lie in."""
    for reply in replies:
        if reply.has_content():
            for name in [name for name, kind in reply.content.items() if isinstance(kind, ArrayRecord)]:
                del reply.content[name]
