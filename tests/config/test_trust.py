"""What somebody else's results folder may have this process do: no more than its numbers need."""

import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from omegaconf import OmegaConf

import fedlocal
from fedlocal import compose, run
from fedlocal.cli.arguments import translate
from fedlocal.cli.predict import main as predict
from fedlocal.config.build import build
from fedlocal.config.compose import conf_folder
from fedlocal.config.schema import GROUPS
from fedlocal.config.trust import TrustError, check_stored
from fedlocal.data import DataError
from fedlocal.experiment.resume import run_or_resume
from fedlocal.experiment.run_folder import ResumeError, differences

SMALL = ["dataset=synthetic", "dataset.train=60", "dataset.test=20", "dataset.shape=[4]", "model.hidden=[4]"]
SMALL += ["actors=2", "rounds=2", "baseline=false", "backend=inline", "display=off"]

MINE = """
import os, pathlib
from fedlocal.models import MLP
pathlib.Path(os.environ["MARK"]).touch()
class Net(MLP): ...
"""


@pytest.fixture(autouse=True)
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that appears once the module `mine` is imported."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path / "code")
    monkeypatch.setenv("MARK", str(tmp_path / "imported"))
    monkeypatch.setenv("SECRET", "hunter2")
    return tmp_path / "imported"


def stored(folder: Path, *overrides: str) -> Path:
    """Leave the folder of a run that was killed before it did anything."""
    folder.mkdir()
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(compose(*SMALL, *overrides), resolve=True))
    return folder


def forget() -> None:
    sys.modules.pop("mine", None)


@pytest.mark.parametrize(
    "name",
    [
        "fedlocal.models.MLP",
        "fedlocal.models.torch_cnn",
        "flwr.serverapp.strategy.FedAdam",
        "fedlocal.strategies.FedAdam",
        "flwr_datasets.partitioner.DirichletPartitioner",
        "sklearn.linear_model.SGDClassifier",
        "torch.nn.Linear",
        "torch.nn.functional.cross_entropy",
        "torch.optim.AdamW",
        "keras.Sequential",
        "keras.layers.Dense",
        "keras.losses.mean_squared_error",
        "keras.optimizers.SGD",
    ],
)
def test_parts_of_networks_and_strategies_need_no_trust(name: str) -> None:
    check_stored({"model": {"_target_": name}}, "here")


@pytest.mark.parametrize(
    "name",
    [
        "mine.Net",
        "os.system",
        "builtins.eval",
        "hydra.utils.get_object",
        "hydra.utils.instantiate",
        "fedlocal.load_model",
        "fedlocal.cli.main.main",
        "fedlocal.cli.jobs.NoteSweep",
        "fedlocal.results.atomic_files.write_json",
        "torch.load",
        "torch.hub.load",
        "torch.nn.Module.load_state_dict",
        "torch.nn.modules.module.torch.load",
        "torch.nn.utils.stateless.torch.load",
        "torch.optim.lr_scheduler.LambdaLR",
        "keras.layers.Lambda",
        "keras.layers.TFSMLayer",
        "keras.layers.deserialize",
        "keras.losses.deserialize",
        "keras.saving.load_model",
        "keras.models.load_model",
        "sklearn.linear_model._base.check_array",
        "sklearn.utils._joblib.load",
        "joblib.load",
        "numpy.load",
        "pickle.loads",
        "flwr.serverapp.strategy.fedavg.FedAvg",
        "torch.nn.Linear\n",
    ],
)
@pytest.mark.parametrize("position", ["group", "nested", "listed", "argument", "estimator", "reference"])
def test_a_target_that_may_open_files_or_call_anything_is_refused(name: str, position: str) -> None:
    node = {"_target_": name, "_partial_": True}
    trusted = {"_target_": "fedlocal.models.PyTorch", "_recursive_": False}
    config = {
        "group": node,
        "nested": {**trusted, "module": {"_target_": "torch.nn.Sequential", "a": node}},
        "listed": {**trusted, "layers": [{"_target_": "torch.nn.ReLU"}, [node]]},
        "argument": {**trusted, "_args_": [node]},
        "estimator": {"_target_": "fedlocal.models.SklearnModel", "estimator": name},
        "reference": {"_target_": "fedlocal.clients.FlowerClient", "reference": name},
    }[position]
    with pytest.raises(TrustError, match=r"here asks for it: if you trust .* add trust=true"):
        check_stored({"model": config}, "here")


