"""The presets of ``conf/model`` build models that learn."""

import inspect
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

from fedlocal.models import MLP, train

PRESETS = sorted((Path(__file__).parents[2] / "conf" / "model").glob("*.yaml"))


LIBRARIES = {"torch": ["torch"], "cnn": ["torch"], "keras": ["keras", "jax"]}
NEEDY = [
    pytest.param(preset, id=preset.stem, marks=[pytest.mark.extras] if preset.stem in LIBRARIES else [])
    for preset in PRESETS
    if preset.stem != "regressor"  # is for real-valued targets
]


@pytest.mark.parametrize("preset", NEEDY)
def test_a_preset_learns_digits(preset: Path, digits: Any) -> None:
    for library in LIBRARIES.get(preset.stem, []):
        if find_spec(library) is None:  # Keras itself is not imported before it has its backend
            pytest.skip(f"extras: needs {library} (pip install {library})")
    factory = instantiate(OmegaConf.load(preset), _convert_="all")
    shape = {"shape": (8, 8)} if "shape" in inspect.signature(factory).parameters else {}
    model = factory(inputs=64, outputs=10, classes=True, rng=np.random.default_rng(0), **shape)
    train(model, digits.x, digits.y, batch_size=32, epochs=5, rng=np.random.default_rng(1))
    assert model.evaluate(digits.test_x, digits.test_y).accuracy >= 0.93


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_names_every_option(preset: Path) -> None:
    config = OmegaConf.load(preset)
    options = inspect.signature(get_class(config._target_)).parameters
    data = {"inputs", "outputs", "classes", "rng"}
    assert {str(key) for key in config} - {"_target_", "_partial_", "_recursive_"} == options.keys() - data


def test_presets_of_the_mlp_are_found() -> None:
    targets = {path.stem: get_class(OmegaConf.load(path)._target_) for path in PRESETS}
    assert targets["mlp"] is targets["paper"] is MLP
