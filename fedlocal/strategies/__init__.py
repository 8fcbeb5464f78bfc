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
    "fedlocal.strategies.fedavg": "FedAvg",
    "fedlocal.strategies.norm_clipping": "NormClipping",
    "fedlocal.strategies.qfedavg": "QFedAvg",
    "flwr.serverapp.strategy": "Bulyan FedAdagrad FedAdam FedAvgM FedMedian FedProx FedTrimmedAvg FedYogi "
    "Krum MultiKrum",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
