"""An array in memory that a system's owner and its workers share, for as long as messages hand it over.

Actors share no memory: who may write where, and when, must follow from messages. A worker that was killed may
leave half of what it wrote, so what it was to write is written anew when its message is tried again.
"""

from typing import Any

from numpy.typing import DTypeLike, NDArray

from fedlocal.memory.block import Block
from fedlocal.memory.parts import ArrayParts


class SharedArray:
    """An array of zeros at first, which a process that is given it as it starts has too.

    Parameters
    ----------
    shape : tuple of int
        At least one element. What is never written takes no memory.
    dtype : dtype-like
        Of the elements.

    Attributes
    ----------
    array : NDArray
        The array itself; it stays valid for as long as it is used, also after `close`.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._parts = ArrayParts([(dtype, shape)])
        self._block = Block.create(self._parts.nbytes)
        self.array = self._mapped()

    def close(self) -> None:
        """Give up this process's hold on the memory; may be called twice."""
        self._block.close()

    def __getstate__(self) -> tuple[ArrayParts, Block]:
        return self._parts, self._block

    def __setstate__(self, state: tuple[ArrayParts, Block]) -> None:
        self._parts, self._block = state
        self.array = self._mapped()
        self._block.close()

    def _mapped(self) -> NDArray[Any]:
        return self._parts.of(self._block.map())[0]
