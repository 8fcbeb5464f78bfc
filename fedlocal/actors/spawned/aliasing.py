"""What the parts of a value share with each other, and with what is no part of it.

Two names for one list, or two arrays in one piece of memory, are one thing that changes under both names. It
has to stay one thing when the value travels, or answers would depend on whether the value has travelled.
"""

import ctypes
import gc
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_VISITED = 100_000  # objects that are looked at behind attributes which are no state


class Piece(NamedTuple):
    """Where an array lies: the piece of memory, by its first address, and the offset in it."""

    first: int
    size: int
    offset: int

    def copy(self) -> bytes:
        """Return the bytes of the piece, which has to exist."""
        return ctypes.string_at(self.first, self.size)


def shared_pieces(arrays: Iterable[NDArray[Any]]) -> dict[int, Piece]:
    """Return the pieces of memory of arrays, by ``id``, that overlap or are not in C order."""
    distinct = {id(array): array for array in arrays if array.size}
    if all(array.base is None and array.flags.c_contiguous for array in distinct.values()):
        return {}
    overlapping: dict[int, Piece] = {}
    group: list[NDArray[Any]] = []
    first = last = 0
    extents = sorted((*_extent(array), number) for number, array in distinct.items())
    for low, high, number in [*extents, (sys.maxsize, sys.maxsize, 0)]:
        if low >= last:
            if len(group) > 1 or (group and not group[0].flags.c_contiguous):
                starts = ((id(array), _address(array) - first) for array in group)
                overlapping |= {member: Piece(first, last - first, offset) for member, offset in starts}
            group, first = [], low
        last = max(last, high)
        if number:
            group.append(distinct[number])
    return overlapping


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def _extent(array: NDArray[Any]) -> tuple[int, int]:
    spans = [(length - 1) * stride for length, stride in zip(array.shape, array.strides, strict=True)]
    start = _address(array)
    low = start + sum(span for span in spans if span < 0)
    return low, start + sum(span for span in spans if span > 0) + array.itemsize


def is_held_elsewhere(objects: Mapping[int, tuple[Any, int]]) -> bool:
    """Tell whether anything holds one of these objects, by ``id``, beside the holders that were counted.

    The memory of arrays counts, too, and so does what holds an object for a moment only.
    """
    counts = {key: count for key, (_, count) in objects.items()}
    bases: dict[int, Any] = {}
    for key in objects:
        _count_bases(objects[key][0], counts, bases)
    for key in bases.keys() & objects.keys():
        counts[key] += 1  # by `bases`
    return any(sys.getrefcount(objects[key][0]) > counts[key] + _PASSING for key in objects) or any(
        sys.getrefcount(bases[key]) > counts[key] + _PASSING for key in bases if key not in objects
    )


def _count_bases(item: Any, counts: dict[int, int], bases: dict[int, Any]) -> None:
    """Count what an array is a view of, and what that is a view of, as held by it."""
    base = item.base if isinstance(item, np.ndarray) else None
    while base is not None:
        key = id(base)
        counts[key] = counts.get(key, 0) + 1
        if key in bases:
            return
        bases[key] = base
        base = base.base if isinstance(base, np.ndarray) else getattr(base, "obj", None)


def shared_with(objects: Mapping[int, tuple[Any, int]], attributes: Mapping[str, Any]) -> str:
    """Return the path in `attributes` of one of these objects or an array in its memory; ``""`` if none."""
    arrays = [item for item, _ in objects.values() if isinstance(item, np.ndarray) and _may_change(item)]
    memory: dict[int, Any] = {}
    for array in arrays:
        _count_bases(array, {}, memory)
    for path, item in _reachable(attributes):
        if not isinstance(item, np.ndarray):
            if id(item) in objects or id(item) in memory:
                return path
        elif any(_overlap(item, array) for array in arrays):
            return path
    return ""


def _may_change(array: NDArray[Any]) -> bool:
    memory: Any = array
    while isinstance(memory, np.ndarray):
        if memory.flags.writeable:
            return True
        memory = memory.base
    return not (memory is None or isinstance(memory, bytes) or memory.readonly)


def _overlap(array: NDArray[Any], other: NDArray[Any]) -> bool:
    try:
        return np.shares_memory(array, other, max_work=MAX_VISITED)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _reachable(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    waiting = [(name, value) for name, value in attributes.items()]
    visited: dict[int, Any] = {}
    while waiting and len(visited) < MAX_VISITED:
        path, item = waiting.pop()
        if id(item) in visited or type(item) in _LEAVES:
            continue
        visited[id(item)] = item
        yield path, item
        waiting += [(path, member) for member in _referents(item)]
        if isinstance(item, dict):
            waiting += [(f"{path}[{key!r:.40}]", member) for key, member in item.items()]
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += [(f"{path}[{index}]", member) for index, member in enumerate(item)]
        elif not isinstance(item, _LIBRARY) and isinstance(inner := getattr(item, "__dict__", None), dict):
            waiting += [(f"{path}.{name}", member) for name, member in inner.items()]


def _referents(item: Any) -> Sequence[Any]:
    """Return what an object refers to, in whatever way: slots, closures, bound methods, queues, iterators."""
    if isinstance(item, np.ndarray):
        return list(item.flat) if item.dtype.hasobject else []
    if isinstance(item, FunctionType):  # and neither its module nor its defaults
        return item.__closure__ or ()
    return () if isinstance(item, _LIBRARY) else gc.get_referents(item)


_LIBRARY = (type, ModuleType, CodeType)
_LEAVES = frozenset({type(None), bool, int, float, complex, str, bytes})


def _passing() -> int:
    """Return how many references to an object are those of the loop that counts its references."""
    objects: dict[int, tuple[list[int], int]] = {0: ([], 0)}
    return next(sys.getrefcount(objects[key][0]) for key in objects)


_PASSING = _passing()
