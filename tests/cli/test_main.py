"""The command, as a person uses it: in a shell, with nonsense, and with Ctrl-C."""

import itertools
import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fedlocal import History, __version__, compose, run
from fedlocal.actors import usable_cores, warm_up
from fedlocal.cli.main import main, runs_actors
from tests.forking import SHARED

SMALL = [
    "dataset=synthetic",
    "dataset.train=200",
    "dataset.test=50",
    "dataset.shape=[4,4]",
    "model.hidden=[8]",
    "rounds=2",
]
Fedlocal = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def fedlocal(tmp_path: Path) -> Fedlocal:
    def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
        line = [sys.executable, "-m", "fedlocal", *arguments]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)

    return command


def run_folder(parent: Path) -> Path:
    (folder,) = (parent / "outputs").glob("*/*")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="a limit of POSIX systems")
@pytest.mark.parametrize(
    "arguments", [SMALL, ["report", "."], ["simulate", "."]], ids=["run", "report", "simulate"]
)
def test_too_few_open_files_are_one_clear_line(tmp_path: Path, arguments: list[str]) -> None:
    limited = ["sh", "-c", 'ulimit -n 20; exec "$@"', "sh", sys.executable, "-m", "fedlocal", *arguments]
    done = subprocess.run(limited, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    said = "error: at most 20 files may be open at a time (ulimit -n); set 32 or more\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_a_run_ends_with_a_table_and_says_where_its_results_are(fedlocal: Fedlocal, tmp_path: Path) -> None:
    done = fedlocal(*SMALL)
    assert done.returncode == 0, done.stderr
    for word in ("federated", "sequential, 1 thread", "accuracy", "speed-up", "idle", "weights"):
        assert word in done.stdout
    folder = run_folder(tmp_path)
    assert str(folder) in done.stdout
    assert "round 2/2" in done.stderr
    assert {path.name for path in folder.iterdir()} >= {
        "config.yaml",
        "environment.json",
        "learning_curves.png",
        "metrics.csv",
        "model.npz",
        "partition.json",
        "partition.png",
        "report.html",
        "summary.json",
        "timeline.png",
    }
    assert f"report  {folder / 'report.html'}" in done.stdout


def test_no_page_is_written_where_no_report_is_wanted(forked: Fedlocal, tmp_path: Path) -> None:
    done = forked(*SMALL, "baseline=false", "backend=inline", "report=false")
    folder = run_folder(tmp_path)
    assert f"fedlocal report {folder}" in done.stdout
    assert not (folder / "report.html").exists()
    done = forked(f"resume={folder}", "rounds=3")
    assert f"fedlocal report {folder}" in done.stdout
    assert not (folder / "report.html").exists()


def test_help_teaches_by_example(fedlocal: Fedlocal, tmp_path: Path) -> None:
    done = fedlocal("--help")
    assert done.returncode == 0
    for word in (
        "fedlocal -m actors=1,2,4,8 partition=iid,dirichlet",
        "dirichlet, distribution",
        "rounds: 20",
    ):
        assert word in done.stdout
    assert not (tmp_path / "outputs").exists()


def test_help_is_of_the_options_that_are_chosen_and_of_groups_of_ones_own(
    fedlocal: Fedlocal, tmp_path: Path
) -> None:
    (tmp_path / "groups" / "skew").mkdir(parents=True)
    (tmp_path / "groups" / "skew" / "mine.yaml").write_text("_target_: mine.Skew\n")
    done = fedlocal("--config-dir", "groups", "-m", "skew=mine", "-h")
    assert done.returncode == 0, done.stderr
    assert "skew: mine, noise, none, rotation\n" in done.stdout
    assert "skew:\n  _target_: mine.Skew\n" in done.stdout
    assert fedlocal("--help", "skew=mime").stderr.startswith("error: skew=mime: there is no such skew")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
@pytest.mark.parametrize("shown", ["--help", "--cfg job"])
def test_a_reader_of_the_help_may_go_away(tmp_path: Path, shown: str) -> None:
    line = f"{sys.executable} -m fedlocal {shown} | true"
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.stderr == ""


def test_help_loads_no_more_than_it_says(tmp_path: Path) -> None:
    line = [sys.executable, "-X", "importtime", "-m", "fedlocal", "--help"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hydra" in loaded
    assert not loaded & {"numpy", "flwr", "matplotlib", "scipy", "sklearn", "multiprocessing"}


def test_a_report_of_nothing_is_one_clear_line(fedlocal: Fedlocal) -> None:
    done = fedlocal("report", "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: nowhere: there is no such folder\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", True),
        ("actors=8 partition=dirichlet", True),
        ("-m actors=1,2", True),
        ("backend=inline", False),
        ("actors=2 backend.start_method=spawn", False),
        ("--cfg job", False),
        ("-sc install=bash", False),
    ],
)
def test_a_head_start_is_for_runs_on_actors(line: str, expected: bool) -> None:
    assert runs_actors(line.split()) is expected


