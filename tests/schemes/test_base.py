"""What schemes are given."""

import numpy as np
import pytest

from fedlocal.config.compose import compose
from fedlocal.experiment.groups import build_groups
from fedlocal.experiment.setup import prepare
from fedlocal.schemes import Setting, Trained


def setting(*overrides: str) -> Setting:
    config = compose(
        "dataset=synthetic", "dataset.train=60", "dataset.test=10", "dataset.shape=[4,4]", *overrides
    )
    return prepare(config, build_groups(config))


def test_the_baseline_trains_on_the_data_sets_rows_in_their_order() -> None:
    prepared = setting("partition=dirichlet")
    rows = prepared.training_rows()
    np.testing.assert_array_equal(rows.x, prepared.dataset.train.x)
    np.testing.assert_array_equal(rows.y, prepared.dataset.train.y)


@pytest.mark.parametrize("skew", ["noise", "rotation"])
def test_the_baseline_trains_on_the_rows_as_the_actors_see_them(skew: str) -> None:
    prepared = setting("partition=dirichlet", f"skew={skew}")
    rows = prepared.training_rows()
    for actor in range(4):
        mine = rows.x[prepared.partition.indices(actor)]
        np.testing.assert_array_equal(mine, prepared.slices.open(actor).training.x)
    assert not np.array_equal(rows.x, prepared.dataset.train.x)


def test_the_baseline_leaves_out_what_the_actors_hold_out() -> None:
    prepared = setting("strategy.fraction_evaluate=1.0", "validation_fraction=0.25")
    rows = prepared.training_rows()
    seen = {tuple(row) for actor in range(4) for row in prepared.slices.open(actor).training.x}
    assert len(rows) == len(seen) == 60 - 4 * 3
    assert {tuple(row) for row in rows.x} == seen


@pytest.mark.parametrize(
    ("every", "rounds", "expected"), [(1, 3, [0, 1, 2, 3]), (2, 5, [0, 2, 4, 5]), (9, 3, [0, 3])]
)
def test_evaluated_rounds_are_every_nth_and_the_last(every: int, rounds: int, expected: list[int]) -> None:
    prepared = setting(f"evaluate_every={every}", f"rounds={rounds}")
    assert [number for number in range(rounds + 1) if prepared.is_evaluated(number)] == expected


def test_arrays_of_several_models_are_named_by_model() -> None:
    first, two = {"w": np.zeros(1)}, {"w": np.ones(1)}
    assert Trained({"model": first}).arrays == first
    assert list(Trained({"actor-0": first, "actor-1": two}).arrays) == ["actor-0/w", "actor-1/w"]
