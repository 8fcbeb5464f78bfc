"""Parts along a real-valued target."""

from dataclasses import dataclass

import numpy as np

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Floats, Ints, equal_sizes
from fedlocal.data.partition.base import OwnerRule, Traits
from fedlocal.data.partition.checks import check_within


@dataclass(frozen=True)
class Continuous(OwnerRule):
    """Rows are ranked by their target, blurred by noise, and cut into equal parts.

    The rank is that of ``strictness * z + (1 - strictness) * e``, with z the standardised target and e
    standard normal noise.

    Parameters
    ----------
    strictness : float
        0: IID, 1: strictly by the target.

    References
    ----------
    .. [1] ``ContinuousPartitioner`` of Flower Datasets, https://flower.ai/docs/datasets.
    """

    strictness: float = 1.0

    def __post_init__(self) -> None:
        check_within("continuous", 0, 1, strictness=self.strictness)

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        blurred = (1 - self.strictness) * rng.standard_normal(len(traits))
        if self.strictness > 0:
            blurred += self.strictness * _standardised(_values(traits))
        owner = np.empty(len(traits), np.int64)
        owner[np.argsort(blurred, kind="stable")] = np.repeat(
            np.arange(actors), equal_sizes(len(traits), actors)
        )
        return owner


def _values(traits: Traits) -> Floats:
    if traits.classes is None:
        values = traits.labels.astype(np.float64)
    elif traits.classes.dtype.kind in "biuf":
        values = traits.classes.astype(np.float64)[traits.labels]
    else:
        raise PartitionError(
            "continuous needs a real-valued target or numeric class labels, these are "
            f"{traits.classes.dtype}: use partition=shards or dirichlet"
        )
    if not np.all(np.isfinite(values)):
        raise PartitionError("continuous: the target holds NaN or infinity")
    return values


def _standardised(values: Floats) -> Floats:
    deviation = values.std()
    if not deviation > 1e-12 * np.abs(values).max():
        raise PartitionError("continuous: all targets are equal, there is nothing to rank; use partition=iid")
    standardised: Floats = (values - values.mean()) / deviation
    return standardised
