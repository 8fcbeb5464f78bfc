"""Folders that the version before the public addresses wrote, and what it was typed.

Addresses of that version are written in parts here, so that nothing that renames modules can touch them; the
folders in ``older_runs`` are as that version left them, one killed after its first round.
"""

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any, cast

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

import fedlocal
from fedlocal import compose, load_model
from fedlocal.cli.predict import main as predict
from fedlocal.cli.report import main as report
from fedlocal.config.compose import conf_folder
from fedlocal.config.old_addresses import (
    _PUBLIC,
    replace_old_addresses,
    with_first_addresses,
    with_public_addresses,
)
from fedlocal.config.trust import check_stored
from fedlocal.experiment.run_folder import differences
from fedlocal.report.recorded_run import read
from fedlocal.results.checkpoints import MAGIC

OLDER = Path(__file__).parents[1] / "older_runs"
BY_HAND = {
    ("fedlocal.data.sources", "digits"): "fedlocal.datasets.digits",
    ("fedlocal.data.partition", "Dirichlet"): "fedlocal.partitions.Dirichlet",
    ("fedlocal.data.skew", "NoSkew"): "fedlocal.partitions.NoSkew",
    ("fedlocal.flower", "attacks", "Attack"): "fedlocal.attacks.Attack",
    ("fedlocal.flower", "backends", "Inline"): "fedlocal.backends.Inline",
    ("fedlocal.flower", "clients", "Own"): "fedlocal.clients.DefaultClient",
    ("fedlocal.schemes", "federated", "federated"): "fedlocal.schemes.Federated",
    ("flwr.serverapp.strategy", "FedAdam"): "fedlocal.strategies.FedAdam",
    ("flwr.serverapp.strategy", "fedadam", "FedAdam"): "fedlocal.strategies.FedAdam",
}
FILES = ("config.yaml", "best.json", "checkpoints/round-000001.ckpt")


def targets(text: str) -> set[str]:
    targets = re.findall(r"""_target_"?: "?([\w.]+)""", text)
    return {name for name in targets if name.startswith(("fedlocal.", "flwr."))}


def renamed(text: str) -> str:
    for parts, address in BY_HAND.items():
        text = text.replace(".".join(parts), address)
    return text


def rename_by_hand(run: Path) -> None:
    """Edit the files of a run, and take away the seals that say they were not edited."""
    config, best, checkpoint = (run / name for name in FILES)
    config.write_text(renamed(re.sub("# sha256: .*\n", "", config.read_text())))
    best.write_text(renamed(re.sub(', "sha256": "[0-9a-f]{64}"}\\s*\\Z', "}", best.read_text())))
    content = checkpoint.read_bytes()[len(MAGIC) + 32 :]
    length = int.from_bytes(content[:8], "little")
    manifest = renamed(content[8 : 8 + length].decode()).encode()
    content = len(manifest).to_bytes(8, "little") + manifest + content[8 + length :]
    checkpoint.write_bytes(MAGIC + hashlib.sha256(content).digest() + content)


def checkpoint_of(run: Path, number: int) -> dict[str, Any]:
    content = (run / "checkpoints" / f"round-{number:06}.ckpt").read_bytes()[len(MAGIC) + 32 :]
    return cast(dict[str, Any], json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]))


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLDER / "killed", tmp_path / "killed"))


@pytest.fixture
def completed(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLDER / "completed", tmp_path / "completed"))


