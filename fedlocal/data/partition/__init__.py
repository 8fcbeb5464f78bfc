"""Strategies that divide training rows among actors, one for each kind of heterogeneity in the literature.

A strategy is called as ``strategy(traits, actors, rng)`` and returns a `Partition`. The groups of
``conf/partition`` bear their common names: `LabelShards` is ``partition=shards``, the others are named as
their classes.
"""

from fedlocal.data.partition.base import OwnerRule, Partition, PartitionStrategy, Traits
from fedlocal.data.partition.by_class import ExtendedDirichlet, LabelShards, Orthogonal, Pathological
from fedlocal.data.partition.by_size import Exponential, Linear, Quantity, Sizes, Square
from fedlocal.data.partition.continuous import Continuous
from fedlocal.data.partition.dirichlet import Dirichlet
from fedlocal.data.partition.distribution import Distribution, Mixed
from fedlocal.data.partition.flower_datasets import FlowerDatasets
from fedlocal.data.partition.group import Group
from fedlocal.data.partition.iid import Iid
from fedlocal.data.partition.inner_dirichlet import InnerDirichlet

__all__ = [
    "Continuous",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "ExtendedDirichlet",
    "FlowerDatasets",
    "Group",
    "Iid",
    "InnerDirichlet",
    "LabelShards",
    "Linear",
    "Mixed",
    "Orthogonal",
    "OwnerRule",
    "Partition",
    "PartitionStrategy",
    "Pathological",
    "Quantity",
    "Sizes",
    "Square",
    "Traits",
]
