"""Which strategy samples and averages: the one within, if there is one."""

from typing import Any

from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping as Private

from fedlocal import compose, run
from fedlocal.flower.server.wrapping import innermost
from fedlocal.strategies import FedAvg

SMALL = ["dataset=synthetic", "dataset.train=60", "dataset.test=20", "model.hidden=[4]", "rounds=1"]
QUIET = ["backend=inline", "baseline=false", "display=off", "figures=false", "report=false"]


class Named(FedAvg):
    """A strategy with an option that is called as what a strategy around another one holds."""

    def __init__(self, strategy: str = "mean", **options: Any) -> None:
        super().__init__(**options)
        self.strategy = strategy


def test_the_innermost_strategy_is_the_one_that_is_around_none() -> None:
    averaging = FedAvg()
    assert innermost(Private(Private(averaging, 1.0, 1.0, 5), 1.0, 1.0, 5)) is averaging
    assert innermost(averaging) is averaging


def test_an_option_called_strategy_is_no_strategy_within() -> None:
    mine = Named()
    assert innermost(mine) is mine
    target = f"strategy._target_={__name__}.Named"
    asked = compose(*SMALL, *QUIET, target, "+strategy.strategy=mean")
    assert run(asked).hashes == run(compose(*SMALL, *QUIET)).hashes
