"""An actor's slice as the actor sees it: skewed, and cut into rows to train on and rows to evaluate on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Rows
from fedlocal.data.shards import Shards
from fedlocal.data.skew import NoSkew, Skew

CACHED_SLICES = 1024
"""Opened slices that a process keeps: where there are more actors, each is small and soon opened again."""

Draw = Callable[[int], np.random.Generator]


def held_out_of(sizes: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Return how many rows slices of these sizes hold out: a share, rounded down, and never all."""
    return np.minimum((share * sizes).astype(np.int64), np.maximum(sizes - 1, 0))


@dataclass(frozen=True)
class Slice:
    """The rows of one actor: rows to train on, and held-out rows to evaluate on, perhaps none."""

    training: Rows
    held_out: Rows


@dataclass(frozen=True)
class Slices:
    """Opens slices; each process has its own, and keeps the last ones it opened.

    Parameters
    ----------
    shards : Shards
        The permuted rows.
    skew : Skew
        Applied to a slice when it is opened.
    shape : tuple of int
        Of one example.
    held_out : float
        Share of each slice that is held out from training, in [0, 1). At least one row stays to train on.
    skew_draw, held_out_draw : callable
        Give the random generator for a partition; they must pickle.
    """

    shards: Shards
    skew: Skew
    shape: tuple[int, ...]
    held_out: float
    skew_draw: Draw
    held_out_draw: Draw
    _opened: dict[int, Slice] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.shards)

    def open(self, partition_id: int) -> Slice:
        """Return a partition's slice; its arrays are not to be written to."""
        opened = self._opened.get(partition_id)
        if opened is None:
            opened = self._split(partition_id)
            if len(self._opened) >= CACHED_SLICES:
                del self._opened[next(iter(self._opened))]
            self._opened[partition_id] = opened
        return opened

    def features(self, partition_id: int) -> NDArray[np.float32]:
        """Return the features of all of a partition's rows, as its actor sees them."""
        return self._skewed_features(partition_id, self.shards.open(partition_id).x)

    @property
    def skewed(self) -> bool:
        """Whether actors see their rows otherwise than the data set has them."""
        return not isinstance(self.skew, NoSkew)

    @property
    def held_out_sizes(self) -> NDArray[np.int64]:
        """Number of rows that each actor holds out, shape (actors,)."""
        return held_out_of(self.shards.sizes, self.held_out)

    @property
    def training_sizes(self) -> NDArray[np.int64]:
        """Number of rows that each actor trains on, shape (actors,)."""
        return self.shards.sizes - self.held_out_sizes

    def held_out_positions(self, partition_id: int) -> NDArray[np.int64]:
        """Return which rows of a slice are held out from training: ascending positions in it."""
        return self._held_out(partition_id, len(self.shards.open(partition_id)))

    def _held_out(self, partition_id: int, size: int) -> NDArray[np.int64]:
        count = int(held_out_of(np.array(size), self.held_out)) if self.held_out else 0
        if count == 0:
            return np.empty(0, np.int64)
        return np.sort(self.held_out_draw(partition_id).permutation(size)[:count])

    def _skewed_features(self, partition_id: int, x: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.skewed:
            return x  # to make a generator would cost more than all the rest
        return self.skew(x, self.shape, partition_id, len(self), self.skew_draw(partition_id))

    def _split(self, partition_id: int) -> Slice:
        rows = self.shards.open(partition_id)
        x, y = self._skewed_features(partition_id, rows.x), rows.y
        held_out = self._held_out(partition_id, len(rows))
        if len(held_out) == 0:
            return Slice(Rows(x, y), Rows(x[:0], y[:0]))
        kept = np.delete(np.arange(len(x)), held_out)
        return Slice(Rows(x[kept], y[kept]), Rows(x[held_out], y[held_out]))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}
