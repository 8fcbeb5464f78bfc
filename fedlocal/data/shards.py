"""The training rows, stored once in the order of a partition; an actor is handed its own slice, read-only."""

from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fedlocal.data.dataset import Rows
from fedlocal.data.errors import DataError
from fedlocal.data.partition.base import Partition
from fedlocal.data.sealed import SealedBytes, seal

ALIGN = 64  # bytes; each array starts on a cache line


class Shards:
    """Exclusive slices of one permuted copy of the training rows.

    The copy lives in one sealed block of memory. A child process that is given the shards as it starts
    (``spawn`` or ``forkserver``) maps the same memory: nothing is copied or sent. Use `create`, and close it
    or use ``with``.

    Parameters
    ----------
    memory : SealedBytes
        x, then y, each aligned.
    offsets : ndarray of int64, shape (actors + 1,)
        First row of each slice.
    inputs : int
        Number of features d.
    targets : int or None
        Number of real-valued targets; None: y is class codes.
    """

    def __init__(
        self, memory: SealedBytes, offsets: NDArray[np.int64], inputs: int, targets: int | None
    ) -> None:
        self._memory: SealedBytes | None = memory
        self._offsets = offsets
        self._inputs = inputs
        self._targets = targets

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
        inputs = int(rows.x.shape[1])

        def write(view: memoryview) -> None:
            x, y = _arrays(view, len(rows), inputs, targets)
            # mode "clip" writes into out directly where "raise" buffers; the order is a checked permutation
            np.take(rows.x, partition.order, axis=0, out=x, mode="clip")
            np.take(rows.y, partition.order, axis=0, out=y, mode="clip")

        memory = seal(max(1, _size(len(rows), inputs, targets)), write)
        return cls(memory, partition.offsets, inputs, targets)

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
        if self._memory is None:
            raise DataError("these shards are closed")
        if not 0 <= partition_id < len(self):
            raise DataError(f"partition {partition_id} does not exist: they are numbered 0..{len(self) - 1}")
        x, y = _arrays(self._memory.view(), int(self._offsets[-1]), self._inputs, self._targets)
        rows = slice(int(self._offsets[partition_id]), int(self._offsets[partition_id + 1]))
        return Rows(x[rows], y[rows])

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of rows of each slice, shape (actors,)."""
        return np.diff(self._offsets)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def close(self) -> None:
        """Give up the memory; slices that are still open stay valid until they are dropped."""
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


def _layout(n: int, inputs: int, targets: int | None) -> tuple[int, int, DTypeLike, tuple[int, ...]]:
    """Return where y begins, how many bytes it has, and its dtype and shape."""
    start = -(-n * inputs * 4 // ALIGN) * ALIGN
    if targets is None:
        return start, n * 8, np.int64, (n,)
    return start, n * targets * 4, np.float32, (n, targets)


def _size(n: int, inputs: int, targets: int | None) -> int:
    start, length, _, _ = _layout(n, inputs, targets)
    return start + length


def _arrays(
    view: memoryview, n: int, inputs: int, targets: int | None
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    start, _, dtype, shape = _layout(n, inputs, targets)
    x = np.frombuffer(view, np.float32, n * inputs).reshape(n, inputs)
    y = np.frombuffer(view, dtype, int(np.prod(shape)), start).reshape(shape)
    return x, y
