"""Shared memory between the supervisor and its workers: one copy of the model per worker and round.

Down, a `Broadcast`: one sealed block per distinct content, mapped once per worker, which nobody can write
again. Up, a `SlotPool`: preallocated slots, each owned by one message from its dispatch until the last view
of its reply is gone; a slot is never handed out while its writer may still live. Where blocks cannot be sent
(macOS, Windows), bytes go over the socket instead.

This is safe from crashes and bad data, not from hostile code: a worker can write into any slot of its pool.
"""

import itertools
import mmap
import os
import weakref
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from fedlocal.memory.block import Block
from fedlocal.memory.parts import Buffer, Bytes, extents, raw, split

MAX_SLOTS = 1 << 12
FRAME_BITS = 24  # of the number of a frame with messages, of all that a worker was sent
LAST_FRAME = (1 << FRAME_BITS) - 1
MIN_SHARED = 1 << 14  # bytes; smaller contents go over the socket: a mapping costs more than the copy

_numbers = itertools.count(1)


class Broadcast:
    """Content that many messages share: a header and arrays, immutable from now on.

    Parameters
    ----------
    header : bytes
        Opaque to this room.
    arrays : sequence of buffers
        C-contiguous; copied once, here.
    private : bool
        Whether the content stays in this process.

    Attributes
    ----------
    nbytes : int
        Bytes that the arrays take in shared memory: a reply of the same arrays fits in as many.
    """

    def __init__(self, header: bytes, arrays: Sequence[Buffer], *, private: bool = False) -> None:
        self.number, self.header = next(_numbers), header
        views = [raw(array) for array in arrays]
        self.lengths = tuple([view.nbytes for view in views])
        starts, self.nbytes = extents(self.lengths)

        def write(block: Block) -> None:
            for view, start in zip(views, starts, strict=True):
                done = 0
                while done < view.nbytes:  # in half the time of a copy into a mapping
                    done += os.pwrite(block.descriptor, view[done:], start + done)

        self.block = None
        if not private and self.nbytes >= MIN_SHARED:
            with suppress(OSError):  # out of descriptors or of memory for files: then as bytes
                self.block = Block.for_running(self.nbytes, write)
        self.inline = [] if self.block else [bytes(view) for view in views]

    def close(self) -> None:
        """Give the memory back; a worker that has mapped it keeps it until it is told to release it."""
        if self.block:
            self.block.close()


def map_broadcast(descriptor: int, lengths: tuple[int, ...]) -> list[Bytes]:
    """Map a broadcast's arrays read-only in a worker, and close its descriptor."""
    mapping = Block(extents(lengths)[1], descriptor, sealed=True).map()
    return split(np.frombuffer(mapping, np.uint8), lengths)


class Slots:
    """The slots of a pool, for those who write replies and read them."""

    def __init__(self, block: Block, slot_bytes: int) -> None:
        self.slot_bytes, self._mapping = slot_bytes, block.map()
        self._view = memoryview(self._mapping)

    def write(self, slot: int, arrays: Sequence[memoryview]) -> bool:
        """Copy arrays into a slot; return False if there are none, or they do not fit."""
        starts, size = extents(tuple([array.nbytes for array in arrays]))
        if not 0 < size <= self.slot_bytes:
            return False
        first = slot * self.slot_bytes
        for array, start in zip(arrays, starts, strict=True):
            self._view[first + start : first + start + array.nbytes] = array
        return True


class SlotPool(Slots):
    """The supervisor's side: which slots are free, and which are being read."""

    def __init__(self, block: Block, slot_bytes: int) -> None:
        super().__init__(block, slot_bytes)
        self.number, self.block = next(_numbers), block
        self.slots = block.size // slot_bytes
        self._free = list(reversed(range(self.slots)))
        self._readers: dict[int, weakref.ref[Bytes]] = {}

    @staticmethod
    def create(slot_bytes: int, budget: int) -> "SlotPool | None":
        """Make a pool of as many slots as fit in `budget` bytes, or none where that cannot be."""
        _, slot_bytes = extents((slot_bytes,))
        slots = min(MAX_SLOTS, budget // max(slot_bytes, 1))
        if slots < 1 or slot_bytes < MIN_SHARED:
            return None
        with suppress(OSError):  # out of descriptors or of memory for files: then replies are copied
            if block := Block.for_running(slot_bytes * slots):
                return SlotPool(block, slot_bytes)
        return None

    def take(self) -> int:
        """Return the number of a free slot, the one last given back (it may be in a cache yet), or -1."""
        return self._free.pop() if self._free else -1

    def free(self, slot: int) -> None:
        """Give a slot back whose writer has replied, or is dead."""
        self._readers.pop(slot, None)
        self._free.append(slot)

    def read(self, slot: int, lengths: tuple[int, ...]) -> list[Bytes]:
        """Return the arrays in a slot; the slot is free again when the last view of them is gone.

        Raises
        ------
        ValueError
            If arrays of these lengths do not fit, or there are none.
        """
        if not 0 < extents(lengths)[1] <= self.slot_bytes:
            raise ValueError(f"arrays of {list(lengths)} bytes are not in a slot of {self.slot_bytes}")
        buffer = np.frombuffer(self._mapping, np.uint8, self.slot_bytes, slot * self.slot_bytes)
        self._readers[slot] = weakref.ref(buffer, lambda _: self.free(slot))
        return split(buffer, lengths)


class AckWord:
    """Two words in shared memory: which messages a worker is handling, and which it is not to begin.

    The worker writes the first, its supervisor the second. One store acknowledges a message, where a frame
    would cost two system calls and wake the supervisor. What was stored outlives the worker.
    """

    BYTES = mmap.PAGESIZE

    def __init__(self, block: Block) -> None:
        self._mapping = block.map()
        self._words = memoryview(self._mapping).cast("Q")

    def write(self, message: int, count: int) -> None:
        """Acknowledge `count` messages at once, at most 255, of which `message` is the first."""
        self._words[0] = message << 8 | count  # one word, so that nobody reads half of it

    def read(self) -> tuple[int, int]:
        """Return what was acknowledged last: the first message and their count; 0, 0 if nothing was."""
        word = self._words[0]
        return word >> 8, word & 0xFF

    def write_recall(self, frame: int, kept: int) -> None:
        """Take back the messages of frames up to this one that have not begun, except the message `kept`."""
        self._words[1] = kept << FRAME_BITS | frame

    def read_recall(self) -> tuple[int, int]:
        """Return the number of the last frame that was taken back, and the message in it that was not."""
        word = self._words[1]
        return word & LAST_FRAME, word >> FRAME_BITS

    def close(self) -> None:
        """Give the memory back."""
        self._words.release()
        self._mapping.close()
