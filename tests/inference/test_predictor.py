"""A saved model says of raw rows what it said in training, wherever it is computed, and whoever is killed."""

import gc
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import fedlocal
from fedlocal import Predictor, load_model
from fedlocal.actors import one_thread
from fedlocal.data import DataError
from fedlocal.inference import InferenceError, pool, predictor
from fedlocal.results import ResultsError
from tests.inference.runs import Train, TrainedRun

pytestmark = pytest.mark.usefixtures("no_leaks")

SCHEMES = ["federated", "sequential", "batch_parallel", "pipeline"]


@pytest.fixture
def many(train: Train) -> tuple[TrainedRun, Any]:
    """Return a run, and more rows than fit into a batch."""
    return train(), np.random.default_rng(0).standard_normal((500, 16), np.float32)


def accuracy(model: Predictor, trained: TrainedRun) -> float:
    test = trained.data.test
    return float((model.predict(test.x) == test.y).mean())  # synthetic rows are raw ones, labels are codes


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("which", ["last", "best"])
def test_a_loaded_model_is_as_good_as_the_trained_model(train: Train, scheme: str, which: Any) -> None:
    trained = train(f"scheme={scheme}")
    with load_model(trained.folder, which) as model:
        manifest = json.loads((trained.folder / f"{'model' if which == 'last' else 'best'}.json").read_text())
        assert accuracy(model, trained) == pytest.approx(manifest["metrics"]["accuracy"])
        if which == "last":
            np.testing.assert_array_equal(
                trained.run.predict(trained.data.test.x), model.predict(trained.data.test.x)
            )


@pytest.mark.parametrize("actor", [0, 3])
def test_a_model_must_be_named_where_each_actor_has_a_model(train: Train, actor: int) -> None:
    trained = train("scheme=local")
    x, measured = trained.data.test.x, trained.run.histories["local"].rounds[-1].actors[actor]
    model = load_model(trained.folder / f"actor-{actor}.npz")
    assert accuracy(model, trained) == pytest.approx(measured["accuracy"])
    np.testing.assert_array_equal(trained.run.predict(x, f"actor-{actor}"), model.predict(x))
    assert not (trained.folder / "best.json").exists()
    with pytest.raises(ResultsError, match="there are 4 models; name one of actor-0, "):
        trained.run.predict(x)
    with pytest.raises(ResultsError, match="there is no model 'actor-4'"):
        trained.run.predict(x, "actor-4")


def test_pixels_are_scaled_as_in_training(train: Train) -> None:
    trained = train("dataset=digits")
    pixels, labels = load_digits(return_X_y=True)
    model = load_model(trained.folder)
    probabilities = model.predict_proba(pixels.reshape(-1, 8, 8))
    prepared = np.concatenate([trained.data.train.x, trained.data.test.x])
    again = model.predict_proba(prepared, prepared=True)
    np.testing.assert_allclose(np.sort(probabilities, axis=0), np.sort(again, axis=0), atol=1e-6)
    assert (model.predict(pixels) == labels).mean() > 0.2


