"""The training rows, stored once in the order of a partition; an actor is handed its own slice, read-only."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Rows
from fedlocal.data.errors import DataError
from fedlocal.data.partition.base import Partition
from fedlocal.memory.block import Block
from fedlocal.memory.parts import ArrayParts


class Shards:
    """Exclusive slices of one permuted copy of the training rows.

    The copy lives in one sealed block of memory. A child process that is given the shards as it starts
    (``spawn`` or ``forkserver``) maps the same memory: nothing is copied or sent. Use `create`, and close it
    or use ``with``.

    Parameters
    ----------
    block : Block
        The memory, sealed.
    parts : ArrayParts
        What lies in it: offsets int64[actors + 1], the first row of each slice and the end of the last; x; y.
    """

    def __init__(self, block: Block, parts: ArrayParts) -> None:
        self._block: Block | None = block
        self._parts = parts
        self._arrays: list[NDArray[Any]] = []

    @classmethod
    def create(cls, rows: Rows, partition: Partition) -> "Shards":
        """Copy the training rows, permuted, straight into the shared block.

        Raises
        ------
        DataError
            If the partition is of another number of rows.
        """
        if len(rows) != len(partition.order):
            raise DataError(f"the partition is of {len(partition.order)} rows, the data have {len(rows)}")
        arrays = (partition.offsets, rows.x, rows.y)
        parts = ArrayParts((array.dtype, array.shape) for array in arrays)

        def write(block: Block) -> None:
            offsets, x, y = parts.of(block.map())
            offsets[:] = partition.offsets
            # mode "clip" writes into out directly where "raise" buffers; the order is a checked permutation
            np.take(rows.x, partition.order, axis=0, out=x, mode="clip")
            np.take(rows.y, partition.order, axis=0, out=y, mode="clip")

        return cls(Block.create(parts.nbytes, write), parts)

    def open(self, partition_id: int) -> Rows:
        """Return the rows of actor 0..actors-1: read-only views of that slice, no copy.

        Raises
        ------
        DataError
            If there is no such slice, or the shards are closed.
        """
        offsets, x, y = self._mapped()
        if not 0 <= partition_id < len(self):
            raise DataError(f"partition {partition_id} does not exist: they are numbered 0..{len(self) - 1}")
        rows = slice(int(offsets[partition_id]), int(offsets[partition_id + 1]))
        return Rows(x[rows], y[rows])

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of rows of each slice, shape (actors,)."""
        return np.diff(self._mapped()[0])

    def __len__(self) -> int:
        return len(self._mapped()[0]) - 1

    def _mapped(self) -> list[NDArray[Any]]:
        if self._block is None:
            raise DataError("these shards are closed")
        if not self._arrays:
            self._arrays = self._parts.of(self._block.map())
        return self._arrays

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": []}

    def close(self) -> None:
        """Give up the memory; slices that are still open stay valid until they are dropped."""
        self._arrays = []
        if self._block is not None:
            self._block.close()
            self._block = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
