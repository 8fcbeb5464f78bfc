"""The weighted mean of many clients' arrays, at the speed of memory and with the same bits always.

Flower's own mean makes two temporaries per client and layer, which is most of what an unmodified round costs.
Here `GROUP` clients at a time are averaged by one matrix-vector product for each shard of `SHARD` elements,
copied into a tile that stays in cache; and the groups' means are merged into a running one (West 1979), so
that no more than a group's arrays need to be there at once. Neither cut depends on the number of workers, on
memory or on where the arrays lie, so neither do the bits.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARD = 4 * 4096  # elements
GROUP = 16  # clients; a tile of 1 MB of float32 fits a core's cache

Arrays = Mapping[str, NDArray[Any]]


class RunningMean:
    """The weighted mean of groups of clients that come one after another.

    Attributes
    ----------
    weight : float
        Of all groups merged so far.
    """

    def __init__(self) -> None:
        self.weight = 0.0
        self._means: dict[str, _ArrayMean] = {}
        self._group_weight = 0.0

    def average(self, replies: Sequence[Arrays], weights: Sequence[float]) -> bool:
        """Average a group, which counts once it is merged, and tell whether its mean is finite.

        Parameters
        ----------
        replies : sequence of mappings
            Per client, arrays of the same names, shapes and dtypes; 1 to `GROUP` clients.
        weights : sequence of float
            Per client, at least 0, not all 0.

        Returns
        -------
        bool
            False if a client's array holds an infinity or a NaN: neither can be averaged away.
        """
        self._means = self._means or {name: _ArrayMean(array) for name, array in replies[0].items()}
        factors = np.asarray(weights, dtype=np.float64)
        self._group_weight = float(factors.sum())
        factors /= self._group_weight
        with np.errstate(all="ignore"):
            finite = [
                mean.average([reply[name] for reply in replies], factors)
                for name, mean in self._means.items()
            ]
        return all(finite)

    def merge(self) -> None:
        """Let the group that was averaged last count."""
        self.weight += self._group_weight
        with np.errstate(all="ignore"):
            for mean in self._means.values():
                mean.merge(self._group_weight / self.weight)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the mean as new arrays, integers rounded; none if nothing was added."""
        return {name: mean.result() for name, mean in self._means.items()} if self.weight else {}


class _ArrayMean:
    """The running mean of one array; integers are averaged in float64."""

    def __init__(self, like: NDArray[Any]) -> None:
        self._shape, self._dtype = like.shape, like.dtype
        kind = like.dtype if like.dtype.kind in "fc" else np.dtype(np.float64)
        self._mean, self._part = np.zeros(like.size, kind), np.empty(like.size, kind)
        self._tile = np.empty((GROUP, min(SHARD, like.size)), kind)

    def average(self, arrays: Sequence[NDArray[Any]], factors: NDArray[np.float64]) -> bool:
        flat, part = [array.reshape(-1) for array in arrays], self._part
        factors = factors.astype(part.dtype)
        squares = 0.0
        for start in range(0, part.size, SHARD):
            shard = part[start : start + SHARD]
            if len(flat) == 1:
                shard[:] = flat[0][start : start + SHARD]  # bit for bit: a product would lose the sign of a 0
            else:
                tile = self._tile[: len(flat), : shard.size]
                for row, array in enumerate(flat):
                    tile[row] = array[start : start + SHARD]
                np.matmul(factors, tile, out=shard)
            squares += abs(np.dot(shard, shard))  # still in cache: the cheapest place to look at every value
        return math.isfinite(squares) or bool(np.isfinite(part).all())  # the squares may be too large

    def merge(self, share: float) -> None:
        if share == 1:
            self._mean, self._part = self._part, self._mean
            return
        np.subtract(self._part, self._mean, out=self._part)
        np.multiply(self._part, self._part.dtype.type(share), out=self._part)
        np.add(self._mean, self._part, out=self._mean)

    def result(self) -> NDArray[Any]:
        mean = self._mean if self._mean.dtype == self._dtype else np.rint(self._mean)
        return mean.astype(self._dtype, copy=False).reshape(self._shape)


def weighted_mean(replies: Sequence[Arrays], weights: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Average arrays by name, `GROUP` clients at a time in the order given.

    Parameters
    ----------
    replies : sequence of mappings
        Per client, arrays of the same names, shapes and dtypes; at least one client.
    weights : sequence of float
        Per client, at least 0, not all 0; usually the number of its examples.

    Returns
    -------
    dict of str to NDArray
        New arrays of the clients' dtypes; integers are rounded. A single client's arrays are copied, bit for
        bit.

    Raises
    ------
    ValueError
        If no weight is above 0.
    """
    if not sum(weights) > 0:
        raise ValueError(f"at least one weight must be above 0, got {list(weights)}")
    mean = RunningMean()
    for start in range(0, len(replies), GROUP):
        if sum(weights[start : start + GROUP]):
            mean.average(replies[start : start + GROUP], weights[start : start + GROUP])
            mean.merge()
    return mean.arrays()
