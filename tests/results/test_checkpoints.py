"""A checkpoint is read back whole, or refused with the reason."""

import hashlib
import json
import os
import pickle
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray

from fedlocal.results import (
    BackgroundWriter,
    Checkpoint,
    CheckpointWriter,
    ResultsError,
    joined,
    newest_checkpoint,
)
from fedlocal.results.checkpoints import MAGIC, drop_checkpoints, read_checkpoint, write_checkpoint

ABOUT = {"seed": 1, "model": [["w", "<f4", [3]]]}
ARRAYS: dict[str, NDArray[Any]] = {
    "w": np.arange(3, dtype=np.float32),
    "v/0": np.eye(2),
    "none": np.zeros((0, 3), np.int64),
}


def path_of(run: Path, number: int) -> Path:
    return run / "checkpoints" / f"round-{number:06}.ckpt"


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def assert_equal(checkpoint: Checkpoint | None, number: int) -> None:
    assert checkpoint
    assert checkpoint.round == number
    assert list(checkpoint.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert checkpoint.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(checkpoint.arrays[name], array)


def test_a_written_checkpoint_is_read_and_may_be_changed(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, Checkpoint(3, ARRAYS), ABOUT)
    checkpoint = newest_checkpoint(tmp_path, ABOUT)
    assert_equal(checkpoint, 3)
    assert checkpoint
    checkpoint.arrays["w"][0] = 7


@given(
    arrays_of.arrays(
        dtype=some.one_of(
            arrays_of.boolean_dtypes(),
            arrays_of.integer_dtypes(),
            arrays_of.floating_dtypes(sizes=(16, 32, 64)),
        ),
        shape=arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    some.text(),
)
def test_any_plain_array_keeps_its_bits(
    tmp_path_factory: pytest.TempPathFactory, array: NDArray[Any], name: str
) -> None:
    run = tmp_path_factory.mktemp("run")
    write_checkpoint(run, Checkpoint(1, {name: array.T}), {})
    read = read_checkpoint(path_of(run, 1), {}).arrays[name]
    assert read.shape == array.T.shape
    assert read.astype(array.dtype).tobytes() == array.T.tobytes()


def test_parts_are_joined_and_parted() -> None:
    both = Checkpoint(1, joined({"one": {"a": np.zeros(1)}, "one-more": {"a/b": np.ones(1)}}))
    assert list(both.arrays) == ["one/a", "one-more/a/b"]
    assert list(both.part("one").arrays) == ["a"]
    assert list(both.part("one-more").part("a").arrays) == ["b"]
    assert not both.part("other").arrays


def test_the_last_two_checkpoints_are_kept_whatever_the_number_of_digits(tmp_path: Path) -> None:
    for number in (8, 9, 999_999, 1_000_000):
        write_checkpoint(tmp_path, Checkpoint(number, ARRAYS), ABOUT)
    assert names(tmp_path) == ["round-1000000.ckpt", "round-999999.ckpt"]
    assert_equal(newest_checkpoint(tmp_path, ABOUT), 1_000_000)


def test_a_folder_without_checkpoints_is_no_error(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path, ABOUT) is None


def resealed(content: bytes) -> bytes:
    return MAGIC + hashlib.sha256(content).digest() + content


def with_manifest(change: Callable[[dict[str, object]], object]) -> Callable[[bytes], bytes]:
    """Return what forges a manifest, with a sound checksum: a damage that no accident makes."""

    def forge(data: bytes) -> bytes:
        start = len(MAGIC) + 40
        length = int.from_bytes(data[start - 8 : start], "little")
        manifest = json.loads(data[start : start + length])
        change(manifest)
        text = json.dumps(manifest).encode()
        return resealed(len(text).to_bytes(8, "little") + text + data[start + length :])

    return forge


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("exploded",)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "it is empty"),
    "truncated": (lambda data: data[:-1], "SHA-256"),
    "cut in the head": (lambda data: data[:30], "SHA-256"),
    "longer": (lambda data: data + b"0", "SHA-256"),
    "zeros": (lambda data: bytes(len(data)), "not a checkpoint"),
    "a pickle": (lambda _: pickle.dumps(Bomb()), "not a checkpoint"),
    "a pickle behind our head": (lambda _: resealed(pickle.dumps(Bomb())), "longer than the file"),
    "a pickle as the manifest": (
        lambda _: resealed(len(pickle.dumps(Bomb())).to_bytes(8, "little") + pickle.dumps(Bomb())),
        "its manifest is not one of a checkpoint",
    ),
    "an array of objects": (
        with_manifest(lambda manifest: manifest.update(arrays=[["w", "|O", [1]]])),
        r"dtype '\|O'",
    ),
    "a structured array": (
        with_manifest(lambda manifest: manifest.update(arrays=[["w", "<f4,O", [1]]])),
        "dtype '<f4,O'",
    ),
    "more than there is": (
        with_manifest(lambda manifest: manifest.update(arrays=[["w", "<f4", [10**13]]])),
        "claims 40000000000000 bytes",
    ),
    "a negative length": (
        with_manifest(lambda manifest: manifest.update(arrays=[["w", "<f4", [-1]]])),
        r"shape \[-1\]",
    ),
    "no arrays": (with_manifest(lambda manifest: manifest.pop("arrays")), "'arrays'"),
    "not strict JSON": (with_manifest(lambda manifest: manifest.update(round=float("nan"))), "strict JSON"),
    "another version": (with_manifest(lambda manifest: manifest.update(version=2)), "format version 2"),
    "another seed": (
        with_manifest(lambda manifest: manifest.update(about={**ABOUT, "seed": 2})),
        "its seed is 2, not 1",
    ),
    "another model": (
        with_manifest(lambda manifest: manifest.update(about={**ABOUT, "model": []})),
        r"its model is \[\], not \[\['w'",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_and_the_checkpoint_before_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (4, 5):
        write_checkpoint(tmp_path, Checkpoint(number, ARRAYS), ABOUT)
    change, reason = DAMAGES[damage]
    last = path_of(tmp_path, 5)
    last.write_bytes(change(last.read_bytes()))
    assert_equal(newest_checkpoint(tmp_path, ABOUT), 4)
    assert str(last) in caplog.text
    with pytest.raises(ResultsError, match=reason):
        read_checkpoint(last, ABOUT)
    assert not (tmp_path / "exploded").exists()


def test_no_flipped_bit_goes_unseen(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, Checkpoint(1, ARRAYS), ABOUT)
    path = path_of(tmp_path, 1)
    sound = path.read_bytes()
    for at in range(len(sound)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1 << at % 8]) + sound[at + 1 :])
        with pytest.raises(ResultsError):
            read_checkpoint(path, ABOUT)


