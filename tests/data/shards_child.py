"""What a child process does with shards in test_shards.py; spawned children import it by name."""

import hashlib
import os
from multiprocessing.connection import Connection

from fedlocal.data import Shards


def report(shards: Shards, partition_id: int, answers: Connection) -> None:
    """Send a digest of a slice, how many writes were refused, how many descriptors closing gave back."""
    rows = shards.open(partition_id)
    digest = hashlib.sha256(rows.x.tobytes() + rows.y.tobytes()).hexdigest()
    refused = 0
    for array in (rows.x, rows.y):
        try:
            array[0] = 1
        except ValueError:
            refused += 1
    before = descriptors()
    del rows, array
    shards.close()
    answers.send((digest, refused, before - descriptors()))


def descriptors() -> int:
    """Return the number of open file descriptors, 0 where the system does not tell."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208
