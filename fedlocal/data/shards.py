"""The training rows, stored once in the order of a partition; an actor is handed its own slice, read-only."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fedlocal.data.dataset import Rows
from fedlocal.data.errors import DataError
from fedlocal.data.partition.base import Partition
from fedlocal.memory.sealed import SealedBytes, seal

ALIGN = 64  # bytes; each array starts on a cache line

Arrays = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[Any]]


@dataclass(frozen=True)
class Layout:
    """The arrays of the block: the first row of each slice and the end of the last, then x, then y.

    Parameters
    ----------
    actors, rows : int
        Number of slices, and of rows in all of them.
    inputs : int
        Number of features.
    targets : int or None
        Number of real-valued targets; None: y is class codes.
    """

    actors: int
    rows: int
    inputs: int
    targets: int | None

    def arrays(self, block: memoryview) -> Arrays:
        """Return offsets int64[actors + 1], x float32[rows, inputs] and y, as views of a block."""
        views, start = [], 0
        for dtype, shape in self._arrays():
            views.append(np.frombuffer(block, dtype, math.prod(shape), start).reshape(shape))
            start += _aligned(views[-1].nbytes)
        return views[0], views[1], views[2]

    @property
    def nbytes(self) -> int:
        """Bytes of the block."""
        return sum(_aligned(math.prod(shape) * np.dtype(dtype).itemsize) for dtype, shape in self._arrays())

    def _arrays(self) -> list[tuple[DTypeLike, tuple[int, ...]]]:
        y: tuple[DTypeLike, tuple[int, ...]] = (np.int64, (self.rows,))
        if self.targets is not None:
            y = (np.float32, (self.rows, self.targets))
        return [(np.int64, (self.actors + 1,)), (np.float32, (self.rows, self.inputs)), y]


class Shards:
    """Exclusive slices of one permuted copy of the training rows.

    The copy lives in one sealed block of memory. A child process that is given the shards as it starts
    (``spawn`` or ``forkserver``) maps the same memory: nothing is copied or sent. Use `create`, and close it
    or use ``with``.

    Parameters
    ----------
    memory : SealedBytes
        The block.
    layout : Layout
        What lies where in it.
    """

    def __init__(self, memory: SealedBytes, layout: Layout) -> None:
        self._memory: SealedBytes | None = memory
        self._layout = layout
        self._arrays: Arrays | None = None

    @classmethod
    def create(cls, rows: Rows, partition: Partition) -> "Shards":
        """Copy the rows, permuted, straight into the shared block.

        Parameters
        ----------
        rows : Rows
            The n training rows.
        partition : Partition
            Of the same n rows.

        Raises
        ------
        DataError
            If the partition is of another number of rows.
        """
        if len(rows) != len(partition.order):
            raise DataError(f"the partition is of {len(partition.order)} rows, the data have {len(rows)}")
        targets = None if rows.y.ndim == 1 else int(rows.y.shape[1])
        layout = Layout(len(partition), len(rows), int(rows.x.shape[1]), targets)

        def write(block: memoryview) -> None:
            offsets, x, y = layout.arrays(block)
            offsets[:] = partition.offsets
            # mode "clip" writes into out directly where "raise" buffers; the order is a checked permutation
            np.take(rows.x, partition.order, axis=0, out=x, mode="clip")
            np.take(rows.y, partition.order, axis=0, out=y, mode="clip")

        return cls(seal(layout.nbytes, write), layout)

    def open(self, partition_id: int) -> Rows:
        """Return the rows of one actor: read-only views of that slice, no copy.

        Parameters
        ----------
        partition_id : int
            0..actors-1.

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
        return self._layout.actors

    def _mapped(self) -> Arrays:
        if self._memory is None:
            raise DataError("these shards are closed")
        if self._arrays is None:
            self._arrays = self._layout.arrays(self._memory.view())
        return self._arrays

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": None}

    def close(self) -> None:
        """Give up the memory; slices that are still open stay valid until they are dropped."""
        self._arrays = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_memory", None) is not None:
            self.close()


def _aligned(size: int) -> int:
    return -(-size // ALIGN) * ALIGN
