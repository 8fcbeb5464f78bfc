"""Metrics that can be aggregated: those that all replies of a round have in common.

Flower's strategies refuse a round as a whole where the names of metrics differ, and fail where a list meets a
number. A metric that one client alone sends does no harm, so no reply is refused for it.
"""

from collections.abc import Mapping, Sequence

from flwr.app import Message, MetricRecord, RecordDict

from fedlocal.flower.compat.private import content_of, replacement


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
    good = [reply for reply in replies if reply.has_content()]
    shapes = [
        {key: len(value) if isinstance(value, list) else -1 for key, value in record.items()}
        for _, record in map(_first_metrics, good)
        if record is not None
    ]
    if len(shapes) < len(good) or all(shape == shapes[0] for shape in shapes):
        return list(replies)
    common = dict(set(shapes[0].items()).intersection(*(shape.items() for shape in shapes)))
    return [reply if reply.has_error() else _with_metrics(reply, common) for reply in replies]


def metrics_of(content: RecordDict) -> MetricRecord:
    """Return a reply's first metric record."""
    return next(record for record in content.values() if isinstance(record, MetricRecord))


def _with_metrics(reply: Message, names: Mapping[str, int]) -> Message:
    name, metrics = _first_metrics(reply)
    kept = MetricRecord({key: value for key, value in (metrics or {}).items() if key in names})
    return replacement(reply, content_of({**reply.content, name: kept}))


def _first_metrics(reply: Message) -> tuple[str, MetricRecord | None]:
    for name, record in reply.content.items():
        if isinstance(record, MetricRecord):
            return name, record
    return "", None
