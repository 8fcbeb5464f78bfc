"""What the tests of the studies have in common."""

import pytest

from experiments import quiet


@pytest.fixture(autouse=True)
def no_look_at_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests wait for must not depend on what else the machine does."""
    monkeypatch.setattr(quiet, "LOOK", 0.0)
