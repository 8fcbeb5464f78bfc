"""Kill a run whenever you like: it goes on to the same weights, and to the same history."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from omegaconf import OmegaConf, open_dict

import fedlocal
from fedlocal import History, Run, compose, run
from fedlocal.config.schema import ConfigError
from fedlocal.experiment.run_folder import ResumeError, differences
from fedlocal.results import (
    DURATION,
    Checkpoint,
    FolderInUseError,
    FolderUsedError,
    ResultsError,
    locked_folder,
    newest_checkpoint,
    write_yaml,
)
from fedlocal.results.checkpoints import write_checkpoint

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

PATIENCE = 300  # seconds, for a busy machine
ROUNDS = 24
SMALL = [
    "dataset=synthetic",
    "dataset.train=200",
    "dataset.test=50",
    "dataset.shape=[4,4]",
    "model.hidden=[8]",
    "actors=5",
    f"rounds={ROUNDS}",
    "display=off",
    "figures=false",
]
BARE = [*SMALL, "baseline=false"]
INLINE = "backend=inline"
WHILE_WRITING = None
MOMENTUM = ["model.momentum=0.9", "optimizer_state=keep"]


DIES_WRITING = """
import os, signal
from pathlib import Path
from fedlocal.cli.main import main

def take_its_place(temporary, path, really=Path.replace):
    if path.suffix == ".ckpt" and list(path.parent.glob("*.ckpt")):
        os.kill(os.getpid(), signal.SIGKILL)
    return really(temporary, path)

Path.replace = take_its_place
main()
"""


@contextmanager
def started(
    folder: Path, *arguments: str, program: tuple[str, str] = ("-m", "fedlocal")
) -> Iterator["subprocess.Popen[str]"]:
    """Start a run of the command in a process group of its own, and leave nothing of it."""
    line = [sys.executable, *program, *arguments]
    with subprocess.Popen(
        line, cwd=folder.parent, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def await_(happened: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    """Wait for another process's doings: there is nothing to wait on but its files."""
    deadline = time.monotonic() + PATIENCE
    while not happened() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def reached(folder: Path, number: int) -> Callable[[], bool]:
    """Return what tells whether a run has recorded a round."""
    path = folder / "metrics.csv"
    return lambda: path.exists() and f"\n{number}," in path.read_text()


def killed(folder: Path, *arguments: str, when: Callable[[Path], Callable[[], bool]] | None) -> None:
    """Kill a run when something has happened; if None, while it writes a checkpoint that is not its first."""
    program = ("-m", "fedlocal") if when else ("-c", DIES_WRITING)
    for _ in range(5):  # a run may be at its end before this process gets a core to kill it
        with started(folder, *arguments, f"hydra.run.dir={folder}", program=program) as process:
            if when:
                await_(when(folder), process)
                process.kill()
            _, errors = process.communicate(timeout=PATIENCE)
        if process.returncode:
            break
        shutil.rmtree(folder)
    assert process.returncode == -signal.SIGKILL, errors
    assert when or list(folder.rglob("*.ckpt.*.tmp"))


def timeless(history: History) -> list[Any]:
    """Return what a history holds but for the clock."""
    clocks = {"seconds", "started", "worker"}
    return [
        replace(
            round_,
            seconds={},
            work=(),
            actors={
                actor: {name: value for name, value in measured.items() if name not in clocks}
                for actor, measured in round_.actors.items()
            },
        )
        for round_ in history.rounds
    ]


def assert_same(resumed: Run, whole: Run) -> None:
    assert resumed.hashes == whole.hashes
    assert resumed.histories.keys() == whole.histories.keys()
    for name, history in whole.histories.items():
        assert timeless(resumed.histories[name]) == timeless(history)
    assert resumed.folder
    summary = json.loads((resumed.folder / "summary.json").read_text())
    assert (summary["status"], summary["hash"]) == ("completed", next(iter(whole.hashes.values())))
    assert timeless(History.load(resumed.folder)) == timeless(next(iter(whole.histories.values())))


