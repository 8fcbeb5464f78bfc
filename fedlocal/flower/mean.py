"""The weighted mean of many clients' arrays, at the speed of memory and with the same bits always.

Flower's own mean makes two temporaries per client and layer, which is most of what an unmodified round costs.
Here each array is cut into shards at fixed multiples of `SHARD` elements; the clients' shards are copied, a
fixed group of clients at a time, into a tile that stays in cache, and one matrix-vector product adds a group
up. Neither cut depends on the number of workers or on where the arrays lie, so neither do the bits.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARD = 4 * 4096  # elements
GROUP = 16  # clients; a tile of 1 MB of float32 fits a core's cache

Arrays = Mapping[str, NDArray[Any]]


def weighted_mean(replies: Sequence[Arrays], weights: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Average arrays by name.

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
    if len(replies) == 1:
        return {name: array.copy() for name, array in replies[0].items()}
    factors = np.asarray(weights, dtype=np.float64)
    factors /= factors.sum()
    return {name: _mean([reply[name] for reply in replies], factors) for name in replies[0]}


def _mean(arrays: Sequence[NDArray[Any]], factors: NDArray[np.float64]) -> NDArray[Any]:
    first = arrays[0]
    kind = first.dtype if first.dtype.kind == "f" else np.dtype(np.float64)
    result = np.zeros(first.size, dtype=kind)
    flat = [array.reshape(-1) for array in arrays]
    factors = factors.astype(kind)
    tile = np.empty((min(GROUP, len(arrays)), min(SHARD, first.size)), dtype=kind)
    product = np.empty(tile.shape[1], dtype=kind)
    for start in range(0, first.size, SHARD):
        shard = result[start : start + SHARD]
        width = len(shard)
        for group in range(0, len(arrays), GROUP):
            members = flat[group : group + GROUP]
            for row, array in enumerate(members):
                tile[row, :width] = array[start : start + SHARD]
            part = np.matmul(
                factors[group : group + GROUP], tile[: len(members), :width], out=product[:width]
            )
            np.add(shard, part, out=shard)
    if kind != first.dtype:
        result = np.rint(result)
    return result.astype(first.dtype, copy=False).reshape(first.shape)
