"""Strategies that divide training rows among actors, for each kind of heterogeneity in the literature.

A strategy is called as ``strategy(traits, actors, rng)`` and returns a `Partition`. Their public addresses
are in :mod:`fedlocal.partitions`; ``conf/partition`` names them, `LabelShards` as ``partition=shards``.
"""

from fedlocal.data.partition.base import OwnerRule, Partition, PartitionStrategy, Traits

__all__ = ["OwnerRule", "Partition", "PartitionStrategy", "Traits"]
