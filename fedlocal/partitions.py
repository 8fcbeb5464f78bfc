"""Partitions and feature skews by their public addresses: what ``conf/partition`` and ``conf/skew`` name."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.data.partition.by_class import Distribution as Distribution
    from fedlocal.data.partition.by_class import ExtendedDirichlet as ExtendedDirichlet
    from fedlocal.data.partition.by_class import Orthogonal as Orthogonal
    from fedlocal.data.partition.by_class import Pathological as Pathological
    from fedlocal.data.partition.by_size import Exponential as Exponential
    from fedlocal.data.partition.by_size import Iid as Iid
    from fedlocal.data.partition.by_size import Linear as Linear
    from fedlocal.data.partition.by_size import Quantity as Quantity
    from fedlocal.data.partition.by_size import Sizes as Sizes
    from fedlocal.data.partition.by_size import Square as Square
    from fedlocal.data.partition.by_value import Continuous as Continuous
    from fedlocal.data.partition.by_value import Group as Group
    from fedlocal.data.partition.by_value import LabelShards as LabelShards
    from fedlocal.data.partition.dirichlet import Dirichlet as Dirichlet
    from fedlocal.data.partition.dirichlet import InnerDirichlet as InnerDirichlet
    from fedlocal.data.partition.dirichlet import Mixed as Mixed
    from fedlocal.data.partition.flower_datasets import FlowerDatasets as FlowerDatasets
    from fedlocal.data.skew import GaussianNoise as GaussianNoise
    from fedlocal.data.skew import NoSkew as NoSkew
    from fedlocal.data.skew import Rotation as Rotation
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
