"""FedAvg with fedlocal's mean; all else is Flower's."""

import random
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, cast

from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg as FlowerFedAvg
from numpy.typing import NDArray

from fedlocal.flower.arrays import array_record, ndarrays
from fedlocal.flower.grid import LocalGrid
from fedlocal.flower.mean import GROUP, weighted_mean
from fedlocal.flower.private import (
    InconsistentMessageReplies,
    aggregate_metricrecords,
    readdressed,
    valid_replies,
)


class FedAvg(FlowerFedAvg):
    """Federated averaging (McMahan et al., 2017, algorithm 1), with the parameters of Flower's ``FedAvg``.

    The mean of the arrays is `fedlocal.flower.mean.weighted_mean`: many times faster than Flower's, and other
    than Flower's in the last bits. It takes the clients in groups, those of the largest weights first, which
    are those that started first.
    """

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask the clients that Flower's ``FedAvg`` would ask, without its two copies of the list of all."""
        nodes = grid.nodes if isinstance(grid, LocalGrid) else range(0)
        size = max(int(len(nodes) * self.fraction_train), self.min_train_nodes)
        if not self.fraction_train or not 0 < max(size, self.min_available_nodes) <= len(nodes):
            return super().configure_train(server_round, arrays, config, grid)
        sampled = random.sample(nodes, size)
        config["server-round"] = server_round
        record = RecordDict({self.arrayrecord_key: arrays, self.configrecord_key: config})
        first = Message(record, sampled[0], MessageType.TRAIN)
        return [first, *(readdressed(first, node) for node in sampled[1:])]

    def aggregate_train(
        self,
        server_round: int,  # noqa: ARG002 - Flower's signature
        replies: Iterable[Message],
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the arrays of all replies without an error, weighted by ``weighted_by_key``."""
        valid = valid_replies(self, replies)
        if not valid:
            return None, None
        contents = [reply.content for reply in valid]
        weights = [self.weight(metrics_of(content)) for content in contents]
        groups = in_groups([reply.metadata.src_node_id for reply in valid], weights)
        order = list(chain.from_iterable(groups))
        mean = weighted_mean([arrays_of(contents[at]) for at in order], [weights[at] for at in order])
        return array_record(mean), self.aggregate_metrics(contents)

    def weight(self, metrics: MetricRecord) -> float:
        """Return the weight of the arrays that came with these metrics.

        Raises
        ------
        InconsistentMessageReplies
            If there is no number under ``weighted_by_key``.
        """
        weight = metrics.get(self.weighted_by_key)
        if not isinstance(weight, int | float):
            raise InconsistentMessageReplies(
                f"strategy.weighted_by_key={self.weighted_by_key!r} must name a number in the clients' "
                f"metrics, which are {sorted(metrics)}"
            )
        return weight

    def aggregate_metrics(self, contents: list[RecordDict]) -> MetricRecord:
        """Aggregate the metrics of replies, whose arrays are not needed for that."""
        if self.train_metrics_aggr_fn is aggregate_metricrecords:
            records = [metrics_of(content) for content in contents]
            if not any(isinstance(value, list) for record in records for value in record.values()):
                return MetricRecord(_weighted_means(records, self.weighted_by_key))
        return self.train_metrics_aggr_fn(contents, self.weighted_by_key)


def _weighted_means(records: list[MetricRecord], key: str) -> dict[str, Any]:
    """Do what Flower's ``aggregate_metricrecords`` does with numbers, in its order, ten times as fast."""
    total = sum(cast(float, record[key]) for record in records)
    means: dict[str, Any] = {}
    for record in records:
        factor = cast(float, record[key]) / total
        for name, value in record.items():
            if name != key:
                share = cast(float, value) * factor
                means[name] = means[name] + share if name in means else share
    return means


def arrays_of(content: RecordDict) -> dict[str, NDArray[Any]]:
    """Return the arrays of a reply's first array record, not copied."""
    return ndarrays(next(record for record in content.values() if isinstance(record, ArrayRecord)))


def metrics_of(content: RecordDict) -> MetricRecord:
    """Return a reply's first metric record."""
    return next(record for record in content.values() if isinstance(record, MetricRecord))


def in_groups(nodes: Sequence[int], sizes: Sequence[float]) -> list[list[int]]:
    """Return positions in the groups in which replies are averaged: by size, then by node within a group.

    Parameters
    ----------
    nodes : sequence of int
        Whom the replies are from.
    sizes : sequence of float
        Their weights, or the expected ones.
    """
    ordered = sorted(range(len(nodes)), key=lambda at: (-sizes[at], nodes[at]))
    groups = (ordered[start : start + GROUP] for start in range(0, len(ordered), GROUP))
    return [sorted(group, key=lambda at: nodes[at]) for group in groups]
