"""A model is read back with what its manifest says, or refused with the reason."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fedlocal.results import ResultsError, load_saved, save_models, weights_hash

ARRAYS: dict[str, NDArray[Any]] = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(2)}
ABOUT = {"dataset": "mine", "classes": ["a", "b"]}
METRICS = {"accuracy": 0.5, "loss": float("nan")}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    save_models(tmp_path, "last", {"model": ARRAYS}, ABOUT, 7, METRICS)
    save_models(tmp_path, "best", {"model": ARRAYS}, ABOUT, 5, METRICS)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "which", "number"),
    [
        ("", "last", 7),
        ("", "best", 5),
        ("model.json", "best", 7),
        ("best.json", "last", 5),
        ("model.npz", "last", 7),
        ("best-5.npz", "last", 5),
    ],
)
def test_a_saved_model_is_loaded_as_it_was(run: Path, name: str, which: Any, number: int) -> None:
    saved = load_saved(run / name, which)
    assert weights_hash(saved.arrays) == weights_hash(ARRAYS)
    assert saved.manifest["round"] == number
    assert saved.manifest["metrics"] == {"accuracy": 0.5, "loss": "nan"}
    assert {key: saved.manifest[key] for key in ABOUT} == ABOUT
    assert saved.path == run / saved.manifest["models"]["model"]["file"]


def test_only_the_last_of_the_best_models_is_kept(run: Path) -> None:
    save_models(run, "best", {"model": ARRAYS}, ABOUT, 12, METRICS)
    assert sorted(path.name for path in run.iterdir()) == [
        "best-12.npz",
        "best.json",
        "model.json",
        "model.npz",
    ]
    assert load_saved(run, "best").manifest["round"] == 12


@pytest.mark.parametrize("dies_at", ["write_json", "save_arrays"])
def test_a_run_that_is_killed_between_two_files_leaves_the_best_before(
    run: Path, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"fedlocal.results.model_files.{dies_at}", die)
    with pytest.raises(KeyboardInterrupt):
        save_models(run, "best", {"model": {"w": np.ones(3)}}, ABOUT, 12, METRICS)
    saved = load_saved(run, "best")
    assert saved.manifest["round"] == 5
    assert weights_hash(saved.arrays) == weights_hash(ARRAYS)


def test_a_model_must_be_named_where_there_are_several(tmp_path: Path) -> None:
    models = {f"actor-{at}": {"w": np.full(2, at, np.float32)} for at in range(3)}
    save_models(tmp_path, "last", models, ABOUT, 7, {})
    with pytest.raises(
        ResultsError, match=r"names 3 models, one for each actor; give one, as .*actor-0\.npz"
    ):
        load_saved(tmp_path)
    assert load_saved(tmp_path / "actor-2.npz").arrays["w"].tolist() == [2, 2]


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        manifest = json.loads((run / "model.json").read_text())
        change(manifest)
        manifest.pop("sha256")  # somebody did this on purpose
        (run / "model.json").write_text(json.dumps(manifest))

    return damage


def entry(**values: Any) -> Callable[[Path], None]:
    return changed(lambda manifest: manifest["models"]["model"].update(values))


def written(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda run: (run / name).write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no arrays": (lambda run: (run / "model.npz").unlink(), r"model\.npz is missing: .*model\.json names it"),
    "other arrays": (written("model.npz", b"PK"), r"model\.npz is damaged or of another run: its SHA-256"),
    "no JSON": (written("model.json", b"{"), r"model\.json is damaged"),
    "a list": (written("model.json", b"[1]"), "is not the manifest of a model"),
    "somebody's JSON": (written("model.json", b'{"a": 1}'), "is not the manifest of a model"),
    "another version": (changed(lambda m: m.update(version=2)), "format version 2; this fedlocal reads 1"),
    "no models": (changed(lambda m: m.pop("models")), "names no model"),
    "no hash": (changed(lambda m: m["models"]["model"].pop("hash")), r"is damaged \(KeyError: 'hash'\)"),
    "another hash": (entry(hash="0" * 64), r"model\.json was changed: its hash, names, dtypes or shapes"),
    "another file's hash": (entry(sha256="0" * 64), "is damaged or of another run"),
    "another shape": (entry(arrays=[["w", "<f4", [3, 2]], ["b", "<f8", [2]]]), "was changed"),
    "another file": (entry(file="other.npz"), r"other\.npz is missing"),
    "a file elsewhere": (entry(file="../../etc/passwd"), r"passwd is missing"),
    "no file name": (entry(file=3), "is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(run: Path, damage: str) -> None:
    change, reason = DAMAGES[damage]
    change(run)
    with pytest.raises(ResultsError, match=reason):
        load_saved(run)
    assert load_saved(run, "best").manifest["round"] == 5


def test_no_flipped_bit_of_the_arrays_goes_unseen(run: Path) -> None:
    whole = (run / "model.npz").read_bytes()
    for at in range(0, len(whole), 5):
        (run / "model.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with pytest.raises(ResultsError, match="is damaged or of another run"):
            load_saved(run)


@pytest.mark.parametrize(
    ("files", "which", "reason"),
    [
        ([], "last", r"is not the folder of a run: it has no model\.json"),
        (["config.yaml"], "last", "its run has saved no model yet"),
        (["config.yaml", "model.npz"], "last", "an earlier fedlocal wrote it; run it again"),
        (["config.yaml", "actor-0.npz"], "last", "an earlier fedlocal wrote it; run it again"),
        (["config.yaml", "best.json"], "last", "its run has not ended; which=best takes its best round"),
        (["config.yaml", "model.json"], "best", "no round is the best of them all"),
    ],
)
def test_a_folder_without_a_manifest_says_what_it_is(
    tmp_path: Path, files: list[str], which: Any, reason: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(ResultsError, match=reason):
        load_saved(tmp_path, which)


def test_arrays_that_no_manifest_names_are_refused(run: Path) -> None:
    (run / "mine.npz").write_bytes((run / "model.npz").read_bytes())
    with pytest.raises(ResultsError, match=r"mine\.npz has no manifest: no model\.json or best\.json"):
        load_saved(run / "mine.npz")
    with pytest.raises(ResultsError, match=re.escape(f"{run / 'absent'} does not exist")):
        load_saved(run / "absent")
