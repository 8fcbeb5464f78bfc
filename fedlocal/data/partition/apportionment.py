"""From shares to whole numbers of rows.

Everything here ends in a bounded number of vectorised steps. What comes out too small is filled up from the
largest; nothing is drawn again until it happens to fit.
"""

import bisect

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def pour(heights: Ints, room: Ints, total: int) -> Ints:
    """Share out units one by one to whoever is lowest, as water fills a landscape.

    `heights` and `room`, int64[n], say where each column stands, and how much it can take. Returns the units
    that each receives, int64[n]: they add up to `total`, at most ``room.sum()``. Ties go to the lower index.
    """
    if total == 0:
        return np.zeros_like(heights)

    def poured(level: int) -> Ints:
        return np.clip(level - heights, 0, room)

    low, high = int(heights.min()), int((heights + room).max())
    level = low + bisect.bisect_left(range(low, high), total, key=lambda level: int(poured(level).sum()))
    received = poured(level)
    topped = np.flatnonzero(received > poured(level - 1))
    surplus = int(received.sum()) - total
    received[topped[len(topped) - surplus :]] -= 1
    return received


def apportion(shares: Floats, totals: Ints, rng: np.random.Generator) -> Ints:
    """Round shares to whole numbers that add up, by systematic sampling.

    The running sums are cut at integers after a random shift, one for each row, so that the expected number
    is exactly ``share * total`` and no number is off by one or more. Of `shares`, float64[m, actors], each
    row adds up to 1; `totals`, int64[m], is what each row of the result, int64[m, actors], adds up to.
    """
    cuts = np.cumsum(shares, axis=1)
    cuts *= totals[:, None]
    cuts += rng.random((len(totals), 1))
    edges = np.zeros((shares.shape[0], shares.shape[1] + 1), np.int64)
    edges[:, 1:] = np.minimum(cuts, totals[:, None])
    edges[:, -1] = totals
    return np.diff(edges, axis=1)


def round_to_total(logarithms: Floats, total: int) -> Ints:
    """Turn relative sizes into int64[m] that add up to `total`, by largest remainders.

    The sizes are given by their logarithms, float64[m], since these cannot overflow.
    """
    weights = np.exp(logarithms - logarithms.max())
    exact = weights / weights.sum() * total
    sizes: Ints = exact.astype(np.int64)
    closest = np.argsort(sizes - exact, kind="stable")
    sizes[closest[: total - int(sizes.sum())]] += 1
    return sizes


def equal_sizes(n: int, parts: int) -> Ints:
    """Divide n rows into sizes that differ by one at most, the larger ones first."""
    sizes = np.full(parts, n // parts, np.int64)
    sizes[: n % parts] += 1
    return sizes


def raise_sizes(sizes: Ints, min_size: int) -> Ints:
    """Lift sizes below the minimum to it, at the cost of the largest; the sum stays."""
    lacking = np.maximum(min_size - sizes, 0)
    taken = pour(-sizes, np.maximum(sizes - min_size, 0), int(lacking.sum()))
    return sizes + lacking - taken


def dirichlet_shares(alpha: float, parts: int, draws: int, rng: np.random.Generator) -> Floats:
    """Draw points of the symmetric Dirichlet distribution, float64[draws, parts], safe at both ends of alpha.

    Where the sum of the underlying gamma variates under- or overflows, the limit is taken: one part has
    everything (alpha below 1), or all are equal.
    """
    shares = rng.dirichlet(np.full(parts, alpha), draws)
    sums = shares.sum(axis=1)
    lost = np.flatnonzero(~(np.abs(sums - 1) < 1e-6))
    if len(lost):
        shares[lost] = np.eye(parts)[rng.integers(parts, size=len(lost))] if alpha < 1 else 1 / parts
    return shares