def test_each_checkpoint_is_named_with_its_reason_if_no_checkpoint_is_sound(tmp_path: Path) -> None:
    for number in (4, 5):
        write_checkpoint(tmp_path, Checkpoint(number, ARRAYS), ABOUT)
    path_of(tmp_path, 4).write_bytes(b"")
    path_of(tmp_path, 5).write_bytes(b"nonsense")
    with pytest.raises(
        ResultsError, match=r"no checkpoint can be used(?s:.*05\.ckpt: .*04\.ckpt: it is empty)"
    ):
        newest_checkpoint(tmp_path, ABOUT)


def test_objects_and_long_doubles_are_not_written(tmp_path: Path) -> None:
    for array in (np.array([None]), np.zeros(1, np.longdouble), np.array(["text"])):
        if array.dtype.itemsize == 8 and array.dtype.kind == "f":
            continue  # there is no long double here
        with pytest.raises(ResultsError, match="not portable"):
            write_checkpoint(tmp_path, Checkpoint(1, {"w": array}), {})
    assert newest_checkpoint(tmp_path, {}) is None


def test_later_checkpoints_and_temporary_files_are_dropped(tmp_path: Path) -> None:
    for number in (4, 5):
        write_checkpoint(tmp_path, Checkpoint(number, ARRAYS), ABOUT)
    (tmp_path / "checkpoints" / ".round-000006.ckpt.0a.tmp").touch()
    (tmp_path / "checkpoints" / "mine").touch()
    drop_checkpoints(tmp_path, after=4)
    assert names(tmp_path) == ["mine", "round-000004.ckpt"]


@pytest.mark.parametrize(("every", "expected"), [(1, 7), (3, 7), (7, 7), (100, 7)])
def test_the_last_round_is_written_when_the_writer_is_closed(
    tmp_path: Path, every: int, expected: int
) -> None:
    with BackgroundWriter() as background, CheckpointWriter(background, tmp_path, ABOUT, every) as writer:
        for number in range(1, 8):
            writer.keep(Checkpoint(number, ARRAYS))
    assert_equal(newest_checkpoint(tmp_path, ABOUT), expected)
    assert not [thread for thread in threading.enumerate() if thread.name == "results"]


def test_no_checkpoint_is_written_between_the_intervals(tmp_path: Path) -> None:
    with BackgroundWriter() as background, CheckpointWriter(background, tmp_path, ABOUT, every=3) as writer:
        for number in range(1, 3):
            writer.keep(Checkpoint(number, ARRAYS))
        written = threading.Event()
        background.write_soon("the end", 2, written.set)
        assert written.wait(60)
        assert not (tmp_path / "checkpoints").exists()


def test_a_folder_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    with BackgroundWriter() as background, CheckpointWriter(background, tmp_path / "run", ABOUT) as writer:
        writer.keep(Checkpoint(1, ARRAYS))
    assert_equal(newest_checkpoint(tmp_path / "run", ABOUT), 1)


def test_a_failure_to_write_is_reported_once_and_leaves_the_old_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_checkpoint(tmp_path, Checkpoint(1, ARRAYS), ABOUT)
    for number in (2, 3):  # what replaces a folder by a file cannot
        (path_of(tmp_path, number) / "in the way").mkdir(parents=True)
    with BackgroundWriter() as background:
        writer = CheckpointWriter(background, tmp_path, ABOUT, start=3)
        for number in (2, 3):  # here: two that follow may become one
            background._write("checkpoint", number, partial(writer._write, Checkpoint(number, ARRAYS)))
    assert len([record for record in caplog.records if "the run goes on" in record.message]) == 1
    assert_equal(newest_checkpoint(tmp_path, ABOUT), 1)
