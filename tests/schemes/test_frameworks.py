"""Contract 2 for models of other frameworks: one configuration and seed give one hash."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from fedlocal import compose, resume, run
from tests.schemes.test_bits import SMALL, final_hash, trained

MODULES = "model.module._target_=tests.models.frameworks.torch_modules."
MOMENTUM = "+model.optimizer.momentum=0.9"
NARROW = "+model.module.hidden=[17,8]"
TORCH = ["model=torch", NARROW]
KERAS = ["model=keras", "+model.model.hidden=[17,8]"]


def needs(library: str, *settings: str) -> Any:
    missing = find_spec(library) is None
    skip = pytest.mark.skipif(missing, reason=f"extras: needs {library} (pip install {library})")
    return pytest.param(
        list(settings), marks=[pytest.mark.extras, pytest.mark.slow, skip], id=" ".join(settings)
    )


def keras(*settings: str) -> Any:
    """Return few cases: JAX compiles anew for each number of rows, in each process."""
    return needs("jax", *KERAS, "model.backend=jax", "partition=iid", "dataset.train=384", *settings)


SETTINGS = [
    needs("torch", *TORCH),
    needs("torch", *TORCH, MOMENTUM, "optimizer_state=keep", "local_epochs=2"),
    needs("torch", *TORCH, "accumulate=3", "strategy=fedprox"),
    needs("torch", "model=torch", MODULES + "dropping", "strategy=fedadam"),
    needs("torch", "model=torch", MODULES + "normalised", "scheme=local"),
    needs("torch", "model=cnn", "model.module.channels=[4]", "dataset.shape=[6,6]"),
    keras(),
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_backends_and_numbers_of_workers_give_the_same_bits(setting: list[str]) -> None:
    places = (["backend=inline"], ["backend=actors", "workers=1"], ["backend=actors", "workers=3"])
    assert len({final_hash(*setting, *where) for where in places}) == 1


ALONE = [
    needs("torch", *TORCH),
    needs("torch", *TORCH, "accumulate=4"),
    needs("torch", *TORCH, MOMENTUM, "optimizer_state=keep"),
    needs("torch", "model=torch", MODULES + "dropping"),
    needs("torch", "model=torch", MODULES + "normalised"),
    needs("torch", "model=torch", MODULES + "normalised", "accumulate=4"),
    keras("model.optimizer=adam", "optimizer_state=keep"),
]


@pytest.mark.parametrize("setting", ALONE)
def test_one_actor_is_the_sequential_scheme(setting: list[str]) -> None:
    single = ["actors=1", "partition=iid", *setting]
    ways = (["backend=inline"], ["backend=actors"], ["scheme=sequential"])
    assert len({final_hash(*single, *how) for how in ways}) == 1


QUEUED = [
    needs("torch", *TORCH, "accumulate=1", MOMENTUM),
    needs("torch", *TORCH, "accumulate=3"),
    needs("torch", *TORCH, "accumulate=4", MOMENTUM, "optimizer_state=keep"),
    needs("torch", *TORCH, "accumulate=1", "model.optimizer._target_=torch.optim.Adam"),
    needs("torch", "model=torch", MODULES + "dropping", "accumulate=3"),
    needs("torch", "model=torch", MODULES + "normalised", "accumulate=1"),
    keras("accumulate=3"),
]


@pytest.mark.parametrize("setting", QUEUED)
def test_the_batch_queue_has_the_bits_of_the_sequential_scheme(setting: list[str]) -> None:
    queue = ["scheme=batch_parallel", "actors=3"]
    ways = [["scheme=sequential"], [*queue, "workers=2"], [*queue, "backend=inline"]]
    if "accumulate=1" not in setting:
        copied = "scheme._target_=experiments.figure1.copied_messages.copied_messages"
        ways.append([*queue, "workers=2", copied])
    assert len({final_hash(*setting, *how) for how in ways}) == 1


@pytest.mark.parametrize("setting", [needs("torch", *TORCH, "model.optimizer._target_=torch.optim.Adam")])
def test_a_run_that_goes_on_has_the_same_bits(setting: list[str], tmp_path: Any) -> None:
    setting = [*SMALL, *setting, "optimizer_state=keep", "backend=inline"]
    run(compose(*setting, "rounds=2"), tmp_path)
    (tmp_path / "summary.json").unlink()  # it never came to an end
    config = (tmp_path / "config.yaml").read_text().partition("# sha256")[0]
    (tmp_path / "config.yaml").write_text(config.replace("rounds: 2", "rounds: 4"))
    assert resume(tmp_path).hashes == run(compose(*setting, "rounds=4")).hashes


@pytest.mark.parametrize("setting", [needs("torch", "model=torch", MODULES + "normalised", "accumulate=3")])
def test_running_statistics_are_refused_where_they_would_be_lost(setting: list[str]) -> None:
    with pytest.raises(ValueError, match=r"batch-norm.* set accumulate=1"):
        trained(*setting, "scheme=batch_parallel")


@pytest.mark.parametrize("setting", [needs("torch", "model=torch", MODULES + "normalised")])
def test_running_statistics_are_averaged(setting: list[str]) -> None:
    alone = trained(*setting, "scheme=local", "rounds=1", "backend=inline", "actors=2", "partition=iid")
    both = trained(*setting, "rounds=1", "backend=inline", "actors=2", "partition=iid")
    first, other = (alone.models[f"actor-{actor}"]["2.running_mean"] for actor in (0, 1))
    mean = both.models["model"]["2.running_mean"]
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(mean, (first * 202 + other * 201) / 403, rtol=1e-4, atol=1e-6)
