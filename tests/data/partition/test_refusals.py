"""What cannot be is refused, with the value and the reason."""

from collections.abc import Callable

import numpy as np
import pytest

from fedlocal.data import PartitionError
from fedlocal.data.partition import PartitionStrategy, Traits
from fedlocal.partitions import (
    Continuous,
    Dirichlet,
    Distribution,
    Exponential,
    ExtendedDirichlet,
    Group,
    Iid,
    InnerDirichlet,
    LabelShards,
    Linear,
    Mixed,
    Orthogonal,
    Pathological,
    Quantity,
    Sizes,
    Square,
)

TEN = Traits(np.repeat(np.arange(5), 2), np.arange(5))
REAL = Traits(np.linspace(0, 1, 10))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dirichlet(0.0), r"dirichlet: alpha=0\.0, expected a finite number above 0"),
        (lambda: Dirichlet(-1.0), r"alpha=-1\.0"),
        (lambda: Dirichlet(float("nan")), "alpha=nan"),
        (lambda: Dirichlet(float("inf")), "alpha=inf"),
        (lambda: Dirichlet(min_size=0), "dirichlet: min_size=0, expected a whole number of at least 1"),
        (lambda: InnerDirichlet(0.0), "inner_dirichlet: alpha"),
        (lambda: InnerDirichlet(sigma=-0.1), r"sigma=-0\.1, expected a number from 0 to 100"),
        (lambda: InnerDirichlet(min_size=0), "min_size=0"),
        (lambda: ExtendedDirichlet(0), "extended_dirichlet: classes_per_actor=0"),
        (lambda: ExtendedDirichlet(2, 0.0), "extended_dirichlet: alpha"),
        (lambda: LabelShards(0), "shards: shards_per_actor=0"),
        (lambda: Pathological(0), "pathological: classes_per_actor=0"),
        (lambda: Pathological(2, "fair"), "assignment='fair', expected one of random, deterministic"),  # type: ignore[arg-type]
        (lambda: Distribution([[1.0, -1.0]]), "at least 0"),
        (lambda: Distribution([[1.0], [1.0, 2.0]]), "equally long"),
        (lambda: Distribution([]), "equally long"),
        (lambda: Distribution([[1.0, float("nan")]]), "finite"),
        (lambda: Distribution([[1.0, 0.0], [1.0, 0.0]]), "actor 1 nothing"),
        (lambda: Mixed(1.5), r"mixed: iid_fraction=1\.5, expected a number from 0 to 1"),
        (lambda: Mixed(0.5, 0.0), "mixed: alpha"),
        (lambda: Continuous(-0.1), r"continuous: strictness=-0\.1"),
        (lambda: Quantity("zipf"), "quantity: law='zipf'"),  # type: ignore[arg-type]
        (lambda: Quantity(sigma=1e308), "quantity: sigma"),
        (lambda: Quantity(exponent=-1.0), "quantity: exponent"),
        (lambda: Linear(0), "linear: min_size=0"),
        (lambda: Square(0), "square: min_size=0"),
        (lambda: Exponential(0), "exponential: min_size=0"),
        (lambda: Sizes(), "either counts"),
        (lambda: Sizes([1], [1.0]), "either counts"),
        (lambda: Sizes(counts=[0, 10]), "counts=0"),
        (lambda: Sizes(proportions=[0.0, 1.0]), "above 0"),
        (lambda: Group("none"), "group: merge='none'"),  # type: ignore[arg-type]
    ],
)
def test_parameters_out_of_range_are_refused(make: Callable[[], PartitionStrategy], message: str) -> None:
    with pytest.raises(PartitionError, match=message):
        make()


@pytest.mark.parametrize(
    ("strategy", "traits", "actors", "message"),
    [
        (Iid(), TEN, 0, r"actors=0 cannot share 10 training rows: choose 1\.\.10"),
        (Iid(), TEN, 11, "actors=11"),
        (Dirichlet(min_size=4), TEN, 3, "min_size=4 for 3 actors needs 12 training rows, there are 10"),
        (Linear(min_size=4), TEN, 3, "min_size=4"),
        (Dirichlet(), REAL, 2, "dirichlet needs class labels, .* real-valued"),
        (InnerDirichlet(), REAL, 2, "inner_dirichlet needs class labels"),
        (ExtendedDirichlet(), REAL, 2, "extended_dirichlet needs class labels"),
        (Pathological(), REAL, 2, "pathological needs class labels"),
        (Orthogonal(), REAL, 2, "orthogonal needs class labels"),
        (Mixed(1.0), REAL, 2, "mixed needs class labels"),
        (Distribution([[1.0, 1.0]]), REAL, 2, "distribution needs class labels"),
        (Pathological(6), TEN, 2, "6 classes an actor, but the training rows have only 5"),
        (Pathological(2), TEN, 2, "4 class slots for 5 classes, .* raise the classes an actor to 3"),
        (ExtendedDirichlet(2), TEN, 2, "extended_dirichlet: 2 actors x 2 classes = 4 class slots"),
        (Pathological(2), TEN, 6, "need 12 pairs .* allow 10"),
        (Pathological(2, "deterministic"), TEN, 3, "without an owner; use assignment=random"),
        (
            Pathological(1, "deterministic"),
            Traits(np.array([0, 1, 1, 1, 1]), np.arange(2)),
            3,
            "class of 1 rows",
        ),
        (Orthogonal(), TEN, 6, "6 actors cannot have disjoint classes, the training rows have 5"),
        (LabelShards(4), TEN, 3, "12 training rows, there are 10"),
        (Distribution([[1.0, 1.0]]), TEN, 2, "table of 1 x 2, expected 5 classes x 2 actors"),
        (Distribution([[1.0, 1.0]] * 4 + [[0.0, 0.0]]), TEN, 2, "a class without an owner"),
        (Continuous(), Traits(np.zeros(4)), 2, "all targets are equal"),
        (Continuous(), Traits(np.array([0.0, np.nan])), 2, "NaN"),
        (Continuous(), Traits(np.array([0, 1]), np.array(["a", "b"])), 2, "numeric class labels"),
        (Sizes(counts=[5, 4]), TEN, 2, "counts add up to 9, expected 10"),
        (Sizes(counts=[5, 5]), TEN, 3, "2 sizes for 3 actors"),
        (Group(), TEN, 2, "group needs natural group ids, this data set has none"),
        (Group(), Traits(np.arange(4) % 2, np.arange(2), np.array([1, 1, 2, 2])), 3, "2 groups for 3 actors"),
        (Group("strict"), Traits(np.arange(3) % 2, np.arange(2), np.arange(3)), 2, "set actors=3$"),
        (
            Group(),
            Traits(np.arange(2), np.arange(2), np.array(["a", 1], dtype=object)),
            2,
            "ids of different types",
        ),
    ],
)
def test_impossible_requests_are_refused(
    strategy: PartitionStrategy, traits: Traits, actors: int, message: str
) -> None:
    with pytest.raises(PartitionError, match=message):
        strategy(traits, actors, np.random.default_rng(0))
