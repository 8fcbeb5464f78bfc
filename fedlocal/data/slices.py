"""An actor's slice as the actor sees it: skewed, and cut into rows to train on and rows to evaluate on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Rows
from fedlocal.data.shards import Shards
from fedlocal.data.skew import Skew

Draw = Callable[[int], np.random.Generator]


@dataclass(frozen=True)
class Slice:
    """What one actor owns: rows to train on, and held-out rows to evaluate on, perhaps none."""

    training: Rows
    held_out: Rows


@dataclass(frozen=True)
class Slices:
    """Opens slices; each process has its own, and keeps those it has opened.

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
        if partition_id not in self._opened:
            rows = self.shards.open(partition_id)
            x = self.skew(rows.x, self.shape, partition_id, len(self), self.skew_draw(partition_id))
            kept, held_out = self._cut(partition_id, len(rows))
            if not len(held_out):
                self._opened[partition_id] = Slice(Rows(x, rows.y), Rows(x[:0], rows.y[:0]))
            else:
                self._opened[partition_id] = Slice(
                    Rows(x[kept], rows.y[kept]), Rows(x[held_out], rows.y[held_out])
                )
        return self._opened[partition_id]

    def training_positions(self, partition_id: int) -> NDArray[Any]:
        """Return which rows of a slice are trained on: ascending positions in it, int64."""
        return self._cut(partition_id, int(self.shards.sizes[partition_id]))[0]

    def _cut(self, partition_id: int, size: int) -> tuple[NDArray[Any], NDArray[Any]]:
        count = min(int(self.held_out * size), max(size - 1, 0))
        order = self.held_out_draw(partition_id).permutation(size)
        return np.sort(order[count:]), np.sort(order[:count])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": {}}
