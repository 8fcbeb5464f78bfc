"""The data room: data sets, how their rows are divided among actors, and the slices the actors read.

It knows nothing of models, actors or Flower. Sources live in `fedlocal.data.sources`, partition strategies in
`fedlocal.data.partition`, feature skews in `fedlocal.data.skew`.
"""

from fedlocal.data.dataset import Dataset, Rows, traits
from fedlocal.data.errors import DataError, PartitionError, SkewError
from fedlocal.data.partition import Partition, PartitionStrategy, Traits
from fedlocal.data.shards import Shards
from fedlocal.data.skew import Skew
from fedlocal.data.slices import Slice, Slices, held_out_of

__all__ = [
    "DataError",
    "Dataset",
    "Partition",
    "PartitionError",
    "PartitionStrategy",
    "Rows",
    "Shards",
    "Skew",
    "SkewError",
    "Slice",
    "Slices",
    "Traits",
    "held_out_of",
    "traits",
]
