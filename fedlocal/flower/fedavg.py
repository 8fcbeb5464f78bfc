"""FedAvg with fedlocal's mean; all else is Flower's."""

from collections.abc import Iterable
from typing import cast

from flwr.app import ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import FedAvg as FlowerFedAvg

from fedlocal.flower.arrays import array_record, ndarrays
from fedlocal.flower.mean import weighted_mean


class FedAvg(FlowerFedAvg):
    """Federated averaging (McMahan et al., 2017, algorithm 1), with the parameters of Flower's ``FedAvg``.

    The mean of the arrays is `fedlocal.flower.mean.weighted_mean`: many times faster than Flower's, and other
    than Flower's in the last bits.
    """

    def aggregate_train(
        self,
        server_round: int,  # noqa: ARG002 - Flower's signature
        replies: Iterable[Message],
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the arrays of all replies without an error, weighted by ``weighted_by_key``."""
        valid, _ = self._check_and_log_replies(replies, is_train=True)
        if not valid:
            return None, None
        contents = [reply.content for reply in valid]
        arrays = [ndarrays(next(iter(content.array_records.values()))) for content in contents]
        weights = [
            cast(float, next(iter(content.metric_records.values()))[self.weighted_by_key])
            for content in contents
        ]
        metrics = self.train_metrics_aggr_fn(contents, self.weighted_by_key)
        return array_record(weighted_mean(arrays, weights)), metrics
