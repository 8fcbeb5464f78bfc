"""Partitions and feature skews by their public addresses: what ``conf/partition`` and ``conf/skew`` name."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.data.partition.by_class import ExtendedDirichlet, LabelShards, Orthogonal, Pathological
    from fedlocal.data.partition.by_size import Exponential, Linear, Quantity, Sizes, Square
    from fedlocal.data.partition.continuous import Continuous
    from fedlocal.data.partition.dirichlet import Dirichlet
    from fedlocal.data.partition.distribution import Distribution, Mixed
    from fedlocal.data.partition.flower_datasets import FlowerDatasets
    from fedlocal.data.partition.group import Group
    from fedlocal.data.partition.iid import Iid
    from fedlocal.data.partition.inner_dirichlet import InnerDirichlet
    from fedlocal.data.skew import GaussianNoise, NoSkew, Rotation

__all__ = [
    "Continuous",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "ExtendedDirichlet",
    "FlowerDatasets",
    "GaussianNoise",
    "Group",
    "Iid",
    "InnerDirichlet",
    "LabelShards",
    "Linear",
    "Mixed",
    "NoSkew",
    "Orthogonal",
    "Pathological",
    "Quantity",
    "Rotation",
    "Sizes",
    "Square",
]

_HOMES = {
    "fedlocal.data.partition.by_class": "ExtendedDirichlet LabelShards Orthogonal Pathological",
    "fedlocal.data.partition.by_size": "Exponential Linear Quantity Sizes Square",
    "fedlocal.data.partition.continuous": "Continuous",
    "fedlocal.data.partition.dirichlet": "Dirichlet",
    "fedlocal.data.partition.distribution": "Distribution Mixed",
    "fedlocal.data.partition.flower_datasets": "FlowerDatasets",
    "fedlocal.data.partition.group": "Group",
    "fedlocal.data.partition.iid": "Iid",
    "fedlocal.data.partition.inner_dirichlet": "InnerDirichlet",
    "fedlocal.data.skew": "GaussianNoise NoSkew Rotation",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
