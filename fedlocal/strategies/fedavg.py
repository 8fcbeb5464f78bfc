"""FedAvg with fedlocal's mean; everything else is Flower's."""

import random
from collections.abc import Iterable
from itertools import chain
from typing import Any, cast

from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg as FlowerFedAvg

from fedlocal.flower.compat.private import (
    InconsistentMessageReplies,
    aggregate_metricrecords,
    readdressed,
    valid_replies,
)
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.messages.arrays import array_record, arrays_of
from fedlocal.flower.server.mean import in_groups, weighted_mean
from fedlocal.flower.server.metrics import metrics_of
from fedlocal.flower.server.traits import Traits


class FedAvg(FlowerFedAvg):
    """Federated averaging (McMahan et al., 2017, algorithm 1), with the parameters of Flower's ``FedAvg``.

    The mean of the arrays is `fedlocal.flower.server.mean.weighted_mean`: many times faster than Flower's,
    and other than Flower's in the last bits. It takes the clients in groups, those of the largest weights
    first, which are those that started first.

    Attributes
    ----------
    streams : bool
        Whether all that is done with replies is the mean, which may be taken while other clients train
        (`fedlocal.flower.server.streaming_mean`): not in a subclass with its own ``aggregate_train``.
    """

    streams = True
    traits = Traits({})

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.streams = cls.aggregate_train is FedAvg.aggregate_train

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
        mean = weighted_mean(
            [arrays_of(contents[index]) for index in order], [weights[index] for index in order]
        )
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
