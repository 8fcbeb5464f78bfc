"""Flower's expected warnings stay away, also where a federation runs within a client of another."""

import logging

import pytest

from fedlocal.flower.compat.logs import EXPECTED, quiet


def test_what_is_expected_stays_away_after_a_context_within_another_has_ended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with quiet():
        with quiet():
            logging.getLogger("flwr").warning("%s. Within.", EXPECTED[0])
        logging.getLogger("flwr").warning("%s. After.", EXPECTED[0])
        logging.getLogger("flwr").warning("unexpected")
    assert caplog.messages == ["unexpected"]
