"""An option that was set and that nothing makes use of is said."""

import pytest

from fedlocal.config.compose import compose
from fedlocal.experiment.groups import build_groups
from fedlocal.experiment.notices import unused_option_notices


def said(*overrides: str) -> list[str]:
    config = compose(*overrides)
    return unused_option_notices(config, build_groups(config))


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (
            "scheme=local strategy=fedadam",
            "strategy (FedAdam): without effect, since scheme=local has",
        ),
        ("scheme=local strategy.fraction_train=0.5", "strategy (FedAvg): without effect, since scheme=local"),
        (
            "scheme=batch_parallel partition=dirichlet",
            "partition (Dirichlet): without effect, since scheme=",
        ),
        (
            "scheme=pipeline min_results=1",
            "min_results=1: without effect, since scheme=pipeline has no",
        ),
        (
            "scheme=sequential backend=inline",
            "backend (Inline): without effect, since scheme=sequential",
        ),
        (
            "scheme=sequential actors=8 workers=2",
            "actors=8, workers=2: without effect, since scheme=",
        ),
        ("validation_fraction=0.5", "validation_fraction=0.5: without effect, since no client evaluates"),
        ("backend=inline workers=3", "workers=3: without effect, since backend=inline is this process alone"),
        (
            "client=app client.reference=a:b batch_size=8 optimizer_state=keep",
            "batch_size=8, optimizer_state=keep: without effect, since your client app trains in its own way",
        ),
    ],
)
def test_an_option_without_effect_is_named_with_the_reason(overrides: str, reason: str) -> None:
    (line,) = said(*overrides.split())
    assert line.startswith(reason)


@pytest.mark.parametrize(
    "overrides",
    [
        "",
        "strategy=fedadam partition=dirichlet accumulate=2 optimizer_state=keep min_results=1",
        "scheme=local partition=dirichlet min_results=1 backend=inline",
        "scheme=batch_parallel backend=inline accumulate=2",
        "scheme=batch_parallel skew=noise partition=dirichlet",
        "scheme=pipeline",
        "scheme=sequential batch_size=8",
        "strategy.fraction_evaluate=0.5 validation_fraction=0.5",
        "scheme=local strategy.fraction_evaluate=0.5",
        "experiment=debug",
    ],
)
def test_options_with_an_effect_and_defaults_are_not_named(overrides: str) -> None:
    assert said(*overrides.split()) == []