KILLS = {
    "adam": ([*BARE, *MOMENTUM, "strategy=fedadam", "workers=2"], ["workers=3"], lambda f: reached(f, 17)),
    "inline": ([*BARE, "strategy=fedavgm", INLINE], ["backend=actors", "workers=1"], WHILE_WRITING),
}
MORE_KILLS = {
    "baselines": ([*SMALL, *MOMENTUM, INLINE, "checkpoint_every=4"], [], lambda f: reached(f, 11)),
    "local": ([*BARE, "scheme=local", "workers=2"], [INLINE], lambda f: reached(f, 9)),
    "sequential": ([*BARE, *MOMENTUM, "scheme=sequential"], [], WHILE_WRITING),
    "sampled": (
        [*BARE, "workers=2", "strategy.fraction_train=0.5", "strategy.fraction_evaluate=0.6", "skew=noise"],
        ["workers=1"],
        WHILE_WRITING,
    ),
    "yogi": ([*BARE, "strategy=fedyogi", "accumulate=2", "workers=1"], ["workers=3"], WHILE_WRITING),
    "proximal": ([*BARE, "strategy=fedprox", INLINE], [], lambda f: reached(f, 1)),
    "fair": ([*BARE, "strategy=qfedavg", INLINE], ["workers=2", "backend=actors"], lambda f: reached(f, 20)),
    "local momentum": ([*BARE, *MOMENTUM, "scheme=local", INLINE], ["backend=actors"], WHILE_WRITING),
    "never checked": ([*BARE, "checkpoint_every=0", INLINE], [], lambda f: reached(f, 10)),
    "library": (
        [*BARE, "~model.hidden", "model=sgd_classifier", "optimizer_state=keep", INLINE],
        ["backend=actors"],
        lambda f: reached(f, 10),
    ),
    "network": (
        [*BARE, "~model.hidden", "model=mlp_classifier", "optimizer_state=keep", "scheme=sequential"],
        [],
        lambda f: reached(f, 10),
    ),
}


def survives(folder: Path, case: tuple[list[str], list[str], Any]) -> None:
    arguments, changed, when = case
    if any(argument.startswith("model=") for argument in arguments):
        arguments = [word for word in arguments if "model.hidden" not in word]
    killed(folder, *arguments, when=when)
    whole = run(compose(*arguments))
    assert_same(fedlocal.resume(folder, *changed), whole)


@pytest.mark.parametrize("case", KILLS)
def test_a_run_that_is_killed_goes_on_to_the_same_bits(tmp_path: Path, case: str) -> None:
    survives(tmp_path / "run", KILLS[case])


@pytest.mark.slow
def test_a_run_whose_actors_were_chosen_goes_on_with_them_and_without_another_pilot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    killed(folder, *BARE, "actors=auto", "workers=2", when=lambda f: reached(f, 9))
    chosen = OmegaConf.load(folder / "config.yaml").actors
    assert chosen == json.loads((folder / "actors.json").read_text())["actors"]
    monkeypatch.setattr(
        "fedlocal.autotune.choose_actors.choose_actors", lambda *_: pytest.fail("another pilot")
    )
    assert_same(fedlocal.resume(folder, INLINE), run(compose(*BARE, f"actors={chosen}", INLINE)))


@pytest.mark.slow
@pytest.mark.parametrize("case", MORE_KILLS)
def test_every_kind_of_run_that_is_killed_goes_on_to_the_same_bits(tmp_path: Path, case: str) -> None:
    survives(tmp_path / "run", MORE_KILLS[case])


