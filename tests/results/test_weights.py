import hashlib
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from fedlocal.results import ResultsError, load_arrays, save_arrays, weights_hash

WEIGHTS: dict[str, NDArray[Any]] = {
    "b": np.arange(3, dtype=np.float32),
    "a": np.arange(6, dtype=np.int64).reshape(2, 3),
}
DTYPES = st.sampled_from(["?", "i1", "<u2", ">i4", "<i8", "<f2", ">f4", "<f8", "<c8"])
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))


def spelled_out(name: str, dtype: str, shape: tuple[int, ...], content: bytes) -> bytes:
    head = struct.pack("<Q", len(name)) + name.encode() + struct.pack("<Q", len(dtype)) + dtype.encode()
    return head + struct.pack(f"<Q{len(shape)}QQ", len(shape), *shape, len(content)) + content


def test_the_hash_is_that_of_the_docstring() -> None:
    written = spelled_out("a", "<i8", (2, 3), struct.pack("<6q", *range(6)))
    written += spelled_out("b", "<f4", (3,), struct.pack("<3f", 0, 1, 2))
    assert weights_hash(WEIGHTS) == hashlib.sha256(written).hexdigest()


def test_the_hash_of_known_arrays_stays_what_it_is() -> None:
    assert weights_hash({}) == hashlib.sha256(b"").hexdigest()
    assert weights_hash({"bias": np.zeros(2, np.float32)}) == (
        "120c690fcaf4aea6af39e3aba1b76a81c9ea67bd885087b9f0e43b4de0420779"
    )


def test_insertion_order_does_not_matter() -> None:
    assert weights_hash(dict(reversed(WEIGHTS.items()))) == weights_hash(WEIGHTS)


@given(ARRAYS)
def test_strides_and_byte_order_do_not_matter(array: NDArray[Any]) -> None:
    hashed = weights_hash({"w": array})
    assert weights_hash({"w": np.asfortranarray(array).reshape(array.shape)}) == hashed
    assert weights_hash({"w": array[::-1][::-1] if array.ndim else array}) == hashed
    assert weights_hash({"w": array.astype(array.dtype.newbyteorder())}) == hashed


@pytest.mark.parametrize(
    "other",
    [
        {"c": WEIGHTS["b"], "a": WEIGHTS["a"]},
        {"b": WEIGHTS["b"].astype(np.float64), "a": WEIGHTS["a"]},
        {"b": WEIGHTS["b"], "a": WEIGHTS["a"].astype(np.uint64)},
        {"b": WEIGHTS["b"], "a": WEIGHTS["a"].reshape(3, 2)},
        {"b": WEIGHTS["b"], "a": WEIGHTS["a"].T},
        {"b": WEIGHTS["b"][None], "a": WEIGHTS["a"]},
        {"b": WEIGHTS["b"]},
        {**WEIGHTS, "": np.empty(0)},
    ],
)
def test_name_dtype_shape_and_number_matter(other: dict[str, NDArray[Any]]) -> None:
    assert weights_hash(other) != weights_hash(WEIGHTS)


@given(st.integers(0, 2), st.integers(0, 31))
def test_one_bit_matters(index: int, bit: int) -> None:
    bits = WEIGHTS["b"].copy().view(np.uint32)
    bits[index] ^= np.uint32(1 << bit)
    assert weights_hash(WEIGHTS | {"b": bits.view(np.float32)}) != weights_hash(WEIGHTS)


def test_parts_cannot_flow_into_one_another() -> None:
    joined = {"a": np.frombuffer(b"xyz", np.uint8), "b": np.empty(0, np.uint8)}
    two = {"a": np.frombuffer(b"xy", np.uint8), "b": np.frombuffer(b"z", np.uint8)}
    assert weights_hash(joined) != weights_hash(two)
    assert weights_hash({"ab": np.zeros(1)}) != weights_hash({"a": np.zeros(1)})


@pytest.mark.parametrize("array", [np.array([None]), np.zeros(2, np.longdouble), np.array(["x"])])
def test_arrays_without_portable_bytes_are_refused(array: NDArray[Any]) -> None:
    with pytest.raises(ResultsError, match="'w' has dtype"):
        weights_hash({"w": array})


@given(st.dictionaries(st.from_regex(r"[a-z0-9/._-]{1,8}", fullmatch=True), ARRAYS, max_size=3))
def test_saved_weights_are_loaded_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, NDArray[Any]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "model.npz"
    save_arrays(path, arrays)
    loaded = load_arrays(path)
    assert list(loaded) == list(arrays)
    assert weights_hash(loaded) == weights_hash(arrays)
    assert all(loaded[name].dtype == arrays[name].dtype for name in arrays)


def test_no_name_is_special(tmp_path: Path) -> None:
    save_arrays(tmp_path / "m.npz", {"file": np.ones(1), "allow_pickle": np.zeros(1), "x.npy": np.ones(2)})
    assert list(load_arrays(tmp_path / "m.npz")) == ["file", "allow_pickle", "x.npy"]


def test_numpy_reads_saved_weights_and_saved_arrays_of_numpy_are_read(tmp_path: Path) -> None:
    save_arrays(tmp_path / "ours.npz", WEIGHTS)
    with np.load(tmp_path / "ours.npz") as stored:
        assert weights_hash(dict(stored)) == weights_hash(WEIGHTS)
    np.savez_compressed(tmp_path / "theirs.npz", a=WEIGHTS["a"], b=WEIGHTS["b"])
    assert weights_hash(load_arrays(tmp_path / "theirs.npz")) == weights_hash(WEIGHTS)


def test_equal_arrays_give_equal_files(tmp_path: Path) -> None:
    save_arrays(tmp_path / "one.npz", WEIGHTS)
    save_arrays(tmp_path / "two.npz", WEIGHTS)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_objects_are_neither_saved_nor_loaded(tmp_path: Path) -> None:
    objects = np.array([{}], dtype=object)
    with pytest.raises(ResultsError, match="Python objects"):
        save_arrays(tmp_path / "ours.npz", {"w": objects})
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "theirs.npz", w=objects)
    with pytest.raises(ResultsError, match="cannot be read as plain arrays"):
        load_arrays(tmp_path / "theirs.npz")


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot read"):
        load_arrays(tmp_path / "missing.npz")
    save_arrays(tmp_path / "whole.npz", WEIGHTS)
    whole = (tmp_path / "whole.npz").read_bytes()
    for end in range(0, len(whole), 7):
        (tmp_path / "torn.npz").write_bytes(whole[:end])
        with pytest.raises(ResultsError, match=r"torn\.npz"):
            load_arrays(tmp_path / "torn.npz")
    flipped = bytearray(whole)
    flipped[whole.index(struct.pack("<3f", 0, 1, 2)) + 5] ^= 1
    (tmp_path / "flipped.npz").write_bytes(flipped)
    with pytest.raises(ResultsError, match="CRC"):
        load_arrays(tmp_path / "flipped.npz")


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "single.npy", np.ones(3))
    with pytest.raises(ResultsError, match="single array"):
        load_arrays(tmp_path / "single.npy")
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ResultsError, match="readme"):
        load_arrays(tmp_path / "text.npz")