@pytest.mark.usefixtures("no_leaks")
def test_a_run_of_the_version_before_goes_on_to_the_weights_of_one_with_public_addresses(
    killed: Path, tmp_path: Path
) -> None:
    by_hand = Path(shutil.copytree(killed, tmp_path / "by-hand"))
    rename_by_hand(by_hand)
    for name in FILES:
        assert (by_hand / name).read_bytes() != (killed / name).read_bytes()
    before = (killed / "metrics.csv").read_text().splitlines()
    outcome, expected = fedlocal.resume(killed), fedlocal.resume(by_hand)
    assert outcome.hashes == expected.hashes
    assert (killed / "metrics.csv").read_text().splitlines()[: len(before)] == before  # it went on
    for run in (killed, by_hand):
        assert checkpoint_of(run, 3)["about"]["strategy"] == "fedlocal.strategies.FedAdam"
        assert targets((run / "model.json").read_text()) <= set(_PUBLIC.values()) | {
            "fedlocal.availability.Always",
            "fedlocal.models.MLP",
        }


def test_a_run_of_the_version_before_is_reported_on(
    completed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report([str(completed)]) == 0
    assert "0.1031" in (completed / "report.html").read_text()
    assert capsys.readouterr().err == ""


def test_a_run_of_the_version_before_has_the_settings_of_a_new_one(completed: Path, tmp_path: Path) -> None:
    options = ("actors=3", "rounds=3", "model.hidden=[4]", "attack=sign_flip")
    config = compose(*options)
    assert differences(completed, config) == []
    new = tmp_path / "new"
    new.mkdir()
    (new / "config.yaml").write_text(OmegaConf.to_yaml(config, resolve=True))
    old_settings, new_settings = read("old", completed).config, read("new", new).config
    differing = {key for key in old_settings if old_settings[key] != new_settings[key]}
    assert differing == {"backend._target_"}  # the old one ran inline
    assert read("old", completed).config["backend._target_"] == "fedlocal.backends.Inline"


def test_a_model_of_the_version_before_predicts(
    completed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(completed)
    assert predict([f"model={completed}", "input=test"]) == 0
    assert capsys.readouterr().out == "accuracy 0.1031 of 359 test rows of digits\n"
    with load_model(completed) as model:
        assert model.predict([[0.0] * 64]).shape == (1,)


def test_what_the_version_before_stored_is_what_a_shared_baseline_is_looked_up_by(killed: Path) -> None:
    stored = OmegaConf.to_container(OmegaConf.load(killed / "config.yaml"))
    assert with_public_addresses(stored) != stored
    assert with_first_addresses(with_public_addresses(stored)) == stored


def test_every_address_of_a_preset_that_is_no_old_one_is_public() -> None:
    texts = "\n".join(path.read_text() for path in conf_folder().rglob("*.yaml"))
    assert targets(texts) - {"fedlocal.cli.jobs.NoteSweep"} <= {
        *_PUBLIC.values(),
        *(f"fedlocal.availability.{name}" for name in ("Always", "Dropout", "Schedule", "Sessions", "Trace")),
        *(f"fedlocal.models.{name}" for name in ("Keras", "MLP", "PyTorch", "SklearnModel")),
    }
    assert not targets(texts) & _PUBLIC.keys()


@pytest.mark.parametrize("old", _PUBLIC)
def test_an_old_address_is_trusted_as_its_public_one(old: str) -> None:
    check_stored({"group": {"_target_": old}}, "here")


def test_old_addresses_are_composed_as_public_ones() -> None:
    old = {name.rpartition(".")[2]: name for name in _PUBLIC}
    config = compose(f"partition._target_={old['Iid']}", f"strategy._target_={old['FedMedian']}")
    assert config.partition._target_ == "fedlocal.partitions.Iid"
    assert config.strategy._target_ == "fedlocal.strategies.FedMedian"


def test_old_addresses_in_lists_are_replaced_in_place() -> None:
    nested = OmegaConf.create({"model": {"layers": [{"_target_": next(iter(_PUBLIC))}, "${seed}", 3]}})
    replace_old_addresses(nested)
    assert nested.model.layers[0]._target_ == next(iter(_PUBLIC.values()))


def test_public_strategies_of_flower_are_flowers() -> None:
    for old, address in _PUBLIC.items():
        if old.startswith("flwr."):
            assert get_object(old) is get_object(address)