def _be_the_command(folder: Path, arguments: tuple[str, ...]) -> None:
    os.chdir(folder)
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), stream)
    sys.argv[1:] = arguments
    main()


@pytest.fixture
def forked(tmp_path: Path) -> Fedlocal:
    """The command in a process that need not import anything first, where there are such."""

    def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        warm_up(SHARED)
        process = context.Process(target=_be_the_command, args=(tmp_path, arguments))
        process.start()
        process.join(600)
        assert process.exitcode is not None
        out, err = ((tmp_path / name).read_text() for name in ("out", "err"))
        return subprocess.CompletedProcess(arguments, process.exitcode, out, err)

    return command


@pytest.mark.parametrize(
    ("start", "arguments", "named"),
    [
        ("fedlocal", ["roundz=3"], "roundz"),
        ("fedlocal", ["actors=1000"], "1000"),
        ("forked", ["+actor=8"], "error: actor: there is no such option; did you mean"),
        (
            "forked",
            ["hydra.mode=MULTIRUN", "+actor=1,2"],
            "error: actor: there is no such option; did you mean",
        ),
        (
            "forked",
            ["hydra.mode=MULTIRUN", "model=mlp,mpl"],
            "error: model=mpl: there is no such model; did",
        ),
        ("forked", ["dataset=cats"], "cats"),
        ("forked", ["rounds=many"], "many"),
        ("forked", ["actors=0"], "error: actors=0: must be a number of at least 1, or auto"),
        ("forked", ["partition=dirichlet", "partition.alpha=0"], "alpha"),
        ("forked", ["dataset=npz", "dataset.path=absent.npz"], "absent.npz"),
        ("forked", ["hydra.run.dir=file/run"], "file is not a folder"),
        ("forked", ["client=app", "client.reference=nomod:app"], "could not start: 'nomod:app': there is no"),
        ("forked", ["skew=null"], "error: skew=null: must be the name of an option"),
    ],
)
def test_nonsense_is_one_clear_error(
    request: pytest.FixtureRequest, tmp_path: Path, start: str, arguments: list[str], named: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    small = SMALL if not any("dataset=" in argument for argument in arguments) else []
    done = request.getfixturevalue(start)(*small, *arguments)
    assert done.returncode == 1
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("verb", "reason"),
    [
        ("reprot", "error: reprot: there is no such command; did you mean report?"),
        ("train", "error: train: there is no such command; expected simulate, predict, report, or options"),
    ],
)
def test_an_unknown_command_is_refused_with_the_known_commands(
    forked: Fedlocal, verb: str, reason: str
) -> None:
    done = forked(verb, "outputs")
    assert done.returncode == 1
    assert done.stderr.startswith(reason)


def test_the_version_is_that_of_fedlocal(forked: Fedlocal) -> None:
    assert forked("--version").stdout == f"fedlocal {__version__}\n"


def test_a_failing_client_is_told_with_its_traceback_and_fails_the_run(
    fedlocal: Fedlocal, tmp_path: Path
) -> None:
    few = [*SMALL[:4], "rounds=2", "backend=inline", "baseline=false"]
    done = fedlocal(*few, "strategy=fedprox", "model=sgd_classifier")
    assert done.returncode == 1
    assert "client 0: fedlocal.models.protocol.ModelError" in done.stderr
    assert "Traceback" in done.stderr


def test_a_sweep_ends_with_a_table_and_a_figure_though_one_run_failed(
    fedlocal: Fedlocal, tmp_path: Path
) -> None:
    done = fedlocal("-m", *SMALL, "actors=1,500,2", "baseline=false", "display=off")
    assert done.returncode == 1
    assert "PartitionError" in done.stdout
    assert "0." in done.stdout
    (sweep,) = (tmp_path / "multirun").glob("*/*")
    left = {"0", "1", "2", "comparison.csv", "comparison.md", "comparison.png", "report.html"}
    assert {path.name for path in sweep.iterdir()} >= left
    assert f"report  {sweep / 'report.html'}" in done.stdout
    statuses = [json.loads((sweep / job / "summary.json").read_text())["status"] for job in "012"]
    assert statuses == ["completed", "failed", "completed"]


