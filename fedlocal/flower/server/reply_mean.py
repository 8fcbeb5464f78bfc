"""The mean of replies that come by groups: for strategies whose aggregate it is.

A strategy whose attribute ``streams`` is true lets its ``mean()`` be taken while other clients still train.
Replies are averaged and released then: however many clients take part, the memory of a few groups is enough,
and aggregation takes next to no time of its own.
"""

from collections.abc import Callable, Sequence

from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict

from fedlocal.flower.messages.arrays import array_record, arrays_of
from fedlocal.flower.server.mean import RunningMean
from fedlocal.flower.server.metrics import metrics_of


class ReplyMean(RunningMean):
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
        super().__init__()
        self._weight_of, self._aggregate_metrics = weight, aggregate_metrics

    def average_replies(self, replies: Sequence[Message]) -> bool:
        """Average the good replies of a group, as `average` does arrays."""
        contents = [reply.content for reply in replies if reply.has_content()]
        weights = [self._weight_of(metrics_of(content)) for content in contents]
        return self.average([arrays_of(content) for content in contents], weights)

    def result(self, replies: Sequence[Message]) -> tuple[ArrayRecord, MetricRecord]:
        """Return the mean, and the metrics of all replies.

        Raises
        ------
        ValueError
            If no weight was above 0.
        """
        if not (arrays := self.arrays()):
            raise ValueError("no reply has a weight above 0")
        metrics = self._aggregate_metrics([reply.content for reply in replies if reply.has_content()])
        return array_record(arrays), metrics


def release_arrays(replies: Sequence[Message]) -> None:
    """Leave arrays out of replies, and free the memory that they lie in."""
    for reply in replies:
        if reply.has_content():
            for name in [name for name, kind in reply.content.items() if isinstance(kind, ArrayRecord)]:
                del reply.content[name]
