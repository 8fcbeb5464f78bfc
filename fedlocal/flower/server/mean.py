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
    """The weighted mean of groups of clients that come one after another."""

    def __init__(self) -> None:
        self._weight = self._group_weight = 0.0
        self._likes: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
        self._means: dict[str, NDArray[Any]] = {}
        self._parts: dict[str, NDArray[Any]] = {}  # the means of the group

    def average(self, replies: Sequence[Arrays], weights: Sequence[float]) -> bool:
        """Average a group, which counts once it is merged, and tell whether its mean is finite.

        Parameters
        ----------
        replies : sequence of mappings
            Per client, arrays of the same names, shapes and dtypes; at most `GROUP` clients.
        weights : sequence of float
            Per client, at least 0; if all are 0, the group does not count.

        Returns
        -------
        bool
            False if a client's array holds an infinity or a NaN: neither can be averaged away.
        """
        self._group_weight = float(sum(weights))
        if not self._group_weight:
            return True
        if not self._likes:
            self._likes = {name: (array.shape, array.dtype) for name, array in replies[0].items()}
            for name, array in replies[0].items():
                kind = array.dtype.type if array.dtype.char in PREFIXES else np.float64  # BLAS knows no other
                self._means[name], self._parts[name] = np.empty(array.size, kind), np.empty(array.size, kind)
        factors = [weight / self._group_weight for weight in weights]
        with np.errstate(all="ignore"):
            finite = [
                _add_up(part, [reply[name].reshape(-1) for reply in replies], factors)
                for name, part in self._parts.items()
            ]
        return all(finite)

    def merge(self) -> None:
        """Let the group that was averaged last count."""
        if not self._group_weight:  # what lies in the parts is of replies that were refused
            return
        self._weight += self._group_weight
        if self._weight == self._group_weight:  # the first group
            self._means, self._parts = self._parts, self._means
            return
        share = self._group_weight / self._weight
        with np.errstate(all="ignore"):
            for name, whole in self._means.items():
                for start in range(0, whole.size, SHARD):
                    part, mean = self._parts[name][start : start + SHARD], whole[start : start + SHARD]
                    np.subtract(part, mean, out=part)
                    np.multiply(part, share, out=part, casting="unsafe")
                    np.add(mean, part, out=mean)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the mean, integers rounded; nothing if no weight was above 0. It ends here."""
        if not self._weight:
            return {}
        return {
            name: (np.rint(self._means[name]) if dtype.kind in "iub" else self._means[name])
            .astype(dtype, copy=False)
            .reshape(shape)
            for name, (shape, dtype) in self._likes.items()
        }


def _add_up(part: NDArray[Any], arrays: Sequence[NDArray[Any]], factors: Sequence[float]) -> bool:
    """Write the weighted sum of flat arrays into `part`, and tell whether it is finite."""
    add, squares = getattr(blas, PREFIXES[part.dtype.char] + "axpy"), 0.0
    for start in range(0, part.size, SHARD):
        shard, end = part[start : start + SHARD], start + SHARD
        if len(arrays) == 1:
            shard[:] = arrays[0][start:end]  # bit for bit
        else:
            np.multiply(arrays[0][start:end], factors[0], out=shard, casting="unsafe")
        for array, factor in zip(arrays[1:], factors[1:], strict=True):
            add(array[start:end], shard, a=factor)
        squares += abs(np.dot(shard, shard))  # still in cache: the cheapest place to look at every value
    return math.isfinite(squares) or bool(np.isfinite(part).all())  # the squares may be too large


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
