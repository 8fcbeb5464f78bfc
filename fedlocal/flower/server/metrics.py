"""Metrics that can be aggregated: those that all replies of a round have in common.

Flower's strategies refuse a round as a whole where the names of metrics differ, and fail where a list meets a
number. A metric that one client alone sends does no harm, so no reply is refused for it.
"""

import math
from collections.abc import Mapping, Sequence

from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict

from fedlocal.flower.compat.private import content_of, replacement


def metrics_of(content: RecordDict) -> MetricRecord | None:
    """Return a reply's first metric record, None if it has none."""
    return next((record for record in content.values() if isinstance(record, MetricRecord)), None)


def numbers(record: MetricRecord | None) -> dict[str, float]:
    """Return the metrics that are numbers, without lists."""
    return {key: float(value) for key, value in (record or {}).items() if isinstance(value, int | float)}


def is_useful(reply: Message) -> bool:
    """Tell whether a reply to evaluation has rows and metrics that are finite: else a mean would be NaN."""
    if reply.has_error():
        return False
    metrics = numbers(metrics_of(reply.content))
    return metrics.get("num-examples", 1) > 0 and all(map(math.isfinite, metrics.values()))


def with_common_metrics(replies: Sequence[Message]) -> list[Message]:
    """Return replies whose metrics have the same names and kinds, so that they can be aggregated.

    A metric that some reply lacks, or has as a list where others have a number, or as a list of another
    length, is left out of all. The outcome depends on which replies there are, not on their order. Errors
    stay as they are; so do all, if one reply has no metric record, and all that is alike anyway.

    Parameters
    ----------
    replies : sequence of Message
        Admitted replies, and errors.
    """
    records = [metrics_of(reply.content) for reply in replies if reply.has_content()]
    shapes = [
        {key: len(value) if isinstance(value, list) else -1 for key, value in record.items()}
        for record in records
        if record is not None
    ]
    if len(shapes) < len(records) or all(shape == shapes[0] for shape in shapes):
        return list(replies)
    common = dict(set(shapes[0].items()).intersection(*(shape.items() for shape in shapes)))
    return [reply if reply.has_error() else _with_metrics(reply, common) for reply in replies]


def _with_metrics(reply: Message, names: Mapping[str, int]) -> Message:
    metrics = metrics_of(reply.content) or MetricRecord()
    return with_record(reply, MetricRecord({key: metrics[key] for key in metrics if key in names}))


def with_record(reply: Message, record: ArrayRecord | MetricRecord) -> Message:
    """Return a reply with a record in place of its first one of that kind."""
    name = next(name for name, former in reply.content.items() if isinstance(former, type(record)))
    return replacement(reply, content_of({**reply.content, name: record}))
