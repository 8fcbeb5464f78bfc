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
    "ExtendedDirichlet": "fedlocal.data.partition.by_class",
    "LabelShards": "fedlocal.data.partition.by_class",
    "Orthogonal": "fedlocal.data.partition.by_class",
    "Pathological": "fedlocal.data.partition.by_class",
    "Exponential": "fedlocal.data.partition.by_size",
    "Linear": "fedlocal.data.partition.by_size",
    "Quantity": "fedlocal.data.partition.by_size",
    "Sizes": "fedlocal.data.partition.by_size",
    "Square": "fedlocal.data.partition.by_size",
    "Continuous": "fedlocal.data.partition.continuous",
    "Dirichlet": "fedlocal.data.partition.dirichlet",
    "Distribution": "fedlocal.data.partition.distribution",
    "Mixed": "fedlocal.data.partition.distribution",
    "FlowerDatasets": "fedlocal.data.partition.flower_datasets",
    "Group": "fedlocal.data.partition.group",
    "Iid": "fedlocal.data.partition.iid",
    "InnerDirichlet": "fedlocal.data.partition.inner_dirichlet",
    "GaussianNoise": "fedlocal.data.skew",
    "NoSkew": "fedlocal.data.skew",
    "Rotation": "fedlocal.data.skew",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