@pytest.mark.slow
def test_a_run_may_be_killed_again_and_again(tmp_path: Path) -> None:
    folder, rng = tmp_path / "run", np.random.default_rng(0)
    arguments = [*SMALL, *MOMENTUM, "strategy=fedadam", "workers=2"]
    killed(folder, *arguments, when=lambda f: reached(f, 3))
    for number in sorted(rng.choice(np.arange(5, ROUNDS - 5), 3, replace=False).tolist()):
        with started(folder, f"resume={folder}", f"workers={rng.integers(1, 4)}") as process:
            await_(reached(folder, number), process)
            process.kill()
    assert_same(fedlocal.resume(folder), run(compose(*arguments)))
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_a_run_that_is_interrupted_says_how_to_go_on(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    folder = tmp_path / "a run"
    long = ["rounds=100", "local_epochs=30"]  # there is time for the signal
    arguments = [*BARE, "workers=2", "checkpoint_every=1000", "figures=true", *long]
    with started(folder, *arguments, f"hydra.run.dir='{folder}'") as process:
        await_(reached(folder, 12), process)
        os.killpg(process.pid, sent)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, errors
    assert f"go on with: fedlocal 'resume={folder}'" in errors
    assert json.loads((folder / "summary.json").read_text())["status"] == "interrupted"
    assert (folder / "learning_curves.png").exists()
    (checkpoint,) = (folder / "checkpoints").iterdir()
    last = History.load(folder).rounds[-1].number
    assert checkpoint.name in (f"round-{last:06}.ckpt", f"round-{last - 1:06}.ckpt")
    with started(folder, f"resume={folder}") as process:
        assert process.communicate(timeout=PATIENCE)[1] == ""
    assert process.returncode == 0
    whole = run(compose(*BARE, INLINE, *long))
    assert json.loads((folder / "summary.json").read_text())["hashes"] == whole.hashes


SLEEPER = """
import time
from fedlocal.models import MLP

class Sleeper(MLP):
    def train_step(self, x, y):
        print("asleep", flush=True)
        time.sleep(3600)
"""


def test_a_second_interrupt_ends_a_run_now(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SLEEPER)
    folder, line = tmp_path / "run", [sys.executable, "-m", "fedlocal", *BARE, "workers=1", "actors=1"]
    target = ["model._target_=mine.Sleeper", f"hydra.run.dir={folder}"]
    with subprocess.Popen(
        [*line, *target], cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"asleep\n"
        deadline = time.monotonic() + PATIENCE  # of the hour that it would sleep
        while process.poll() is None:  # the first one is in time if the next comes after it
            assert time.monotonic() < deadline
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        assert process.returncode == 130
        assert process.stdout.read() == b""  # its workers are gone, too


def test_a_run_that_has_completed_is_not_trained_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    whole = run(compose(*SMALL, INLINE, "rounds=2"), folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = fedlocal.resume(folder)
    assert_same(again, whole)
    assert again.arms == whole.arms
    np.testing.assert_array_equal(
        again.models["model"]["layer0.weight"], whole.models["model"]["layer0.weight"]
    )
    with started(folder, f"resume={folder}", "report=false") as process:
        assert "has completed before" in process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """Return the folder of a run that was killed before it did anything."""
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.yaml").write_text(OmegaConf.to_yaml(compose(*BARE, INLINE)))
    return tmp_path / "begun"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["resume=absent"], "absent does not exist"),
        (["-m", "resume=begun", "workers=1,2"], "goes with no other flags"),
        (
            ["resume=begun", "seed=9"],
            "seed=9 cannot be set, only workers, backend, tracker, display, report, figures, trust, rounds ",
        ),
    ],
)
def test_the_command_refuses_options_that_would_make_another_run(
    unfinished: Path, arguments: list[str], reason: str
) -> None:
    with started(unfinished, *arguments) as process:
        errors = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1
    assert reason in errors
    assert "Traceback" not in errors
    assert {path.name for path in unfinished.iterdir()} <= {"config.yaml", "fedlocal.log"}
    assert not (unfinished.parent / "absent").exists()


@pytest.mark.parametrize(
    ("stored", "asked", "expected"),
    [
        (["actors=8"], ["actors=8", "workers=3", "backend=elastic", "display=off", "sweep.resume=true"], []),
        (["actors=8"], ["actors=2"], ["actors=8 in place of 2"]),
        (["actors=8"], ["actors=auto"], []),  # what a run was to choose itself
        (["scheme=batch_parallel", "actors=3"], ["scheme=batch_parallel", "actors=auto"], []),
        (
            ["model=sgd_classifier"],
            [],
            ["model._target_=fedlocal.models.SklearnModel in place of fedlocal.models.MLP"],
        ),
    ],
)
def test_differences_of_two_configurations_are_listed(
    tmp_path: Path, stored: list[str], asked: list[str], expected: list[str]
) -> None:
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(compose(*stored), resolve=True))
    found_now = differences(tmp_path, compose(*asked))
    assert found_now[: len(expected)] == expected if expected else found_now == []


def test_a_group_that_came_later_had_its_default(tmp_path: Path) -> None:
    old = compose()
    with open_dict(cast(Any, old)):
        del old.attack, old.sweep
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(old, resolve=True))
    assert differences(tmp_path, compose()) == []
    assert differences(tmp_path, compose("attack=sign_flip"))


