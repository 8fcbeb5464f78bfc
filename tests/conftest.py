"""What all tests share: nothing that a test starts may outlive it."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest


def _descriptors() -> set[str]:
    names = set()
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            names.add(str(fd.readlink()))
    return names


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fail if shared memory or sockets that did not exist before are still open afterwards."""
    if sys.platform != "linux":
        yield
        return
    before = _descriptors()
    yield
    left = {name for name in _descriptors() - before if name.startswith(("socket:", "/memfd:"))}
    assert not left, f"left open: {left}"
