"""However a command is ended: it says so by its code, shows what it has, and leaves nobody behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

SMALL = ["dataset=synthetic", "dataset.train=60", "dataset.test=20", "dataset.shape=[4]", "model.hidden=[4]"]
SMALL += ["actors=2", "rounds=3", "baseline=false", "backend=inline", "display=off"]

WHILE_SHOWING = """
import os, sys
from fedlocal.cli import jobs
from fedlocal.cli.main import main

number = int(sys.argv.pop())
jobs._print_report = lambda place: os.kill(os.getpid(), number)
main()
"""

WITHIN_A_LIBRARY = """
import os, sys
from fedlocal.experiment import summary
from fedlocal.cli.main import main

def draw(*_):
    try:
        os.kill(os.getpid(), number)
    except BaseException as error:
        raise ImportError("initialization failed") from error

summary.draw = draw
number = int(sys.argv.pop())
main()
"""

WITHIN_A_CLIENT = """
import os, sys
from fedlocal.cli.main import main
from fedlocal.models.numpy.mlp import MLP

def train_step(self, x, y):
    os.kill(os.getpid(), number)
    return 1.0

MLP.train_step = train_step
number = int(sys.argv.pop())
main()
"""

FORKED_BY_A_CLIENT = """
import multiprocessing, os, signal, sys
from fedlocal.cli.main import main
from fedlocal.models.numpy.mlp import MLP

context = multiprocessing.get_context("fork")

def train_step(self, x, y):
    child = context.Process(target=signal.pause)
    child.start()
    child.terminate()
    child.join()
    print("child", child.exitcode)
    return 1.0

MLP.train_step = train_step
sys.argv.pop()
main()
"""


def ended(program: str, folder: Path, number: int, *more: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-c", program, *SMALL, *more, f"hydra.run.dir={folder}", str(number)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, cwd=folder.parent)


@pytest.mark.parametrize("sent", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_while_results_are_shown_has_its_code(tmp_path: Path, sent: signal.Signals) -> None:
    done = ended(WHILE_SHOWING, tmp_path / "run", sent)
    assert done.returncode == 128 + sent, done.stderr
    assert done.stdout.count("federated") == 1
    assert "weights " in done.stdout
    assert f"the results so far are in {tmp_path / 'run'}" in done.stderr
    assert "go on with: fedlocal" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_that_a_library_makes_an_error_of_is_still_a_signal(
    tmp_path: Path, sent: signal.Signals
) -> None:
    done = ended(WITHIN_A_LIBRARY, tmp_path / "run", sent)
    assert done.returncode == 128 + sent, done.stderr
    assert done.stdout.count("federated") == 1
    assert "go on with: fedlocal" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["hash"]


def test_a_signal_while_a_client_trains_in_this_process_is_no_error_of_the_client(tmp_path: Path) -> None:
    done = ended(WITHIN_A_CLIENT, tmp_path / "run", signal.SIGTERM, "min_results=1")
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "interrupted"
    assert "SystemExit" not in done.stderr


CHILD = """
import sys, threading
from fedlocal.signals import end_with_parent

end_with_parent()
end_with_parent()
assert sum(thread.name == "end with parent" for thread in threading.enumerate()) == 1
print("ready", flush=True)
threading.Event().wait()
"""

PARENT = """
import subprocess, sys, threading

subprocess.Popen([sys.executable, "-c", sys.argv[1]])
threading.Event().wait()
"""


def test_a_launchers_process_ends_with_the_sweep_that_started_it() -> None:
    line = [sys.executable, "-c", PARENT, CHILD]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        try:
            assert parent.stdout.readline() == "ready\n"
        finally:
            parent.kill()
        assert parent.stdout.read() == ""  # which ends when nobody has the other end any more


def test_the_end_of_a_refused_run_waits_for_no_imports_of_the_process_that_workers_fork_from(
    tmp_path: Path,
) -> None:
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(3600)\n")
    code = (
        "import sys; from fedlocal.cli import main as cli\n"
        "from fedlocal.actors.worker.processes import warm_up\n"
        "cli.warm_up = lambda **_: warm_up(['endless']); sys.argv = ['fedlocal', '+rouns=1']; cli.main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stderr.count("did you mean rounds?")) == (1, 1)


def test_a_process_that_a_client_forks_ends_by_a_signal_as_any_other(tmp_path: Path) -> None:
    done = ended(FORKED_BY_A_CLIENT, tmp_path / "run", signal.SIGTERM, "rounds=1")
    assert done.returncode == 0, done.stderr
    codes = {line for line in done.stdout.splitlines() if line.startswith("child")}
    assert codes == {f"child {-signal.SIGTERM}"}
