"""Shared memory: sealed on the way down, owned by one reply on the way up, gone when nobody looks at it."""

import mmap
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.memory.block import HAS_MEMFD
from fedlocal.memory.buffers import Broadcast, SlotPool, map_broadcast
from fedlocal.memory.parts import ALIGNMENT, extents, raw, split

linux = pytest.mark.skipif(not HAS_MEMFD, reason="anonymous files are Linux's")
LARGE = np.arange(1 << 14, dtype=np.float32)


@given(st.lists(st.integers(0, 300), max_size=6))
def test_parts_are_aligned_apart_and_fit(lengths: list[int]) -> None:
    _, size = extents(tuple(lengths))
    buffer = np.zeros(size, dtype=np.uint8)
    parts = split(buffer, tuple(lengths))
    assert [part.nbytes for part in parts] == lengths
    for number, part in enumerate(parts, start=1):
        part += number
    assert [int(part.max(initial=0)) for part in parts] == [
        n * bool(length) for n, length in enumerate(lengths, 1)
    ]
    assert size % ALIGNMENT == 0


@linux
def test_a_broadcast_can_be_read_and_never_written() -> None:
    content = Broadcast(b"h", [LARGE, b"abc"])
    assert content.block
    descriptor = content.block.descriptor
    first, second = map_broadcast(os.dup(descriptor), content.lengths)
    assert first.tobytes() == LARGE.tobytes()
    assert second.tobytes() == b"abc"
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1
    with pytest.raises(PermissionError):
        mmap.mmap(descriptor, content.nbytes)
    with pytest.raises(PermissionError):
        os.write(descriptor, b"x")
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 1)
    content.close()
    assert first.tobytes() == LARGE.tobytes()  # a mapping outlives the file


def test_small_and_private_contents_stay_bytes() -> None:
    for content in (Broadcast(b"h", [b"small"]), Broadcast(b"h", [LARGE], private=True)):
        assert content.block is None
        assert tuple(map(len, content.inline)) == content.lengths


@linux
def test_without_descriptors_contents_stay_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert Broadcast(b"", [LARGE]).inline == [LARGE.tobytes()]


def test_later_changes_do_not_reach_what_was_shared() -> None:
    array = LARGE.copy()
    content = Broadcast(b"", [array], private=True)
    array[:] = 0
    assert content.inline[0] == LARGE.tobytes()


@linux
def test_a_slot_is_free_when_the_last_view_of_its_reply_is_gone() -> None:
    pool = SlotPool.create(1 << 16, budget=1 << 16)
    assert pool
    slot = pool.take()
    assert pool.take() == -1
    (part,) = pool.read(slot, (40,))
    view = part.view(np.float32).reshape(2, 5)[1:]
    del part
    assert pool.take() == -1
    del view
    assert pool.take() == slot


@linux
def test_a_pool_keeps_to_its_budget_or_is_not_made() -> None:
    pool = SlotPool.create(1 << 16, budget=1 << 18)
    assert pool
    assert pool.slots == 4
    assert SlotPool.create(1 << 20, budget=1 << 18) is None
    assert SlotPool.create(16, budget=1 << 18) is None


@pytest.mark.parametrize("shape", [(0,), (0, 3), (), (2, 3)])
def test_any_contiguous_array_is_bytes(shape: tuple[int, ...]) -> None:
    array = np.ones(shape, dtype=np.float64)
    assert raw(array).nbytes == array.nbytes