def test_a_sweep_in_which_all_went_well_is_a_success(fedlocal: Fedlocal) -> None:
    done = fedlocal("-q", "-m", *SMALL, "actors=1,2", "baseline=false", "backend=inline")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # for -q
    assert "accuracy" in done.stdout


@pytest.mark.slow
def test_a_table_that_cannot_be_replaced_is_one_clear_error_and_the_results_are_shown(
    fedlocal: Fedlocal, tmp_path: Path
) -> None:
    (tmp_path / "sweep" / "comparison.csv").mkdir(parents=True)
    done = fedlocal("-q", "-m", *SMALL, "actors=1,2", "baseline=false", "hydra.sweep.dir=sweep")
    assert done.returncode == 1
    assert "error: cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert "accuracy" in done.stdout


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on_with_the_missing_runs(fedlocal: Fedlocal, tmp_path: Path) -> None:
    sweep = ["-m", *SMALL, "actors=1,2,3", "backend=inline"]
    line = [sys.executable, "-m", "fedlocal", *sweep]
    process = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr
        lines = list(itertools.takewhile(lambda text: "(2 of 3)" not in text, process.stderr))
        process.kill()
    assert lines[0] == "run 0 (1 of 3)  actors=1\n"
    (folder,) = (tmp_path / "multirun").glob("*/*")
    first = (folder / "0" / "summary.json").stat().st_mtime_ns
    again = fedlocal(*sweep, "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    assert list((tmp_path / "multirun").glob("*/*")) == [folder]
    assert (folder / "0" / "summary.json").stat().st_mtime_ns == first
    rows = [json.loads((folder / job / "summary.json").read_text()) for job in "012"]
    assert [row["status"] for row in rows] == 3 * ["completed"]
    assert [row["arms"][1]["reused"] for row in rows] == [None, "0", "0"]
    assert "~" in again.stdout
    assert "sweep.resume" not in again.stdout  # is no setting of the runs


@pytest.mark.slow
def test_an_unknown_objective_is_refused_with_the_known_objectives(fedlocal: Fedlocal) -> None:
    done = fedlocal(*SMALL, "baseline=false", "backend=inline", "objective=f1")
    assert done.returncode == 1
    assert "objective=f1: the run has no such metric, only accuracy, loss, seconds, train-loss" in done.stderr


CALLBACK = """
from hydra.experimental.callback import Callback

class PrintObjective(Callback):
    def on_job_end(self, config, job_return, **_):
        print("value", job_return.return_value)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "named"), [("null", "accuracy"), ("train-loss", "train-loss")])
def test_a_sweeper_is_told_the_objective_of_each_run(
    fedlocal: Fedlocal, tmp_path: Path, objective: str, named: str
) -> None:
    (tmp_path / "mine.py").write_text(CALLBACK)
    options = ["actors=2,500", "baseline=false", "backend=inline", f"objective={objective}"]
    done = fedlocal("-m", *SMALL, *options, "+hydra.callbacks.objective._target_=mine.PrintObjective")
    objectives = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("value ")]
    (history,) = map(History.load, (tmp_path / "multirun").glob("*/*/0"))
    assert objectives[0] == history.final(named)
    assert math.isnan(objectives[1])  # it failed


@pytest.mark.extras
@pytest.mark.slow
def test_runs_of_a_sweep_at_the_same_time_share_cores_and_baseline(
    fedlocal: Fedlocal, tmp_path: Path
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="extras: pip install -e '.[joblib]'")
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = fedlocal("-m", *SMALL, "actors=1,2,500,3", "workers=2", *joblib)
    assert done.returncode == 1  # for one that cannot be
    assert "4 runs, 2 at a time, each on " in done.stderr
    assert "run 2 failed: PartitionError: actors=500 cannot share 200 training rows" in done.stdout
    (folder,) = (tmp_path / "multirun").glob("*/*")
    rows = [json.loads((folder / job / "summary.json").read_text()) for job in "0123"]
    assert [row["status"] for row in rows] == ["completed", "completed", "failed", "completed"]
    reused = [row["arms"][1]["reused"] for row in rows if row["arms"]]
    assert len([name for name in reused if name is None]) == 1
    environments = [json.loads((folder / job / "environment.json").read_text()) for job in "013"]
    assert {environment["workers"] for environment in environments} == {min(2, max(1, usable_cores() // 2))}


@pytest.mark.extras
@pytest.mark.slow
def test_optuna_finds_the_best_and_goes_on_after_a_run_that_diverged(
    fedlocal: Fedlocal, tmp_path: Path
) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="extras: pip install -e '.[optuna]'")
    rates = "model.learning_rate=choice(0.1,1e-9,1e30)"
    grid = ["hydra/sweeper/sampler=grid", "hydra.sweeper.n_jobs=1", "hydra.sweeper.study_name=mine"]
    options = ["baseline=false", "backend=inline", "display=off", "report=false"]
    done = fedlocal("-m", *SMALL[:-1], "rounds=3", *options, rates, "hydra/sweeper=optuna", *grid)
    assert done.returncode == 1, done.stderr  # for the one that diverged
    (results,) = (tmp_path / "multirun").glob("*/*/optimization_results.yaml")
    assert OmegaConf.load(results).best_params == {"model.learning_rate": 0.1}
    refused = fedlocal("-m", *SMALL, "objective=accuracy", "hydra/sweeper=optuna")
    assert refused.returncode == 1
    assert "error: objective=accuracy: this sweeper would minimize it" in refused.stderr


INTERRUPTED = pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)  # test_resume does it, too


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("sent", "code"), [INTERRUPTED, (signal.SIGTERM, 143)])
def test_a_run_that_is_interrupted_keeps_its_results(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    line = [sys.executable, "-m", "fedlocal", *SMALL[:-1], "rounds=1000000", "display=off"]
    process = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    _await(
        lambda: any(path.read_text().count("\n") > 20 for path in tmp_path.glob("outputs/*/*/metrics.csv"))
    )
    os.killpg(process.pid, sent)  # as a terminal does: to all
    _, errors = process.communicate(timeout=600)
    assert process.returncode == code
    assert "interrupted; the results so far are in" in errors
    assert "Traceback" not in errors
    folder = run_folder(tmp_path)
    assert json.loads((folder / "summary.json").read_text())["status"] == "interrupted"
    assert len(History.load(folder).rounds) > 1
    assert (folder / "learning_curves.png").exists()


def _await(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # another process's file: nothing to wait on


def test_the_module_of_a_target_may_lie_in_the_current_folder(fedlocal: Fedlocal, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from fedlocal.partitions import Iid\n\n\nclass Mine(Iid): ...\n")
    done = fedlocal(*SMALL, "partition._target_=mine.Mine", "baseline=false", "display=off")
    assert done.returncode == 0, done.stderr


SHADOWING = (
    "random",
    "socket",
    "selectors",
    "typing",
    "json",
    "jinja2",
    "numpy",
    "yaml",
    "sklearn",
    "threadpoolctl",
)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["report", "run"], [*SMALL, "rounds=1", "actors=2", "workers=2"]], ids=str
)
def test_a_module_in_the_current_folder_shadows_no_library(
    fedlocal: Fedlocal, tmp_path: Path, arguments: list[str]
) -> None:
    for name in SHADOWING:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'EXECUTED')!r}, 'a').write({name!r})")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "summary.json").write_text('{"status": "completed"}')
    done = fedlocal(*arguments)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "EXECUTED").exists(), (tmp_path / "EXECUTED").read_text()