def test_tables_are_standardised_by_the_training_rows_and_classes_have_their_names(
    train: Train, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    y = np.array(["no", "yes"] * 60)
    x = rng.normal(1e6, 50, (120, 3)) + (y == "yes")[:, None] * 300
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    trained = train("dataset=npz", f"dataset.path={tmp_path}/mine.npz", "rounds=6")
    model = load_model(trained.folder)
    assert model.classes is not None
    assert model.classes.tolist() == ["no", "yes"]
    assert (model.predict(x) == y).mean() > 0.95
    assert model.predict_proba(x.tolist()).shape == (120, 2)


def test_real_targets_come_back_as_they_are(train: Train) -> None:
    trained = train(
        "model=mlp", "model.hidden=[8]", "model.output=identity", "model.loss=mean_squared_error",
        "model.learning_rate=0.01", "dataset.task=regression", "dataset.targets=2",
    )  # fmt: skip
    model, test = load_model(trained.folder), trained.data.test
    squared = np.square(model.predict(test.x) - test.y).mean()
    assert squared == pytest.approx(trained.run.arms[0].loss, rel=1e-4)
    with pytest.raises(InferenceError, match="gives real values, no probabilities"):
        model.predict_proba(test.x)


def test_real_targets_of_any_size_are_learnt_and_predicted_in_their_units(
    train: Train, tmp_path: Path
) -> None:
    x = np.random.default_rng(1).standard_normal((200, 3))
    y = 1000 + 50 * x[:, 0]
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    network = ("model.output=identity", "model.loss=mean_squared_error", "model.learning_rate=0.1")
    trained = train("dataset=npz", f"dataset.path={tmp_path}/mine.npz", *network, "rounds=20")
    with load_model(trained.folder) as model:
        predicted = model.predict(x)[:, 0]
    assert np.sqrt(np.square(predicted - y).mean()) < 15  # of a deviation of 50
    arm = trained.run.arms[0]
    assert arm.loss is not None
    assert arm.rmse is not None
    assert arm.rmse == pytest.approx(np.sqrt(arm.loss) * y.std(), rel=0.2)
    assert arm.rmse < 15


def test_scores_are_not_taken_for_probabilities(train: Train) -> None:
    trained = train("model=paper", "model.hidden=[8]")
    model, x = load_model(trained.folder), trained.data.test.x
    assert accuracy(model, trained) == pytest.approx(trained.run.arms[0].accuracy)
    assert model.outputs(x).shape == (50, 10)
    with pytest.raises(InferenceError, match="gives scores, no probabilities"):
        model.predict_proba(x)


def test_a_library_model_is_served_too(train: Train) -> None:
    trained = train("model=sgd_classifier")
    assert accuracy(load_model(trained.folder), trained) == pytest.approx(trained.run.arms[0].accuracy)


def test_the_bits_do_not_depend_on_the_process_that_computes(
    many: tuple[TrainedRun, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, x = many
    outputs: dict[Any, Any] = {}
    for workers in (1, 2, 3):
        with load_model(trained.folder, workers=workers, batch_size=32) as model:
            outputs[workers] = model.outputs(x)
    monkeypatch.setattr(predictor, "POOL_WORTH", 0.0)  # to the pool, after the first batch
    monkeypatch.setattr(predictor, "usable_cores", lambda: 2)
    monkeypatch.setattr(pool, "BLOCK", 1)  # in blocks as small as can be
    with load_model(trained.folder, batch_size=32) as model:
        outputs["auto"] = model.outputs(x)
        assert model._pool
    for output in outputs.values():
        np.testing.assert_array_equal(output, outputs[1])


def test_outputs_are_those_of_the_model_itself(many: tuple[TrainedRun, Any]) -> None:
    trained, x = many
    with one_thread():
        expected = load_model(trained.folder)._model.predict(x)
    np.testing.assert_array_equal(load_model(trained.folder).outputs(x), expected)


def test_a_worker_that_is_killed_in_the_middle_is_not_noticed(
    train: Train, tmp_path_factory: pytest.TempPathFactory
) -> None:
    marks = tmp_path_factory.mktemp("marks")
    trained = train("model._target_=tests.inference.failing_models.KilledModel", f"+model.marks={marks}")
    x = np.random.default_rng(0).standard_normal((400, 16))
    whole = load_model(trained.folder, workers=1, batch_size=16, trust=True).outputs(x)
    (marks / "mortal").touch()
    with load_model(trained.folder, workers=2, batch_size=16, trust=True) as model:
        np.testing.assert_array_equal(model.outputs(x), whole)
    deaths = list(marks.glob("death-*"))
    assert 3 <= len(deaths) <= 4  # two workers may die at the same time
    assert len({path.name.split("-")[2] for path in deaths}) == len(deaths)


def test_a_model_that_fails_is_told_with_its_traceback_and_can_be_asked_again(train: Train) -> None:
    trained = train("model._target_=tests.inference.failing_models.BrokenModel")
    with load_model(trained.folder, workers=2, batch_size=8, trust=True) as model:
        for _ in range(2):
            with pytest.raises(InferenceError, match="no answer today") as caught:
                model.predict(trained.data.test.x)
        assert "failing_models.py" in caught.value.__notes__[0]
    with pytest.raises(InferenceError, match="the model failed: ArithmeticError: no answer today"):
        load_model(trained.folder, trust=True).predict(trained.data.test.x)
    del caught
    gc.collect()  # an error knows the frames it came through, and they the workers' memory


def test_few_rows_start_no_workers(many: tuple[TrainedRun, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    trained, x = many
    monkeypatch.setattr(predictor, "Pool", lambda *_: pytest.fail("a pool for so little"))
    assert len(load_model(trained.folder).predict(x)) == 500
    assert len(load_model(trained.folder, workers=2).predict(x)) == 500  # one batch
    assert len(load_model(trained.folder, workers=1, batch_size=1).predict(x)) == 500


def test_an_interrupt_leaves_nothing_behind(many: tuple[TrainedRun, Any]) -> None:
    trained, x = many

    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        load_model(trained.folder, workers=2, batch_size=8) as model,
    ):
        model.outputs(x, show=interrupt)


def test_progress_tells_how_many_rows_are_done(many: tuple[TrainedRun, Any]) -> None:
    trained, x = many
    for workers in (1, 2):
        counts: list[int] = []
        with load_model(trained.folder, workers=workers, batch_size=100) as model:
            model.outputs(x, show=counts.append)
        assert counts == [100, 200, 300, 400, 500]


def test_no_rows_have_no_predictions(train: Train) -> None:
    model = load_model(train().folder)
    assert model.predict(np.empty((0, 16))).shape == (0,)
    assert model.predict_proba(np.empty((0, 4, 4))).shape == (0, 10)


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (np.zeros((3, 15)), r"x has shape \[3, 15\], this model takes \[n, 16\] or \[n, 4, 4\]"),
        (np.zeros(16), r"of a single row, hand over x\[None\]"),
        (np.zeros((4, 4)), r"of a single row, hand over x\[None\]"),
        (np.full((3, 16), np.nan), r"x: nan at index \[0, 0\]"),
        (np.full((3, 16), 1e300), "x: row 0 gives .*its features are too large"),
        ([["a"] * 16], "x holds <U1, expected real numbers"),
        ([[None] * 16], "x holds object"),
        (np.zeros((3, 16), complex), "x holds complex128"),
    ],
)
def test_rows_that_do_not_fit_the_model_are_refused(train: Train, x: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        load_model(train().folder).predict(x)


@pytest.mark.parametrize("given", [{"workers": 0}, {"batch_size": 0}])
def test_numbers_of_workers_and_rows_below_one_are_refused(train: Train, given: Any) -> None:
    with pytest.raises(ValueError, match="=0: must be at least 1"):
        load_model(train().folder, **given)


MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], object], Any, str]] = {
    "another architecture": (
        lambda m: m["model"]["config"].update(hidden=[9]),
        InferenceError,
        r"not those of the model described: array 'layer0.weight' has shape \(16, 8\); this model's has",
    ),
    "another input": (lambda m: m["model"].update(inputs=17), InferenceError, "layer0.weight"),
    "no such class": (
        lambda m: m["model"]["config"].update(_target_="nowhere.Net"),
        InferenceError,
        r"cannot be built again \(model\._target_=nowhere\.Net: Error loading .*must be importable here",
    ),
    "no model": (
        lambda m: m["model"].update(config={"_target_": "os.mkdir", "_partial_": True, "path": "exploded"}),
        InferenceError,
        r"os\.mkdir does not take classes, inputs, outputs, rng, as a model does",
    ),
    "a call": (
        lambda m: m["model"].update(config={"_target_": "os.mkdir", "path": "exploded"}),
        InferenceError,
        r"os\.mkdir does not take classes, inputs, outputs, rng, as a model does",
    ),
    "a wrong option": (
        lambda m: m["model"]["config"].update(depth=3),
        InferenceError,
        r"model\.depth: fedlocal\.models\.MLP has no such parameter",
    ),
    "nothing said": (lambda m: m.pop("features"), ResultsError, "does not say what its model is"),
    "a scaling of text": (
        lambda m: m["features"].update(scaling={"shift": "a", "factor": [1]}),
        ResultsError,
        "does not say what its model is",
    ),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_that_names_another_model_is_refused(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    change, error, reason = MANIFESTS[case]
    shutil.copytree(train().folder, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    manifest = json.loads((tmp_path / "run" / "model.json").read_text())
    change(manifest)
    del manifest["sha256"]
    (tmp_path / "run" / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(error, match=reason):
        load_model("run", trust=True)
    assert not (tmp_path / "exploded").exists()


def test_a_run_without_a_folder_predicts_too(train: Train) -> None:
    trained = train()
    outcome = fedlocal.run(trained.config)
    x = trained.data.test.x
    np.testing.assert_array_equal(outcome.predict(x), trained.run.predict(x))


def test_a_run_that_was_resumed_when_it_was_complete_predicts_too(train: Train, tmp_path: Path) -> None:
    trained = train()
    x, folder = trained.data.test.x, Path(shutil.copytree(trained.folder, tmp_path / "run"))
    np.testing.assert_array_equal(fedlocal.resume(folder).predict(x), trained.run.predict(x))
    (folder / "model.json").unlink()
    with pytest.raises(ResultsError, match="does not say what its arrays mean: run it again"):
        fedlocal.resume(folder).predict(x)
