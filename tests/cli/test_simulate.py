"""``fedlocal simulate PATH`` as people use it: in a shell, in an empty folder, with nonsense."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fedlocal.cli.simulate import main
from fedlocal.results import read_run

QUICK = Path(__file__).parents[1] / "simulation" / "quick"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an app."""
    return Path(shutil.copytree(QUICK, tmp_path_factory.mktemp("apps") / "quick"))


def shell(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fedlocal", "simulate", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_an_app_runs_from_its_folder_and_each_client_prints_under_its_name(app: Path, tmp_path: Path) -> None:
    done = shell(tmp_path, str(app), "run_config=num-server-rounds=1 model.name='a b'", "workers=2")
    assert done.returncode == 0, done.stderr
    out = done.stdout.splitlines()
    clients = [line for line in out if line.startswith("client ")]
    assert sorted(clients) == [
        f"client {partition}: {what}"
        for partition in range(3)
        for what in (f"logged by {partition}", "trained a b")
    ]
    said, *rounds = done.stderr.splitlines()
    assert said.startswith("3 clients: num-supernodes of [tool.flwr.federations.local] in ")
    assert [line.startswith("round 1  train 3  evaluate 3  ") for line in rounds] == [True]
    assert any(line.split()[:1] == ["client-accuracy"] for line in out)
    folder = tmp_path / out[-1].removeprefix("results ")
    assert folder.parts[-3] == "outputs"
    assert (folder / "timeline.png").exists()
    assert (read_run(folder).hash or "")[:16] == out[-3].removeprefix("fingerprint ")
    hashed = json.loads((folder / "summary.json").read_text())["arrays_hash"]
    assert hashed[:16] == out[-2].removeprefix("final arrays ")


@pytest.mark.slow
def test_a_client_that_fails_makes_the_exit_code_1(app: Path, tmp_path: Path) -> None:
    done = shell(tmp_path, str(app), "run_config=fails=2", "folder=here", "-q")
    assert done.returncode == 1
    assert "round 1  train" not in done.stderr  # for -q
    assert (
        "2 messages ended in an error, the first in round 1: client 2: RuntimeError: this client"
        in done.stdout
    )
    assert read_run(tmp_path / "here").status == "completed"


@pytest.mark.slow
def test_a_server_that_fails_makes_the_exit_code_1_and_shows_its_traceback(app: Path, tmp_path: Path) -> None:
    done = shell(tmp_path, str(app), "run_config=fraction='none'", "folder=here")
    assert done.returncode == 1
    assert "quick_app/server.py" in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "error: the server app of quick failed; the results so far are in here"
    )
    assert read_run(tmp_path / "here").status == "failed"


@pytest.mark.parametrize("backend", ["actors", "inline"])
@pytest.mark.parametrize(
    ("part", "line", "reason"),
    [
        ("client", "import no_such_library", "No module named 'no_such_library'"),
        ("client", "raise SystemExit(4)", "exit"),
        ("client", "def __getattr__(name): raise AttributeError(name)", "quick_app.client has no 'app'"),
        ("server", "1 / 0", "division by zero"),
    ],
)
def test_an_app_that_cannot_be_loaded_makes_the_exit_code_2_on_every_backend(
    tmp_path: Path, backend: str, part: str, line: str, reason: str
) -> None:
    app = Path(shutil.copytree(QUICK, tmp_path / "app"))
    (app / "quick_app" / f"{part}.py").write_text(f"{line}\n")
    done = shell(tmp_path, "app", f"backend={backend}", "workers=1", "folder=here")
    assert done.returncode == 2
    assert reason in done.stderr
    assert "the server app of quick failed" not in done.stderr
    assert read_run(tmp_path / "here").status == "failed"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "nowhere/pyproject.toml cannot be read"),
        (["run_config=lr=1"], "has no 'lr'; keys: num-server-rounds, fraction, fails, model.name"),
        (["run_config=fails"], "run_config='fails' is not understood"),
        (["run_config=there.toml"], "is not understood"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(
    app: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments if arguments[0] == "nowhere" else [str(app), *arguments]) == 2
    assert reason in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("workers=0", "workers=0: must be a number of at least 1 or auto"),
        ("workers=x", "workers=x: must be a number of at least 1 or auto"),
        ("seed=-1", "seed=-1: must be a number of at least 0"),
        ("backend=ray", "backend=ray: must be actors or inline"),
        ("nodes=3", "nodes=3: expected PATH, run_config='KEY=VALUE …', num_supernodes=…"),
        ("sede=3", "did you mean seed=…?"),
        ("--seed", "--seed: expected PATH, .*; write seed=…"),
        ("--num-supernodes=3", "; write num_supernodes=…"),
        ("--run-config", "; write run_config=…"),
        ("-c", "-c: expected PATH, run_config='KEY=VALUE …', .*; write run_config=…"),
        ("num_supernodes=x", "num_supernodes=x: must be a number of at least 1"),
        ("num_supernodes=0", "num_supernodes=0: must be a number of at least 1"),
    ],
)
def test_options_that_there_are_not_are_refused(
    app: Path, option: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(app), option]) == 2
    assert re.search(reason, capsys.readouterr().err)


def test_a_run_without_messages_says_so_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "foreign.py").write_text(
        "from flwr.clientapp import ClientApp\nfrom flwr.serverapp import ServerApp\n"
        "client, server = ClientApp(), ServerApp()\nserver.main()(lambda grid, context: None)\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        "[tool.flwr.app.components]\nserverapp = 'foreign:server'\nclientapp = 'foreign:client'\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    assert main([str(tmp_path), "backend=inline"]) == 0
    out = capsys.readouterr().out
    assert "None" not in out
    assert "no message was sent" in out
