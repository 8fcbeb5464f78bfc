"""The paper's batch queue, whose messages hold all: the bits of the queue that shares memory."""

import pytest

from fedlocal.config.schema import ConfigError
from tests.schemes.batch_parallel.test_scheme import INLINE, QUEUE, final_hash, trained

COPIED = "scheme._target_=experiments.figure1.copied_messages.copied_messages"

pytestmark = pytest.mark.usefixtures("no_leaks")


def test_copied_messages_give_the_bits_of_shared_memory() -> None:
    setting = [QUEUE, "accumulate=3", "actors=4"]
    ways = [[INLINE], [COPIED, INLINE], [COPIED, "workers=2"]]
    assert len({final_hash(*setting, *way) for way in ways}) == 1


def test_without_gradients_there_is_nothing_to_copy() -> None:
    with pytest.raises(ConfigError, match="copied_messages: accumulate=1 has no gradients to send"):
        trained(QUEUE, "actors=1", COPIED)
