"""An actor is handed its own rows, read-only; nothing is copied for it and nothing is left behind."""

import gc
import hashlib
import importlib
import multiprocessing
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.data import DataError, Partition, Rows, Shards
from fedlocal.data.partition import Traits
from fedlocal.memory.block import HAS_MEMFD, Block
from fedlocal.partitions import Iid

linux = pytest.mark.skipif(not HAS_MEMFD, reason="needs memfd_create(2), which is Linux")
METHODS = [name for name in ("spawn", "forkserver") if name in multiprocessing.get_all_start_methods()]


def some_rows(n: int, targets: int | None = None) -> Rows:
    rng = np.random.default_rng(n)
    y: Any = np.arange(n) % 3 if targets is None else rng.standard_normal((n, targets), np.float32)
    return Rows(rng.standard_normal((n, 7), np.float32), y)


def parts_of(rows: Rows, actors: int) -> Partition:
    return Iid()(Traits(np.zeros(len(rows), np.int64)), actors, np.random.default_rng(0))


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("shards_child")


@pytest.fixture
def without_memfd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedlocal.memory.block.HAS_MEMFD", False)


@given(n=st.integers(1, 40), actors=st.integers(1, 8), targets=st.none() | st.integers(1, 3))
def test_a_slice_is_its_part_of_the_rows(n: int, actors: int, targets: int | None) -> None:
    rows = some_rows(n, targets)
    partition = parts_of(rows, min(actors, n))
    with Shards.create(rows, partition) as shards:
        assert shards.sizes.tolist() == partition.sizes.tolist()
        assert len(shards) == len(partition)
        for actor in range(len(partition)):
            part, expected = shards.open(actor), partition.indices(actor)
            assert np.array_equal(part.x, rows.x[expected])
            assert np.array_equal(part.y, rows.y[expected])
            assert part.y.dtype == rows.y.dtype


def test_slices_are_views_of_one_copy() -> None:
    rows = some_rows(20)
    with Shards.create(rows, parts_of(rows, 2)) as shards:
        first, again, other = shards.open(0), shards.open(0), shards.open(1)
        assert np.shares_memory(first.x, again.x)
        assert not np.shares_memory(first.x, other.x)
        assert first.x.ctypes.data % 64 == 0


def test_an_empty_slice_is_empty() -> None:
    rows = some_rows(3)
    with Shards.create(rows, Partition.from_owner(np.array([1, 1, 1]), 3)) as shards:
        assert [len(shards.open(actor)) for actor in range(3)] == [0, 3, 0]


def test_slices_cannot_be_written_to() -> None:
    rows = some_rows(20)
    with Shards.create(rows, parts_of(rows, 2)) as shards:
        part = shards.open(0)
        for array in (part.x, part.y):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
            with pytest.raises(ValueError, match="WRITEABLE"):
                array.flags.writeable = True


@linux
def test_the_kernel_refuses_writing_through_the_descriptor() -> None:
    rows = some_rows(20)
    with Shards.create(rows, parts_of(rows, 2)) as shards:
        descriptor = shards._block.descriptor  # type: ignore[union-attr]
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"1", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 0)


@pytest.mark.parametrize("method", METHODS)
def test_a_child_process_reads_the_same_bytes(child: Any, method: str) -> None:
    rows = some_rows(50)
    context = multiprocessing.get_context(method)
    with Shards.create(rows, parts_of(rows, 4)) as shards:
        assert answer(child, context, shards) == (digest(shards.open(2)), 2, 2 if child.descriptors() else 0)


@pytest.mark.usefixtures("without_memfd")
@pytest.mark.parametrize("method", METHODS)
def test_without_memfd_a_child_process_reads_the_same_bytes(child: Any, method: str) -> None:
    rows = some_rows(50)
    with Shards.create(rows, parts_of(rows, 4)) as shards:
        seen, refused, _ = answer(child, multiprocessing.get_context(method), shards)
        assert (seen, refused) == (digest(shards.open(2)), 2)