def test_a_failed_run_leaves_no_results_of_an_earlier_run(fedlocal: Fedlocal, tmp_path: Path) -> None:
    common = [*SMALL, "baseline=false", "display=off", "backend=inline"]
    (tmp_path / "same").mkdir()
    run(compose(*common), tmp_path / "same")
    assert (tmp_path / "same" / "model.npz").exists()
    (tmp_path / "same" / "mine.npz").touch()
    assert fedlocal(*common, "actors=500", "hydra.run.dir=same", "overwrite=true").returncode == 1
    assert json.loads((tmp_path / "same" / "summary.json").read_text())["status"] == "failed"
    assert not (tmp_path / "same" / "model.npz").exists()
    assert (tmp_path / "same" / "mine.npz").exists()


def test_a_sweep_may_change_the_folder_of_its_jobs(fedlocal: Fedlocal, tmp_path: Path) -> None:
    quick = ["baseline=false", "display=off", "backend=inline"]
    done = fedlocal("-m", *SMALL, "actors=1,2", *quick, "hydra.job.chdir=true")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "multirun").glob("*/*/comparison.csv"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX shell")
def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    line = " ".join(
        [sys.executable, "-m", "fedlocal", *(f"'{word}'" for word in SMALL), "baseline=false", "display=off"]
    )
    shell = ["bash", "-o", "pipefail", "-c", f"{line} | true"]
    done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_the_same_command_gives_the_same_weights(fedlocal: Fedlocal, tmp_path: Path) -> None:
    done = [fedlocal(*SMALL, "baseline=false", f"workers={workers}") for workers in (1, 2)]
    hashes = {process.stdout.split("weights ")[1].split()[0] for process in done}
    assert len(hashes) == 1