def test_keras_is_given_no_mappings_of_which_it_would_make_objects() -> None:
    layer = {"_target_": "keras.layers.Dense", "units": 3, "activation": {"module": "os", "class_name": "x"}}
    with pytest.raises(TrustError, match="activation is a mapping"):
        check_stored({"model": {"_target_": "fedlocal.models.Keras", "model": layer}}, "here")


def test_the_targets_of_the_presets_need_no_trust() -> None:
    for group in (*GROUPS, "tracker"):
        paths = list((conf_folder() / group).glob("*.yaml"))
        assert paths
        for path in paths:
            node = OmegaConf.create(
                path.read_text().replace("${", "")
            )  # Hydra resolves it before it is stored
            check_stored(cast(Any, OmegaConf.to_container(node)), path)


REFUSED = {
    "model": ["model._target_=mine.Net"],
    "strategy": ["strategy._target_=mine.Net"],
    "dataset": ["dataset._target_=mine.Net"],
    "tracker": ["+tracker.mine._target_=mine.Net"],
    "argument": ["+dataset.extra._target_=mine.Net"],
    "client": ["client=app", "client.reference=mine:Net"],
    "backend": ["backend._target_=mine.Net"],
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_that_names_other_code_is_resumed_with_trust_alone(
    tmp_path: Path, mark: Path, case: str
) -> None:
    folder = stored(tmp_path / "run", *REFUSED[case])
    with pytest.raises(TrustError, match="trust=true"):
        fedlocal.resume(folder)
    assert not mark.exists()
    assert {path.name for path in folder.iterdir()} == {"config.yaml"}


@pytest.mark.parametrize("how", ["keyword", "override"])
def test_a_users_model_is_resumed_and_asked_with_trust(tmp_path: Path, mark: Path, how: str) -> None:
    folder = stored(tmp_path / "run", "model._target_=mine.Net")
    resumed = (
        fedlocal.resume(folder, trust=True) if how == "keyword" else fedlocal.resume(folder, "trust=true")
    )
    x = resumed.predict([[0.0] * 4])
    mark.unlink()
    forget()
    for again in (lambda: fedlocal.resume(folder).predict([[0.0] * 4]), lambda: fedlocal.load_model(folder)):
        with pytest.raises(TrustError, match=r"model\._target_=mine\.Net .* add trust=true"):
            again()
    assert not mark.exists()
    assert fedlocal.load_model(folder, trust=True).predict([[0.0] * 4]) == x
    assert fedlocal.resume(folder, trust=True).predict([[0.0] * 4]) == x


def test_the_command_asks_for_trust(tmp_path: Path, mark: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = stored(tmp_path / "run", "model._target_=mine.Net")
    fedlocal.resume(folder, trust=True)
    mark.unlink()
    forget()
    assert predict([f"model={folder}", "input=test"]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "model._target_=mine.Net" in printed
    assert "add trust=true" in printed
    assert not mark.exists()
    assert predict([f"model={folder}", "input=test", "trust=true"]) == 0


def test_the_data_set_of_a_manifest_needs_trust_too(
    tmp_path: Path, mark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    run(compose(*SMALL), folder)
    manifest = json.loads((folder / "model.json").read_text())
    manifest["config"]["dataset"]["_target_"] = "mine.synthetic"
    del manifest["sha256"]
    (folder / "model.json").write_text(json.dumps(manifest))
    assert predict([f"model={folder}", "input=test"]) == 1
    assert "dataset._target_=mine.synthetic" in capsys.readouterr().err
    assert not mark.exists()


def test_interpolations_of_a_stored_file_are_not_resolved(tmp_path: Path) -> None:
    folder = stored(tmp_path / "run")
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("seed: 0", "seed: ${oc.env:SECRET}"))
    with pytest.raises(TrustError) as refused:
        fedlocal.resume(folder)
    assert "hunter2" not in str(refused.value)
    assert not any("hunter2" in difference for difference in differences(folder, compose(*SMALL)))


def test_aliases_that_stand_for_more_than_memory_holds_are_refused(tmp_path: Path) -> None:
    folder = stored(tmp_path / "run")
    lines = ["a0: &a0 [x]", *(f"a{at}: &a{at} [{','.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 30))]
    (folder / "config.yaml").write_text("\n".join(lines))
    with pytest.raises(ResumeError, match="has an alias"):
        fedlocal.resume(folder)


def sweep(folder: Path, task: list[str], hydra: tuple[str, ...] = ()) -> Path:
    """Leave the folder of a sweep that was killed before its first run."""
    folder.mkdir()
    noted = {"hydra": {"overrides": {"hydra": list(hydra), "task": task}}}
    OmegaConf.save(OmegaConf.create(noted), folder / "multirun.yaml")
    return folder


@pytest.mark.parametrize(
    "argument",
    [
        "hydra.callbacks.mine._target_=mine.Net",
        "+hydra.callbacks.mine={_target_: mine.Net}",
        "hydra.launcher._target_=mine.Net",
        "hydra.sweeper.custom_search_space=mine.Net",
        "hydra.searchpath=[file:///tmp]",
        "hydra.job.env_set.PYTHONPATH=/tmp",
        "hydra/launcher=../../evil",
        "--config-dir=/tmp",
        "-cd=/tmp",
        "tracker@hydra.callbacks.mine=mlflow",
        "+experiment=../../evil",
        "seed='\\${oc.env:SECRET}'".replace("\\", ""),
        "+dataset.note=${oc.env:SECRET}",
        "hydra.sweep.subdir=${oc.env:SECRET}",
        "hydra.sweep.subdir=/tmp/elsewhere",
        "hydra.sweep.subdir=../elsewhere",
        "hydra.sweep.subdir=${dataset.path}",
        "hydra.sweeper.storage=sqlite:////tmp/study.db",
        "hydra.sweeper.params.hydra={job: {env_set: {PYTHONPATH: /tmp}}}",
    ],
)
@pytest.mark.parametrize("where", ["task", "hydra"])
def test_a_stored_sweep_tells_hydra_options_alone(tmp_path: Path, argument: str, where: str) -> None:
    given = ["seed=1,2", argument] if where == "task" else ["seed=1,2"]
    folder = sweep(tmp_path / "sweep", given, (argument,) if where == "hydra" else ())
    with pytest.raises(TrustError, match="trust=true") as refused:
        translate([f"resume={folder}"])
    assert "hunter2" not in str(refused.value)


def test_harmless_options_of_a_stored_sweep_are_repeated(tmp_path: Path) -> None:
    task = ["seed=1,2", "+partition.x=${actors}", "dataset.path=../a.npz", "model=mlp,paper", "~skew"]
    hydra = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.subdir=${hydra:job.num}")
    folder = sweep(tmp_path / "sweep", task, hydra)
    arguments = translate([f"resume={folder}"]).arguments
    assert arguments[1 : len(task) + len(hydra) + 1] == [*task, *hydra]
    assert "trust=false" in arguments
    trusting = translate([f"resume={folder}", "trust=true"]).arguments
    assert trusting.index("trust=false") < trusting.index("trust=true")


def test_no_option_leads_the_runs_of_a_stored_sweep_out_of_its_folder(tmp_path: Path) -> None:
    named = ("hydra.sweep.subdir=${hydra.job.override_dirname}/${hydra.job.num}",)
    translate([f"resume={sweep(tmp_path / 'a', ['seed=1,2', 'dataset.path=b/c.npz'], named)}"])
    folder = sweep(tmp_path / "b", ["seed=1,2", "dataset.path=../../../c.npz"], named)
    with pytest.raises(TrustError, match="trust=true"):
        translate([f"resume={folder}"])


@pytest.mark.parametrize("name", ["model._target_=mine.Net", "+dataset.extra={_target_: mine.Net}"])
def test_a_run_of_a_stored_sweep_names_no_other_code(tmp_path: Path, mark: Path, name: str) -> None:
    folder = tmp_path / "sweep" / "0"
    with pytest.raises(TrustError, match=r"mine\.Net"):
        run_or_resume(compose(*SMALL, name, "trust=false"), folder, [], tmp_path / "sweep")
    assert not mark.exists()


def test_a_data_set_of_pickles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reads pickles"):
        build(compose("dataset=huggingface", "dataset.path=pandas"), "dataset", rng=None)