@pytest.mark.parametrize(
    ("overrides", "error", "reason"),
    [
        (["model=paper", "workers=1"], ResumeError, "model=paper cannot be set"),
        (["+backends.x=1"], ResumeError, "backends.x=1 cannot be set"),
        (["workers=0"], ConfigError, "workers=0: must be a number of at least 1"),
        (["backend.start_method=spawn"], ConfigError, "Inline has no such parameter"),
        (["backend=actors", "backend.start_method=fork"], ConfigError, "start_method=fork: must be one of"),
    ],
)
def test_only_options_of_the_machine_may_change(
    unfinished: Path, overrides: list[str], error: Any, reason: str
) -> None:
    with pytest.raises(error, match=reason):
        fedlocal.resume(unfinished, *overrides)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent", "absent does not exist"),
        ("file", "file is not a folder"),
        ("empty", r"has no config\.yaml"),
        ("sweep", "is the folder of a sweep; fedlocal.resume takes its runs, such as"),
        ("damaged", r"config\.yaml is not the configuration of a run"),
        ("foreign", r"config\.yaml is not the configuration of a run: .*colour"),
    ],
)
def test_a_folder_that_is_not_a_runs_says_what_it_is(tmp_path: Path, name: str, reason: str) -> None:
    for folder in ("empty", "sweep", "damaged", "foreign"):
        (tmp_path / folder).mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "sweep" / "multirun.yaml").touch()
    (tmp_path / "damaged" / "config.yaml").write_text("{")
    (tmp_path / "foreign" / "config.yaml").write_text("colour: red")
    with pytest.raises(ResumeError, match=reason):
        fedlocal.resume(tmp_path / name)


def interrupted(folder: Path, *overrides: str) -> None:
    """Leave a run that ended after some rounds, as a kill would."""
    folder.mkdir()
    run(compose(*BARE, INLINE, "rounds=3", *overrides), folder)
    (folder / "summary.json").unlink()
    config = (folder / "config.yaml").read_text().partition("# sha256")[0]
    write_yaml(folder / "config.yaml", config.replace("rounds: 3", "rounds: 6"))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    interrupted(folder)
    return folder


@pytest.fixture
def half(original: Path, tmp_path: Path) -> Path:
    """Return the folder of a run of 6 rounds that ended after 3 of them."""
    return Path(shutil.copytree(original, tmp_path / "run"))


@pytest.fixture(scope="module")
def whole() -> Run:
    """Return what such a run comes to if nothing ends it."""
    return run(compose(*BARE, INLINE, "rounds=6"))


def test_a_run_goes_on_from_the_last_sound_checkpoint(
    half: Path, whole: Run, caplog: pytest.LogCaptureFixture
) -> None:
    last = half / "checkpoints" / "round-000003.ckpt"
    last.with_name("round-000004.ckpt").write_bytes(last.read_bytes()[:-1])
    assert_same(fedlocal.resume(half), whole)
    assert "round-000004.ckpt is refused: it is damaged" in caplog.text


def test_a_run_without_a_sound_checkpoint_says_so(half: Path) -> None:
    for path in (half / "checkpoints").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ResultsError, match=r"no checkpoint can be used(?s:.*)3\.ckpt: it is empty"):
        fedlocal.resume(half)


def test_a_run_without_any_checkpoint_starts_anew(
    tmp_path: Path, whole: Run, caplog: pytest.LogCaptureFixture
) -> None:
    interrupted(tmp_path / "run", "checkpoint_every=null")
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert_same(fedlocal.resume(tmp_path / "run"), whole)
    assert "has no checkpoint: the run starts anew" in caplog.text


