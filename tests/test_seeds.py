"""Streams are what NumPy makes of the same numbers, however large."""

import numpy as np
import pytest

from fedlocal.seeds import Stream, generator


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**63 + 5])
def test_a_stream_is_numpys_generator_for_its_four_numbers(seed: int) -> None:
    for partition, number in ((0, 0), (3, 2**32 - 1), (2**32, 7)):
        expected = np.random.default_rng([seed, Stream.BATCHES, partition, number])
        stream = generator(seed, Stream.BATCHES, partition, number)
        assert stream.bit_generator.state == expected.bit_generator.state
