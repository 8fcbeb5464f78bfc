"""``fedlocal predict`` as people use it: with files, test rows, nonsense, and Ctrl-C."""

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedlocal.cli.predict import main
from fedlocal.results import load_arrays
from tests.inference.runs import Train

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_table_of_rows_becomes_a_table_of_predictions(train: Train, capsys: Capture) -> None:
    trained = train("dataset=digits")
    pixels = np.rint(trained.data.test.x * 16).astype(int)
    header = ",".join(f"pixel{at}" for at in range(64))
    np.savetxt("rows.csv", pixels, "%d", ",", header=header, comments="")
    assert main([f"model={trained.folder}", "input=rows.csv", "probabilities=true"]) == 0
    with Path("predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["prediction", *(f"p({digit})" for digit in range(10))]
    assert [int(row["prediction"]) for row in rows] == trained.run.predict(pixels).tolist()
    assert sum(float(rows[0][f"p({digit})"]) for digit in range(10)) == pytest.approx(1, abs=1e-5)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith(f"{len(pixels)} rows in ")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_arrays_become_arrays(train: Train, workers: str) -> None:
    trained = train("scheme=local")
    x = trained.data.test.x
    np.savez("rows.npz", x=x)
    options = ["input=rows.npz", "output=said.npz", f"workers={workers}", "batch_size=16"]
    assert main([f"model={trained.folder}/actor-1.npz", *options]) == 0
    np.testing.assert_array_equal(load_arrays("said.npz")["labels"], trained.run.predict(x, "actor-1"))


@pytest.mark.parametrize("name", ["test", "synthetic"])
def test_the_command_prints_the_accuracy_on_test_rows(train: Train, capsys: Capture, name: str) -> None:
    trained = train()
    assert main([f"model={trained.folder}", f"input={name}"]) == 0
    accuracy = trained.run.arms[0].accuracy
    assert capsys.readouterr().out == f"accuracy {accuracy:.4f} of 50 test rows of synthetic\n"
    assert not list(Path().iterdir())


CHANGED: dict[str, tuple[Any, str]] = {
    "labels": (lambda x, y: (x, 2 - y), "targets, test targets"),
    "order": (lambda x, y: (x[::-1], y[::-1]), "features, targets"),
    "rows": (lambda x, y: (x[:50], y[:50]), "rows, features"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_the_test_rows_of_changed_data_are_refused(
    tmp_path_factory: pytest.TempPathFactory, train: Train, capsys: Capture, case: str
) -> None:
    change, named = CHANGED[case]
    path, rng = tmp_path_factory.mktemp("data") / "mine.npz", np.random.default_rng(0)
    x, y = rng.standard_normal((60, 4)), np.arange(60) % 3
    np.savez(path, x=x, y=y)
    trained = train("dataset=npz", f"dataset.path={path}")
    assert main([f"model={trained.folder}", "input=test"]) == 0
    other = change(x, y)
    np.savez(path, x=other[0], y=other[1])
    capsys.readouterr()
    assert main([f"model={trained.folder}", "input=test"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"has changed since training ({named}" in captured.err
    assert captured.err.count("\n") == 1


def test_the_best_round_is_served_where_it_is_asked_for(train: Train, capsys: Capture) -> None:
    trained = train()
    best = trained.run.histories["federated"].best("accuracy")
    assert main([f"model={trained.folder}", "input=test", "which=best", "output=said.csv"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"accuracy {best:.4f} ")
    assert "note: this round was chosen since it did best on these rows" in captured.err
    assert Path("said.csv").read_text().count("\n") == 51
    assert main([f"model={trained.folder}", "input=test"]) == 0
    assert "chosen" not in capsys.readouterr().err


NONSENSE = [
    ([], "model=FOLDER is missing; fedlocal predict --help"),
    (["model=RUN"], "input=FILE.csv|FILE.npz|test is missing"),
    (["model=RUN", "inputs=x.csv"], "inputs=x.csv: expected model=FOLDER, input=.*did you mean input=…?"),
    (["model=RUN", "x.csv"], "x.csv: expected model=FOLDER"),
    (["model=RUN", "input="], "input=: expected"),
    (["model=RUN", "model=RUN", "input=test"], "model is given twice"),
    (["model=RUN", "input=test", "which=first"], "which=first: must be last or best"),
    (["model=RUN", "input=test", "probabilities=maybe"], "probabilities=maybe: must be true or false"),
    (["model=RUN", "input=test", "workers=0"], "workers=0: must be a number of at least 1"),
    (["model=RUN", "input=test", "workers=many"], "workers=many: must be a number"),
    (["model=RUN", "input=test", "batch_size=-1"], "batch_size=-1: must be a number"),
    (["model=RUN", "input=test", "output=said.txt"], "output=said.txt: must end in .csv or .npz"),
    (["model=RUN", "input=test", "output=no/said.csv"], "output=no/said.csv: its folder does not exist"),
    (["model=nowhere", "input=test"], "nowhere does not exist"),
    (["model=.", "input=test"], "is not the folder of a run"),
    (["model=RUN", "input=absent.csv"], "absent.csv: cannot be read: No such file"),
    (["model=RUN", "input=mnist"], "input=mnist: is neither a file nor the model's own data set"),
    (["model=RUN", "input=few.csv"], "few.csv, line 1: 2 columns, the model takes 16"),
    (["model=RUN", "input=few.npz"], r"x has shape \[3, 2\], this model takes \[n, 16\]"),
]


@pytest.mark.parametrize(("arguments", "reason"), NONSENSE)
def test_nonsense_is_one_clear_error(
    train: Train, capsys: Capture, arguments: list[str], reason: str
) -> None:
    Path("few.csv").write_text("1,2\n")
    np.savez("few.npz", x=np.zeros((3, 2)))
    folder = str(train().folder)
    assert main([argument.replace("RUN", folder) for argument in arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert re.search(reason, err)
    assert sorted(path.name for path in Path().iterdir()) == ["few.csv", "few.npz"]


def test_scores_are_refused_as_probabilities_before_anything_is_written(
    train: Train, capsys: Capture
) -> None:
    trained = train("model=paper", "model.hidden=[8]")
    assert main([f"model={trained.folder}", "input=test", "output=said.csv", "probabilities=true"]) == 1
    assert "gives scores, no probabilities" in capsys.readouterr().err
    assert not Path("said.csv").exists()


def test_columns_that_are_left_out_are_named(train: Train, tmp_path: Path, capsys: Capture) -> None:
    x = np.random.default_rng(0).standard_normal((30, 2))
    np.savez(tmp_path / "mine.npz", x=x, y=(x[:, 0] > 0).astype(int), columns=np.array(["a", "b"]))
    trained = train("dataset=npz", f"dataset.path={tmp_path}/mine.npz")
    Path("rows.csv").write_text("b,c,a\n" + "".join(f"{b},0,{a}\n" for a, b in x.tolist()))
    assert main([f"model={trained.folder}", "input=rows.csv"]) == 0
    assert "the model does not know are left out: c\n" in capsys.readouterr().err
    said = Path("predictions.csv").read_text().split()[1:]
    assert list(map(int, said)) == trained.run.predict(x).tolist()


def test_the_help_needs_no_model(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: fedlocal predict model=FOLDER input=")


def test_predict_is_a_verb_of_the_command(train: Train) -> None:
    line = [sys.executable, "-m", "fedlocal", "predict", f"model={train().folder}", "input=test"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("accuracy ")


SLOW = """
import time
from fedlocal.models import MLP

class Slow(MLP):
    def predict(self, x):
        print("asked", flush=True)
        time.sleep(3600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_ends_the_command_and_its_workers_at_once(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    trained = train("model._target_=mine.Slow")
    options = ["input=test", "workers=2", "batch_size=10", "output=said.csv", "trust=true"]
    line = [sys.executable, "-m", "fedlocal", "predict", f"model={trained.folder}", *options]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline().startswith(b"asked")  # both workers may write at once
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all
        _, errors = process.communicate(timeout=300)  # of the hour that it would sleep
    assert process.returncode == 130
    assert errors == b""
    assert not list(Path().glob("*said*"))


def test_the_command_prints_the_error_on_test_rows_in_the_units_of_real_targets(
    train: Train, tmp_path: Path, capsys: Capture
) -> None:
    x = np.random.default_rng(0).standard_normal((60, 2))
    np.savez(tmp_path / "mine.npz", x=x, y=1000 + 50 * x[:, 0])
    network = ("model.output=identity", "model.loss=mean_squared_error", "model.learning_rate=0.1")
    trained = train("dataset=npz", f"dataset.path={tmp_path}/mine.npz", *network)
    capsys.readouterr()
    assert main([f"model={trained.folder}", "input=test"]) == 0
    rmse = trained.run.arms[0].rmse
    assert rmse is not None
    printed = re.fullmatch(r"mean squared error (\S+) of 12 test rows of mine\n", capsys.readouterr().out)
    assert printed
    assert float(printed[1]) == pytest.approx(rmse**2, rel=0.01)


def test_a_table_that_lacks_values_is_filled_in_as_the_training_rows_were(
    train: Train, tmp_path: Path, capsys: Capture
) -> None:
    people = [f"{20 + at},{('Bonn', '')[at % 9 == 0]},{'ab'[at % 2]}" for at in range(60)]
    Path("people.csv").write_text("\n".join(["age,city,kind", *people]))
    options = ("dataset.target=kind", "dataset.impute=median")
    trained = train("dataset=csv", f"dataset.path={tmp_path}/people.csv", *options)
    for name, text in (("whole", "city,age\nBonn,50\n"), ("lacking", "city,age\n?,50\n")):
        Path(f"{name}.csv").write_text(text)
        arguments = [f"model={trained.folder}", f"input={name}.csv", f"output=said-{name}.csv"]
        assert main([*arguments, "probabilities=true"]) == 0
    assert Path("said-whole.csv").read_text() == Path("said-lacking.csv").read_text()
    capsys.readouterr()