def test_a_run_whose_rows_are_lost_ends_with_the_same_weights(
    half: Path, whole: Run, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("metrics.csv", ".metrics.csv.copy"):
        (half / name).unlink()
    resumed = fedlocal.resume(half)
    assert resumed.hashes == whole.hashes
    assert [round_.number for round_ in resumed.histories["federated"].rounds] == [4, 5, 6]
    assert "the rounds up to 3 are lost" in caplog.text


def test_a_new_run_leaves_no_checkpoints_of_an_earlier_run(half: Path) -> None:
    before = {path: path.read_bytes() for path in half.rglob("*") if path.is_file()}
    with pytest.raises(FolderUsedError, match=r"holds a run already: overwrite=true .*resume="):
        run(compose(*BARE, INLINE, "rounds=1"), half)
    assert {path: path.read_bytes() for path in before} == before
    run(compose(*BARE, INLINE, "rounds=1", "overwrite=true"), half)
    assert [path.name for path in (half / "checkpoints").iterdir()] == ["round-000001.ckpt"]
    assert len(fedlocal.resume(half).histories["federated"].rounds) == 2


FOREIGN = "from flwr.serverapp.strategy import FedAvg\n\nclass Mine(FedAvg): ...\n"


def test_a_strategy_whose_state_is_not_declared_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "foreign.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(tmp_path)
    interrupted(tmp_path / "run", "strategy._target_=foreign.Mine")
    assert "no checkpoints are written" in caplog.text
    assert not (tmp_path / "run" / "checkpoints").exists()
    with pytest.raises(ResumeError, match=r"the state of strategy foreign\.Mine is not declared"):
        fedlocal.resume(tmp_path / "run", trust=True)


def test_a_folder_in_use_is_left_alone(half: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with locked_folder(half):
        with pytest.raises(FolderInUseError):
            fedlocal.resume(half)
        with pytest.raises(FolderInUseError):
            run(compose(*BARE, INLINE), half)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_the_summary_has_the_overrides_of_both_commands_and_hydras_notes_stay(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    killed(folder, *BARE, INLINE, when=lambda f: reached(f, 5))
    notes = {path: path.read_bytes() for path in (folder / ".hydra").iterdir()}
    config = (folder / "config.yaml").read_bytes()
    with started(folder, f"resume={folder}", "workers=1") as process:
        assert process.communicate(timeout=PATIENCE)[1] == ""
    assert {path: path.read_bytes() for path in (folder / ".hydra").iterdir()} == notes
    assert (folder / "config.yaml").read_bytes() == config
    overrides = json.loads((folder / "summary.json").read_text())["overrides"]
    assert overrides == [*BARE, INLINE, "workers=1"]


@pytest.mark.slow
def test_a_folder_that_is_deleted_meanwhile_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = [*BARE, INLINE, "rounds=600", "figures=true"]  # it is not to end before it is noticed
    with started(folder, *arguments, f"hydra.run.dir={folder}") as process:
        await_(reached(folder, 8), process)
        folder.rename(tmp_path / "elsewhere")
        errors = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, errors
    whole = run(compose(*arguments))
    assert_same(fedlocal.resume(folder), whole)
    assert timeless(History.load(folder)) == timeless(whole.histories["federated"])
    assert (folder / "learning_curves.png").exists()


@pytest.mark.slow
def test_a_full_disk_is_reported_once_and_leaves_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = [
        *BARE,
        INLINE,
        "rounds=60",
        "strategy=fedadam",
        "model.hidden=[100]",
    ]  # ckpt 60 kB, model 11 kB
    killed(folder, *arguments, when=lambda f: reached(f, 12))
    sound = {path.name: path.read_bytes() for path in folder.glob("checkpoints/*.ckpt")}
    limited = 'ulimit -f 32; exec "$0" "$@"'
    line = ["bash", "-c", limited, sys.executable, "-m", "fedlocal", f"resume={folder}"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert done.stderr.count("no checkpoint of round") == 1
    assert done.stderr.count("no more rows are written") == 1
    assert "error: cannot write" in done.stderr
    assert {name: (folder / "checkpoints" / name).read_bytes() for name in sound} == sound
    assert_same(fedlocal.resume(folder), run(compose(*arguments)))


def new_data(path: Path, rows: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    np.savez(path, x=rng.standard_normal((rows, 4)).astype(np.float32), y=np.arange(rows) % 3)


@pytest.mark.parametrize("checkpoints", ["checkpoint_every=1", "checkpoint_every=0"])
def test_a_run_whose_data_were_replaced_does_not_go_on(tmp_path: Path, checkpoints: str) -> None:
    new_data(tmp_path / "mine.npz", 60)
    mine = ["dataset=npz", f"dataset.path={tmp_path / 'mine.npz'}", "model.hidden=[4]", "actors=2"]
    (tmp_path / "run").mkdir()
    first = run(
        compose(*mine, INLINE, "rounds=2", "baseline=false", "display=off", checkpoints), tmp_path / "run"
    )
    (tmp_path / "run" / "summary.json").unlink()
    new_data(tmp_path / "mine.npz", 90)
    files = {path: path.read_bytes() for path in (tmp_path / "run").glob("[!.]*.*")}
    with pytest.raises(
        ResumeError, match=r"data have changed .*rows, features.*\[48, 12\] rows then, \[72, 18\]"
    ):
        fedlocal.resume(tmp_path / "run")
    assert {path: path.read_bytes() for path in files} == files
    (tmp_path / "run" / "data.json").unlink()
    if checkpoints == "checkpoint_every=1":
        with pytest.raises(ResultsError, match="of another run: its data is"):
            fedlocal.resume(tmp_path / "run")
    new_data(tmp_path / "mine.npz", 60)
    assert fedlocal.resume(tmp_path / "run").hashes == first.hashes


def test_the_duration_is_the_whole_runs(half: Path) -> None:
    before = newest_checkpoint(half, {})
    assert before
    assert float(before.arrays[DURATION]) > 0
    write_checkpoint(half, Checkpoint(3, {**before.arrays, DURATION: np.array(1e6)}), {})
    fedlocal.resume(half)
    assert 1e6 < json.loads((half / "summary.json").read_text())["duration"] < 1e6 + 1000


def test_a_folder_of_checkpoints_that_cannot_be_read_is_an_error(half: Path) -> None:
    (half / "checkpoints").rename(half / "elsewhere")
    (half / "checkpoints").touch()
    with pytest.raises(ResultsError, match=r"cannot read .*checkpoints: Not a directory"):
        fedlocal.resume(half)


def test_a_flipped_bit_in_the_rows_is_found_kept_and_mended(
    half: Path, whole: Run, caplog: pytest.LogCaptureFixture
) -> None:
    content = (half / "metrics.csv").read_bytes()
    at = content.index(b"\n2,") + 1
    (half / "metrics.csv").write_bytes(content[:at] + b"3" + content[at + 1 :])
    assert_same(fedlocal.resume(half), whole)
    assert "kept as metrics.csv.damaged" in caplog.text
    assert (half / "metrics.csv.damaged").exists()


@pytest.mark.parametrize(
    "damage", [(b"seed: 0", b"seed: 1"), (b"rounds: 6", b"rounds: 7"), (b"# sha256", b"\xa3 sha256")]
)
def test_a_flipped_bit_in_the_configuration_is_found(half: Path, damage: tuple[bytes, bytes]) -> None:
    content = (half / "config.yaml").read_bytes()
    assert damage[0] in content
    (half / "config.yaml").write_bytes(content.replace(*damage))
    with pytest.raises(ResumeError, match=r"config\.yaml is not the configuration of a run: .* is damaged"):
        fedlocal.resume(half)


@pytest.mark.parametrize(
    "more", [[], ["availability=dropout"], [*MOMENTUM, "strategy=fedadam", "baseline=true"]]
)
def test_a_run_that_has_completed_is_trained_on_to_the_bits_of_a_longer_run(
    tmp_path: Path, more: list[str]
) -> None:
    (tmp_path / "run").mkdir()
    run(compose(*BARE, INLINE, *more, "rounds=3"), tmp_path / "run")
    resumed = fedlocal.resume(tmp_path / "run", "rounds=6")
    assert_same(resumed, run(compose(*BARE, INLINE, *more, "rounds=6")))
    assert OmegaConf.load(tmp_path / "run" / "config.yaml").rounds == 6
    assert fedlocal.resume(tmp_path / "run").hashes == resumed.hashes
    with pytest.raises(ResumeError, match=r"rounds=4: the run in .* has done 6 already"):
        fedlocal.resume(tmp_path / "run", "rounds=4")
    assert fedlocal.resume(tmp_path / "run").hashes == resumed.hashes


def test_a_run_without_checkpoints_that_has_completed_is_not_lost_for_more_rounds(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    done = run(compose(*BARE, INLINE, "rounds=2", "checkpoint_every=0"), tmp_path / "run")
    with pytest.raises(ResumeError, match="without a checkpoint to go on from"):
        fedlocal.resume(tmp_path / "run", "rounds=4")
    assert fedlocal.resume(tmp_path / "run").hashes == done.hashes


def test_temporary_files_of_a_killed_run_are_cleared_when_it_goes_on(half: Path) -> None:
    for name in (".partition.png.12ab.tmp", "checkpoints/.round-000004.ckpt.12ab.tmp"):
        (half / name).touch()
    fedlocal.resume(half)
    assert not list(half.rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a\\b", "c\\", "d${seed}e", "f\\'g"])
def test_a_folder_of_any_name_is_gone_on_with_by_the_command(half: Path, whole: Run, name: str) -> None:
    folder = half.rename(half.with_name(name))
    with started(folder, f"resume={folder}") as process:
        assert process.communicate(timeout=120)[1] == ""
    assert process.returncode == 0
    assert json.loads((folder / "summary.json").read_text())["hashes"] == whole.hashes
    assert {path.name for path in folder.parent.iterdir()} == {name}
