"""One seed, many independent streams: every random draw of a run comes from `generator`.

A stream is named by what it is for, by the partition it serves and by the round it serves it in, so that a
draw depends on neither the order of events nor the number of workers, and can be repeated.
"""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """The purposes of random numbers. The values are part of every result: add new ones, never renumber."""

    DATASET = 1
    PARTITION = 2
    SKEW = 3
    HELD_OUT = 4
    MODEL = 5
    BATCHES = 6
    SAMPLING = 7
    CLIENT = 8
    PILOT = 9
    AVAILABILITY = 10
    ATTACK = 11


_WORD = (1 << 32) - 1


def generator(seed: int, stream: Stream, partition: int = 0, round: int = 0) -> np.random.Generator:  # noqa: A002
    """Return the generator of one stream for one partition in one round.

    Parameters
    ----------
    seed : int
        The seed of the run, at least 0.
    stream : Stream
        What the numbers are for.
    partition, round : int
        Whom they serve, and when; 0 where that makes no difference.
    """
    entropy = [seed, stream, partition, round]
    # The same words of entropy, in a third of the time.
    return np.random.default_rng(entropy if max(entropy) > _WORD else np.array(entropy, np.uint32))
