"""The weighted mean of many clients' arrays: at the speed of memory, and always the same bits.

Flower's own mean makes two temporaries per client and layer, which is most of what an unmodified round costs.
Here `GROUP` clients at a time are added up, shard by shard: a shard of the sum stays in cache while BLAS adds
each client's onto it, so that all is read once. The groups' means are merged into a running mean (West 1979),
so that no more than a group's arrays need to be there. Neither cut depends on the number of workers, on
memory or on where the arrays lie, so neither do the bits.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.numpy.blas import blas

SHARD = 8 * 4096  # elements; 128 KB of float32 stay in a core's cache
GROUP = 16  # clients
PREFIXES = {"f": "s", "d": "d", "F": "c", "D": "z"}  # of BLAS functions, by dtype

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
        self._group_weight = float(sum(weights))
        factors = [weight / self._group_weight for weight in weights]
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
    """The running mean of one array; in float64 where BLAS does not know the dtype."""

    def __init__(self, like: NDArray[Any]) -> None:
        self._shape, self._dtype = like.shape, like.dtype
        kind = np.dtype(like.dtype.type if like.dtype.char in "fdFD" else np.float64)
        self._add = getattr(blas, PREFIXES[kind.char] + "axpy")
        self._mean, self._part = np.zeros(like.size, kind), np.empty(like.size, kind)

    def average(self, arrays: Sequence[NDArray[Any]], factors: Sequence[float]) -> bool:
        first, *rest = [array.reshape(-1) for array in arrays]
        squares = 0.0
        for start in range(0, first.size, SHARD):
            shard = self._part[start : start + SHARD]
            if not rest:
                shard[:] = first[start : start + SHARD]  # bit for bit
            else:
                np.multiply(first[start : start + SHARD], factors[0], out=shard, casting="unsafe")
            for array, factor in zip(rest, factors[1:], strict=True):
                self._add(array[start : start + SHARD], shard, a=factor)
            squares += abs(np.dot(shard, shard))  # still in cache: the cheapest place to look at every value
        return math.isfinite(squares) or bool(np.isfinite(self._part).all())  # the squares may be too large

    def merge(self, share: float) -> None:
        if share == 1:
            self._mean, self._part = self._part, self._mean
            return
        for start in range(0, self._part.size, SHARD):
            part, mean = self._part[start : start + SHARD], self._mean[start : start + SHARD]
            np.subtract(part, mean, out=part)
            np.multiply(part, share, out=part, casting="unsafe")
            np.add(mean, part, out=mean)

    def result(self) -> NDArray[Any]:
        mean = np.rint(self._mean) if self._dtype.kind in "iub" else self._mean
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


def in_groups(nodes: Sequence[int], sizes: Sequence[float]) -> list[list[int]]:
    """Return positions in the groups in which replies are averaged: by size, then by node within a group.

    Parameters
    ----------
    nodes : sequence of int
        The nodes that replied.
    sizes : sequence of float
        The weights of the replies, or the expected weights.
    """
    ordered = sorted(range(len(nodes)), key=lambda position: (-sizes[position], nodes[position]))
    groups = (ordered[start : start + GROUP] for start in range(0, len(ordered), GROUP))
    return [sorted(group, key=lambda position: nodes[position]) for group in groups]
