"""Shared memory between the supervisor and its workers: one copy of the model per worker and round.

Down, a `Broadcast`: one sealed anonymous file per distinct content, mapped once per worker, which nobody can
write again. Up, a `SlotPool`: preallocated slots, each owned by one message from its dispatch until the last
view of its reply is gone; a slot is never handed out while its writer may still live. Neither has a name, so
nothing can be left behind. Where there is no ``memfd`` (macOS, Windows), bytes go over the socket instead.

This is safe from crashes and bad data, not from hostile code: a worker can write into any slot of its pool.
"""

import itertools
import mmap
import os
import sys
import weakref
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Buffer = bytes | bytearray | memoryview | NDArray[Any]
Bytes = NDArray[np.uint8]

ALIGNMENT = 64
MAX_SLOTS = 1 << 12
FRAME_BITS = 24  # of the number of a frame with messages, of all that a worker was sent
LAST_FRAME = (1 << FRAME_BITS) - 1
MIN_SHARED = 1 << 14  # bytes; smaller contents go over the socket: a mapping costs more than the copy
HAS_MEMFD = sys.platform == "linux" and hasattr(os, "memfd_create")

_numbers = itertools.count(1)


def raw(buffer: Buffer) -> memoryview:
    """Return the bytes of a C-contiguous buffer, not copied."""
    view = memoryview(cast(bytes, buffer))  # NumPy's arrays are buffers too; type stubs know it from 3.12 on
    if view.format == "B" and view.ndim == 1 and view.contiguous:
        return view
    return view.cast("B") if view.nbytes else memoryview(b"")


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def space(lengths: Sequence[int]) -> int:
    """Bytes that :func:`split` needs for parts of these lengths."""
    return sum(map(_aligned, lengths))


def split(buffer: Bytes, lengths: Sequence[int]) -> list[Bytes]:
    """Cut a buffer of shape (bytes,) into views of the given lengths, each at an aligned offset."""
    return [buffer[part] for part in _parts(tuple(lengths))]


@lru_cache(maxsize=64)  # the replies of a run are all alike
def _parts(lengths: tuple[int, ...]) -> list[slice]:
    starts = itertools.accumulate(map(_aligned, lengths), initial=0)
    return [slice(start, start + length) for start, length in zip(starts, lengths, strict=False)]


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
    """

    def __init__(self, header: bytes, arrays: Sequence[Buffer], *, private: bool = False) -> None:
        self.number = next(_numbers)
        self.header = header
        views = [raw(array) for array in arrays]
        self.lengths = [view.nbytes for view in views]
        self.fd = -1
        if HAS_MEMFD and not private and space(self.lengths) >= MIN_SHARED:
            with suppress(OSError):  # out of descriptors or of memory for files: then as bytes
                self.fd = _sealed_file(views)
        self.inline = [bytes(view) for view in views] if self.fd < 0 else []

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take in shared memory: a reply of the same arrays fits in as many."""
        return space(self.lengths)

    def close(self) -> None:
        """Give the memory back; a worker that has mapped it keeps it until it is told to release it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        self.close()


def _sealed_file(views: Sequence[memoryview]) -> int:
    import fcntl  # not on Windows

    fd = os.memfd_create("fedlocal-broadcast", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        offset = 0
        for view in views:
            done = 0
            while done < view.nbytes:
                done += os.pwrite(fd, view[done:], offset + done)
            offset += _aligned(view.nbytes)
        os.ftruncate(fd, offset)
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(fd)
        raise
    return fd


def map_broadcast(fd: int, lengths: Sequence[int]) -> list[Bytes]:
    """Map a broadcast's arrays read-only in a worker, and close `fd`."""
    try:
        mapping = mmap.mmap(fd, space(lengths), prot=mmap.PROT_READ)
    finally:
        os.close(fd)
    return split(np.frombuffer(mapping, dtype=np.uint8), lengths)


