"""A framework that is missing is told together with what installs it, before anything is loaded."""

from typing import Any

import pytest

from fedlocal.config.build import build, model_imports
from fedlocal.config.compose import compose
from fedlocal.config.validation import check
from fedlocal.models import Keras, ModelError, PyTorch
from fedlocal.models.frameworks import factories

NODE = {"_target_": "builtins.dict"}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no framework here."""
    monkeypatch.setattr(factories, "find_spec", lambda _name: None)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("model", "extra"), [("torch", "torch"), ("cnn", "torch"), ("keras", "keras")])
def test_a_missing_library_is_told_with_what_installs_it(model: str, extra: str) -> None:
    config = compose(f"model={model}")
    check(config)  # it is no fault of the configuration's
    with pytest.raises(ModelError, match=rf'pip install "fedlocal\[{extra}\]"') as caught:
        build(config, "model")
    assert caught.value.__notes__ == ["while building model"]


def test_the_library_of_kerass_backend_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factories, "find_spec", lambda name: None if name == "jax" else "here")
    with pytest.raises(ModelError, match="pip install jax"):
        Keras(NODE, NODE, NODE, "jax")


@pytest.fixture
def supposed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suppose that all frameworks are here."""
    monkeypatch.setattr(factories, "find_spec", lambda _name: "here")


@pytest.mark.usefixtures("supposed")
@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": "nowhere.Net"}, r"model\.module\._target_=nowhere\.Net"),
        ({"_target_": "math.pi"}, r"model\.module\._target_=math\.pi is 3\.14.*cannot be called"),
        ({"width": 3}, r"model\.module must name a class .* got \{'width': 3\}"),
        (3, r"model\.module must name .*_recursive_=false; got 3"),
    ],
)
def test_a_part_that_is_not_there_is_named(node: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        PyTorch(node, NODE, NODE)


@pytest.mark.usefixtures("supposed")
def test_the_imports_of_workers_are_known_before() -> None:
    assert "torch" in model_imports(compose("model=cnn"))
    assert model_imports(compose("model=mlp")) == ()
