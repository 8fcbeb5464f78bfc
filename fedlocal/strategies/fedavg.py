"""FedAvg with fedlocal's mean; everything else is Flower's."""

import random
from collections.abc import Iterable
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
from fedlocal.flower.server.mean import in_groups
from fedlocal.flower.server.metrics import metrics_of
from fedlocal.flower.server.reply_mean import ReplyMean
from fedlocal.flower.server.traits import Traits


class FedAvg(FlowerFedAvg):
    """Federated averaging (McMahan et al., 2017, algorithm 1), with the parameters of Flower's ``FedAvg``.

    The mean of the arrays is `fedlocal.flower.server.mean.RunningMean`: many times faster than Flower's, and
    other than Flower's in the last bits. It takes the clients in groups, those of the largest weights first,
    which are those that started first.

    Attributes
    ----------
    streams : bool
        Whether all that is done with replies is the mean, which may be taken while other clients train
        (`fedlocal.flower.server.reply_mean`): not in a subclass with its own ``aggregate_train``.
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
        valid, mean = valid_replies(self, replies), self.mean()
        if not valid:
            return None, None
        weights = [self.weight(metrics_of(reply.content)) for reply in valid]
        for group in in_groups([reply.metadata.src_node_id for reply in valid], weights):
            mean.average_replies([valid[index] for index in group])
            mean.merge()
        return mean.result(valid)

    def mean(self) -> ReplyMean:
        """Return the mean that is all this strategy does with replies, to be given groups of them."""
        return ReplyMean(self.weight, self.aggregate_metrics)

    def weight(self, metrics: MetricRecord | None) -> float:
        """Return the weight of the arrays that came with these metrics.

        Raises
        ------
        InconsistentMessageReplies
            If there is no number under ``weighted_by_key``.
        """
        weight = (metrics or MetricRecord()).get(self.weighted_by_key)
        if not isinstance(weight, int | float):
            raise InconsistentMessageReplies(
                f"strategy.weighted_by_key={self.weighted_by_key!r} must name a number in the clients' "
                f"metrics, which are {sorted(metrics or {})}"
            )
        return weight

    def aggregate_metrics(self, contents: list[RecordDict]) -> MetricRecord:
        """Aggregate the metrics of replies, whose arrays are not needed for that.

        Of numbers, these are the means of Flower's ``aggregate_metricrecords``, in a tenth of the time.
        """
        records, key = [metrics_of(content) or MetricRecord() for content in contents], self.weighted_by_key
        lists = any(isinstance(value, list) for record in records for value in record.values())
        if lists or self.train_metrics_aggr_fn is not aggregate_metricrecords:
            return self.train_metrics_aggr_fn(contents, key)
        total = sum(cast(float, record[key]) for record in records)
        means: dict[str, Any] = {}
        for record in records:
            factor = cast(float, record[key]) / total
            for name, value in record.items():
                if name != key:
                    share = cast(float, value) * factor
                    means[name] = means[name] + share if name in means else share
        return MetricRecord(means)