class Slots:
    """A worker's view of a pool: where it writes its replies.

    Parameters
    ----------
    fd : int
        The pool's file; it may be closed afterwards.
    slot_bytes, slots : int
        Size of a slot in bytes, and how many there are.
    """

    def __init__(self, fd: int, slot_bytes: int, slots: int) -> None:
        self.slot_bytes = slot_bytes
        self._mapping = mmap.mmap(fd, slot_bytes * slots)
        self._view = memoryview(self._mapping)

    def buffer(self, slot: int) -> Bytes:
        """Return a new array on one slot, shape (slot_bytes,); all views taken of it keep it alive."""
        start = slot * self.slot_bytes
        return np.frombuffer(self._mapping, dtype=np.uint8, count=self.slot_bytes, offset=start)

    def fits(self, lengths: Sequence[int]) -> bool:
        """Tell whether arrays of these lengths, at least one, fit into a slot."""
        return 0 < space(lengths) <= self.slot_bytes

    def write(self, slot: int, arrays: Sequence[memoryview]) -> None:
        """Copy `arrays` into one slot."""
        start = slot * self.slot_bytes
        for array in arrays:
            self._view[start : start + array.nbytes] = array
            start += _aligned(array.nbytes)


class AckWord:
    """Two words in shared memory: which messages a worker is handling, and which it is not to begin.

    The worker writes the first, its supervisor the second. One store acknowledges a message, where a frame
    would cost two system calls and wake the supervisor. What was stored outlives the worker.

    Parameters
    ----------
    fd : int
        Their file; it may be closed afterwards.
    """

    BYTES = mmap.PAGESIZE

    def __init__(self, fd: int) -> None:
        self._mapping = mmap.mmap(fd, self.BYTES)
        self._words = memoryview(self._mapping).cast("Q")

    @staticmethod
    def create() -> "tuple[AckWord, int] | None":
        """Return new words, and the descriptor of their file; None where there are no anonymous files."""
        if not HAS_MEMFD:
            return None
        fd = os.memfd_create("fedlocal-ack-word", os.MFD_CLOEXEC)
        try:
            os.ftruncate(fd, AckWord.BYTES)
            return AckWord(fd), fd
        except BaseException:
            os.close(fd)
            raise

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


class SlotPool:
    """The supervisor's side: slots of equal size in one anonymous file, and which of them are free."""

    fd = -1

    def __init__(self, slot_bytes: int, slots: int) -> None:
        self.number = next(_numbers)
        self.slot_bytes, self.slots = _aligned(slot_bytes), slots
        self.fd = os.memfd_create("fedlocal-replies", os.MFD_CLOEXEC)
        os.ftruncate(self.fd, self.slot_bytes * slots)
        self._slots = Slots(self.fd, self.slot_bytes, slots)
        self._free = list(reversed(range(slots)))
        self._readers: dict[int, weakref.ref[Bytes]] = {}

    @staticmethod
    def create(slot_bytes: int, budget: int) -> "SlotPool | None":
        """Make a pool of as many slots as fit in `budget` bytes, or none where that cannot be.

        A slot that was never used takes no memory.
        """
        slots = min(MAX_SLOTS, budget // max(_aligned(slot_bytes), 1))
        if slots < 1 or slot_bytes < MIN_SHARED or not HAS_MEMFD:
            return None
        with suppress(OSError):  # out of descriptors or of memory for files: then replies are copied
            return SlotPool(slot_bytes, slots)
        return None

    def take(self) -> int:
        """Return the number of a free slot, the one last given back (it may be in a cache yet), or -1."""
        return self._free.pop() if self._free else -1

    def free(self, slot: int) -> None:
        """Give a slot back whose writer has replied, or is dead."""
        self._readers.pop(slot, None)
        self._free.append(slot)

    def fits(self, lengths: Sequence[int]) -> bool:
        """Tell whether arrays of these lengths, at least one, fit into a slot."""
        return self._slots.fits(lengths)

    def read(self, slot: int, lengths: Sequence[int]) -> list[Bytes]:
        """Return the arrays in a slot; the slot is free again when the last view of them is gone."""
        buffer = self._slots.buffer(slot)
        self._readers[slot] = weakref.ref(buffer, lambda _: self.free(slot))
        return split(buffer, lengths)

    def close(self) -> None:
        """Close the file; its memory goes with the last view."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        self.close()