@pytest.mark.usefixtures("without_memfd")
def test_a_file_travels_where_descriptors_do_not(
    child: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = some_rows(50)
    with Shards.create(rows, parts_of(rows, 4)) as shards:
        assert len(list(tmp_path.iterdir())) == 1
        monkeypatch.undo()
        monkeypatch.syspath_prepend(Path(__file__).parent)
        seen, refused, _ = answer(child, multiprocessing.get_context("spawn"), shards)
        assert (seen, refused) == (digest(shards.open(2)), 2)
        assert len(list(tmp_path.iterdir())) == 1  # the child closed its shards, the file is not its own
    assert list(tmp_path.iterdir()) == []


def answer(child: Any, context: Any, shards: Shards) -> Any:
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=child.report, args=(shards, 2, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()
        process.close()
        receiver.close()


def digest(rows: Rows) -> str:
    return hashlib.sha256(rows.x.tobytes() + rows.y.tobytes()).hexdigest()


def test_shards_travel_only_to_a_starting_process() -> None:
    rows = some_rows(4)
    with Shards.create(rows, parts_of(rows, 2)) as shards, pytest.raises(RuntimeError, match="inheritance"):
        pickle.dumps(shards)


def test_the_pickled_state_does_not_grow_with_the_actors() -> None:
    rows = some_rows(5000)
    with Shards.create(rows, parts_of(rows, 5000)) as shards:
        shards.open(0)
        state = {name: value for name, value in shards.__getstate__().items() if name != "_block"}
        assert len(pickle.dumps(state)) < 500


def test_a_slice_outlives_its_shards() -> None:
    rows = some_rows(30)
    shards = Shards.create(rows, parts_of(rows, 2))
    part = shards.open(1)
    before = part.x.copy()
    shards.close()
    gc.collect()
    assert np.array_equal(part.x, before)


@pytest.mark.parametrize("memfd", [True, False])
def test_no_descriptor_and_no_file_is_left(
    child: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, memfd: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not memfd:
        monkeypatch.setattr("fedlocal.memory.block.HAS_MEMFD", False)
    rows = some_rows(30)
    before = child.descriptors()
    for _ in range(5):
        with Shards.create(rows, parts_of(rows, 3)) as shards:
            shards.open(0)
            shards.open(1)
        dropped = Shards.create(rows, parts_of(rows, 3))
        dropped.open(2)
        del dropped
    gc.collect()
    assert child.descriptors() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("memfd", [True, False])
def test_a_failure_while_writing_leaves_nothing(
    child: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, memfd: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not memfd:
        monkeypatch.setattr("fedlocal.memory.block.HAS_MEMFD", False)
    before = child.descriptors()

    def fail(_block: Block) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Block.create(100, fail)
    assert child.descriptors() == before
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_a_view_is_in_use_stays_an_interrupt() -> None:
    def fail(block: Block) -> None:
        half_done = np.frombuffer(block.map(), np.uint8)
        half_done[:50] = 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Block.create(100, fail)


def test_closed_shards_say_so() -> None:
    rows = some_rows(4)
    shards = Shards.create(rows, parts_of(rows, 2))
    shards.close()
    shards.close()
    with pytest.raises(DataError, match="closed"):
        shards.open(0)


@pytest.mark.parametrize("partition_id", [-1, 2])
def test_a_slice_that_does_not_exist_is_refused(partition_id: int) -> None:
    rows = some_rows(4)
    with Shards.create(rows, parts_of(rows, 2)) as shards, pytest.raises(DataError, match=r"numbered 0\.\.1"):
        shards.open(partition_id)


def test_a_partition_of_other_rows_is_refused() -> None:
    with pytest.raises(DataError, match="the partition is of 5 rows, the data have 4"):
        Shards.create(some_rows(4), parts_of(some_rows(5), 2))
