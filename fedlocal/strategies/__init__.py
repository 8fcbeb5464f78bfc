"""Strategies by their public addresses, Flower's own ones among them: what ``conf/strategy`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from flwr.serverapp.strategy import Bulyan as Bulyan
    from flwr.serverapp.strategy import FedAdagrad as FedAdagrad
    from flwr.serverapp.strategy import FedAdam as FedAdam
    from flwr.serverapp.strategy import FedAvgM as FedAvgM
    from flwr.serverapp.strategy import FedMedian as FedMedian
    from flwr.serverapp.strategy import FedProx as FedProx
    from flwr.serverapp.strategy import FedTrimmedAvg as FedTrimmedAvg
    from flwr.serverapp.strategy import FedYogi as FedYogi
    from flwr.serverapp.strategy import Krum as Krum
    from flwr.serverapp.strategy import MultiKrum as MultiKrum

    from fedlocal.strategies.fedavg import FedAvg as FedAvg
    from fedlocal.strategies.norm_clipping import NormClipping as NormClipping
    from fedlocal.strategies.qfedavg import QFedAvg as QFedAvg
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
