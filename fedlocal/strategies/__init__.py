"""Strategies by their public addresses, Flower's own ones among them: what ``conf/strategy`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from flwr.serverapp.strategy import (
        Bulyan,
        FedAdagrad,
        FedAdam,
        FedAvgM,
        FedMedian,
        FedProx,
        FedTrimmedAvg,
        FedYogi,
        Krum,
        MultiKrum,
    )

    from fedlocal.strategies.fedavg import FedAvg
    from fedlocal.strategies.norm_clipping import NormClipping
    from fedlocal.strategies.qfedavg import QFedAvg

__all__ = [
    "Bulyan",
    "FedAdagrad",
    "FedAdam",
    "FedAvg",
    "FedAvgM",
    "FedMedian",
    "FedProx",
    "FedTrimmedAvg",
    "FedYogi",
    "Krum",
    "MultiKrum",
    "NormClipping",
    "QFedAvg",
]

_HOMES = {
    "FedAvg": "fedlocal.strategies.fedavg",
    "NormClipping": "fedlocal.strategies.norm_clipping",
    "QFedAvg": "fedlocal.strategies.qfedavg",
    "Bulyan": "flwr.serverapp.strategy",
    "FedAdagrad": "flwr.serverapp.strategy",
    "FedAdam": "flwr.serverapp.strategy",
    "FedAvgM": "flwr.serverapp.strategy",
    "FedMedian": "flwr.serverapp.strategy",
    "FedProx": "flwr.serverapp.strategy",
    "FedTrimmedAvg": "flwr.serverapp.strategy",
    "FedYogi": "flwr.serverapp.strategy",
    "Krum": "flwr.serverapp.strategy",
    "MultiKrum": "flwr.serverapp.strategy",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
