"""What is declared of a strategy's state is all of it."""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.serverapp import strategy as flower

from fedlocal.actors import ActorSystem, InlineSystem
from fedlocal.config.build import build
from fedlocal.config.compose import compose
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.local_grid import LocalGrid
from fedlocal.flower.node.client_runner import ClientActors, InlineClientActors
from fedlocal.flower.server.round_loop import FederatedRound, RoundLoop, Strategy
from fedlocal.flower.server.traits import Traits, traits_of
from fedlocal.results import Checkpoint
from fedlocal.results.checkpoints import read_checkpoint, write_checkpoint
from fedlocal.strategies.fedavg import FedAvg
from fedlocal.strategies.state import restore, state_of, why_not_resumable
from tests.flower.apps import start
from tests.flower.grid.test_local_grid import messages, numbers
from tests.flower.server.test_round_loop import INITIAL, Everything

SLOW = ("bulyan", "qfedavg")
PRESETS = [
    pytest.param(path.stem, marks=pytest.mark.slow) if path.stem in SLOW else path.stem
    for path in sorted(Path("conf/strategy").glob("*.yaml"))
]


config_of = lru_cache(lambda preset: compose(f"strategy={preset}"))


def built(preset: str) -> Any:
    with quiet():
        return build(config_of(preset), "strategy")


def grid() -> LocalGrid:
    return LocalGrid(InlineSystem(partial(InlineClientActors, start)), [1.0] * 5)


def rounds(strategy: Strategy, last: int, arrays: Any = INITIAL, after: int = 0) -> list[FederatedRound]:
    with quiet(), grid() as opened:
        loop = RoundLoop(strategy, last, 1, lambda *_: {}, Everything())
        return list(loop.run(opened, arrays, after))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_restored_strategy_goes_on_with_the_same_bits(preset: str, tmp_path: Path) -> None:
    whole = rounds(built(preset), 4)
    first = built(preset)
    *_, second = rounds(first, 2)
    write_checkpoint(tmp_path, Checkpoint(2, state_of(first)), {})
    later = built(preset)
    restore(later, read_checkpoint(tmp_path / "checkpoints" / "round-000002.ckpt", {}).arrays)
    resumed = rounds(later, 4, second.arrays, after=2)
    assert [round_.number for round_ in resumed] == [3, 4]
    for name, array in whole[-1].arrays.items():
        assert resumed[-1].arrays[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("preset", PRESETS)
def test_a_round_changes_no_attribute_but_the_declared_ones(preset: str) -> None:
    strategy = built(preset)
    before = {name: repr(value) for name, value in vars(strategy).items()}
    rounds(strategy, 3)
    changed = {name for name, value in vars(strategy).items() if before.get(name) != repr(value)}
    assert changed <= set(traits_of(strategy).state or {})


@pytest.mark.parametrize("preset", PRESETS)
def test_a_captured_state_does_not_change_in_later_rounds(preset: str) -> None:
    strategy = built(preset)
    *_, second = rounds(strategy, 2)
    captured = {**state_of(strategy), **second.arrays}
    before = {name: array.copy() for name, array in captured.items()}
    rounds(strategy, 4, second.arrays, after=2)
    for name, array in before.items():
        np.testing.assert_array_equal(captured[name], array, err_msg=name)


def test_a_strategy_without_a_declaration_cannot_be_resumed() -> None:
    class Mine(flower.FedAvg): ...

    class Declared(FedAvg):
        traits = Traits({"moved": "list"})

    private = partial(
        flower.DifferentialPrivacyServerSideFixedClipping, clipping_norm=1.0, num_sampled_clients=5
    )
    assert [why_not_resumable(kind()) for kind in (FedAvg, Declared)] == [None, None]
    assert "Mine is not declared" in str(why_not_resumable(Mine()))
    assert "Mine is not declared" in str(why_not_resumable(private(Mine(), 0.1)))
    assert why_not_resumable(private(FedAvg(), 0.1)) is None
    counting = private(flower.FedAvg(), 0.1)
    counting.accountant = object()  # type: ignore[assignment]
    assert "accountant" in str(why_not_resumable(counting))


def test_a_strategy_around_another_keeps_the_state_of_both() -> None:
    def built_around() -> Any:
        return flower.DifferentialPrivacyServerSideAdaptiveClipping(built("fedadam"), 0.1, 5)

    whole = rounds(built_around(), 4)
    first = built_around()
    *_, second = rounds(first, 2)
    later = built_around()
    restore(later, state_of(first))
    assert later.clipping_norm == first.clipping_norm != built_around().clipping_norm
    resumed = rounds(later, 4, second.arrays, after=2)
    assert resumed[-1].arrays["w"].tobytes() == whole[-1].arrays["w"].tobytes()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_grid_goes_on_with_the_nodes_states_and_the_numbers_of_their_messages(workers: int) -> None:
    def opened() -> LocalGrid:
        if not workers:
            return grid()
        return LocalGrid(ActorSystem(partial(ClientActors, start), workers=workers), [1.0] * 5)

    with grid() as whole:
        whole.send_and_receive(messages("train.count", [0, 1, 3]))
        state = whole.state()
        expected = numbers(whole.send_and_receive(messages("query.draw")), "numpy")
        counts = numbers(whole.send_and_receive(messages("train.count")), "n")
    with opened() as other:
        other.restore(state)
        assert numbers(other.send_and_receive(messages("query.draw")), "numpy") == expected
        assert numbers(other.send_and_receive(messages("train.count")), "n") == counts == [2, 2, 1, 2, 1]
