"""A scheme of one's own, named by ``scheme._target_``, can do what it declares, and nothing else."""

import re
import sys
from pathlib import Path

import pytest

from fedlocal import compose, run
from fedlocal.config.schema import ConfigError
from tests.schemes.test_bits import SMALL

pytestmark = pytest.mark.usefixtures("no_leaks")

MODULE = """
from dataclasses import replace

from fedlocal.schemes import Capabilities, Federated, capabilities_of


@replace(capabilities_of(Federated), unused_options=("min_results",), unused_reason="waits for nobody")
def twice(setting, on_round, start=None, *, factor: int = 2):
    training = replace(setting.training, local_epochs=factor * setting.training.local_epochs)
    return Federated(replace(setting, training=training), on_round, start)


def silent(setting, on_round, start=None):
    return Federated(setting, on_round, start)


@Capabilities(has_clients=True)
class Aggregating:
    def __call__(self, setting, on_round, start=None):
        return Federated(setting, on_round, start)


def wrong(setting, on_round, start=None): ...


wrong.capabilities = {"has_clients": True}
"""
OPTIONS = [*SMALL, "model.hidden=[8]", "backend=inline", "rounds=2"]


@pytest.fixture(autouse=True)
def module(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a module with schemes where it can be imported."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "own_schemes.py").write_text(MODULE)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "own_schemes", raising=False)


def target(name: str) -> str:
    return f"scheme._target_=own_schemes.{name}"


@pytest.mark.parametrize(
    "more",
    [
        ["attack=sign_flip", "attack.share=0.4"],
        ["availability=dropout", "availability.p=0.5"],
        ["client=nested", "client.workers=1"],
        [],
    ],
    ids=str,
)
def test_a_scheme_can_do_what_it_declares(more: list[str]) -> None:
    mine = run(compose(*OPTIONS, target("twice"), *more))
    theirs = run(compose(*OPTIONS, "local_epochs=2", *more))
    assert mine.hashes["twice"] == theirs.hashes["federated"]


def test_its_number_of_actors_is_chosen_and_its_options_are_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    factor, auto = "+scheme.factor=3", ["actors=auto", "display=plain"]
    outcome = run(compose(*OPTIONS, target("twice"), factor, "min_results=1", *auto), tmp_path)
    assert (tmp_path / "actors.json").exists()
    assert list(outcome.hashes) == ["twice"]
    assert "min_results=1: without effect, since scheme=twice waits for nobody" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"scheme\.factor=x: must be of type int"):
        run(compose(*OPTIONS, target("twice"), "+scheme.factor=x"))


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["attack=noise"], "attack: scheme=silent has no server to attack; set attack=none, or choose"),
        (["availability=dropout"], "availability: scheme=silent has no clients that could be away"),
        (
            ["actors=auto"],
            "actors=auto: scheme=silent has no best number of actors; give a number",
        ),
    ],
)
def test_a_scheme_that_declares_nothing_gets_clear_refusals(overrides: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(reason)):
        run(compose(*OPTIONS, target("silent"), *overrides))


def test_a_scheme_that_declares_nothing_trains(capsys: pytest.CaptureFixture[str]) -> None:
    mine = run(compose(*OPTIONS, target("silent"), "client=nested", "client.workers=1", "display=plain"))
    assert (
        "client (Nested): without effect, since scheme=silent declares no clients" in capsys.readouterr().err
    )
    assert list(mine.hashes) == ["silent"]


def test_a_class_declares_as_a_function_does() -> None:
    own = [target("Aggregating"), "scheme._partial_=false"]
    assert list(run(compose(*OPTIONS, *own, "availability=dropout")).hashes) == ["Aggregating"]
    with pytest.raises(ConfigError, match="scheme=Aggregating has no server to attack"):
        run(compose(*OPTIONS, *own, "attack=noise"))


def test_a_declaration_of_another_type_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"scheme=wrong: its attribute capabilities is \{'has_clients'"):
        run(compose(*OPTIONS, target("wrong")))
