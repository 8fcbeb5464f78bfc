"""FedAvg with updates clipped to a norm, so that a large update has no more weight than the rest."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from numpy.typing import NDArray

from fedlocal.flower.messages.arrays import array_record, arrays_of, ndarrays
from fedlocal.flower.server.mean import Arrays
from fedlocal.flower.server.metrics import with_record
from fedlocal.flower.server.traits import Traits, minority
from fedlocal.strategies.fedavg import FedAvg


class NormClipping(FedAvg):
    """Federated averaging of updates, each scaled down to a norm if its own is greater [1]_.

    An update is what a client's arrays differ by from those it was sent, all of them as one vector; its norm
    is the Euclidean one. Unlike Flower's wrappers for differential privacy, this adds no noise, and can take
    its bound from the updates themselves.

    Parameters
    ----------
    norm : float, optional
        The bound, above 0; by default the median of the norms of a round's updates [2]_, so that the
        malicious cannot move it while they are fewer than half.
    fraction_train, fraction_evaluate : float
        Shares of the actors, sampled anew each round.
    min_train_nodes, min_evaluate_nodes, min_available_nodes : int
        How many actors there must be.
    weighted_by_key : str
        The metric that is a reply's weight.

    Raises
    ------
    ValueError
        If the norm is not above 0.

    References
    ----------
    .. [1] Z. Sun, P. Kairouz, A. T. Suresh, H. B. McMahan, "Can You Really Backdoor Federated Learning?",
       2019, arXiv:1911.07963, "norm thresholding of updates".
    .. [2] T. D. Nguyen et al., "FLAME: Taming Backdoors in Federated Learning", USENIX Security 2022,
       "adaptive clipping".
    """

    traits = Traits({}, withstands=lambda clipping, *counts: None if clipping.norm else minority(*counts))

    def __init__(
        self,
        norm: float | None = None,
        fraction_train: float = 1.0,
        fraction_evaluate: float = 1.0,
        min_train_nodes: int = 2,
        min_evaluate_nodes: int = 2,
        min_available_nodes: int = 2,
        weighted_by_key: str = "num-examples",
    ) -> None:
        if norm is not None and not (math.isfinite(norm) and norm > 0):
            raise ValueError(f"norm={norm}: must be a finite number above 0, or null for the median")
        super().__init__(
            fraction_train=fraction_train,
            fraction_evaluate=fraction_evaluate,
            min_train_nodes=min_train_nodes,
            min_evaluate_nodes=min_evaluate_nodes,
            min_available_nodes=min_available_nodes,
            weighted_by_key=weighted_by_key,
        )
        self.norm = norm
        self._sent: Arrays = {}

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask the clients that FedAvg would ask, and remember what they are sent until they have replied."""
        self._sent = ndarrays(arrays)
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the arrays of all replies without an error, moved towards what was sent where need be."""
        (sent, self._sent), every = (self._sent, {}), list(replies)
        norms = {
            at: norm_of(sent, arrays_of(reply.content))
            for at, reply in enumerate(every)
            if reply.has_content()
        }
        bound = self.norm or float(np.median(list(norms.values()) or [0.0]))
        bounded = [
            with_record(reply, array_record(clipped(sent, arrays_of(reply.content), bound / norms[at])))
            if norms.get(at, 0.0) > bound
            else reply
            for at, reply in enumerate(every)
        ]
        return super().aggregate_train(server_round, bounded)


def norm_of(sent: Arrays, trained: Arrays) -> float:
    """Return the Euclidean norm of an update, over all of its arrays of real numbers, computed in float64."""
    updates = (
        np.subtract(values, sent[name], dtype=np.float64).reshape(-1)
        for name, values in trained.items()
        if values.dtype.kind == "f"
    )
    return math.sqrt(sum(float(np.dot(update, update)) for update in updates))


def clipped(sent: Arrays, trained: Arrays, share: float) -> dict[str, NDArray[Any]]:
    """Return arrays a share of the way from those sent to those trained; other than real numbers stay."""
    return {
        name: (sent[name] + share * np.subtract(values, sent[name], dtype=np.float64)).astype(values.dtype)
        if values.dtype.kind == "f"
        else values
        for name, values in trained.items()
    }
