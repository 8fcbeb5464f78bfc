"""The data room: data sets, how their rows are divided among actors, and the slices the actors read.

It knows nothing of models, actors or Flower. Sources live in `fedlocal.data.sources`, partition strategies in
`fedlocal.data.partition`, feature skews in `fedlocal.data.skew`.
"""

import os

# What libraries of Hugging Face and Flower read when they are imported: a local run sends nothing anywhere.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")

from fedlocal.data.dataset import Dataset, Rows, check_finite, traits
from fedlocal.data.errors import DataError, PartitionError, SkewError
from fedlocal.data.features import Column, FeatureScaling
from fedlocal.data.fingerprint import Fingerprint, differing_parts, division_of, fingerprint
from fedlocal.data.partition import Partition, PartitionStrategy, Traits
from fedlocal.data.shards import Shards
from fedlocal.data.skew import Skew
from fedlocal.data.slices import Slice, Slices, held_out_of

__all__ = [
    "Column",
    "DataError",
    "Dataset",
    "FeatureScaling",
    "Fingerprint",
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
    "check_finite",
    "differing_parts",
    "division_of",
    "fingerprint",
    "held_out_of",
    "traits",
]
