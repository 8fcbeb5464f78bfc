"""TAB completes groups, options, verbs and folders, in a real shell."""

import os
import select
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from fedlocal.cli.completion import words
from fedlocal.cli.main import VERBS, verb_of

PROGRAM = f"#!{sys.executable}\nfrom fedlocal.cli.main import main\nmain()\n"  # as pip's entry point
HUNG = 300  # seconds; an answer takes a third of one


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run in it, and the command on the path."""
    program = tmp_path / "bin" / "fedlocal"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    run = tmp_path / "outputs" / "2026-11-22" / "08-59"
    run.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "expected", "complete"),
    [
        ("fedlocal ", [*VERBS, "resume="], False),
        ("fedlocal pre", ["predict"], False),
        ("fedlocal actors=8 pre", [], False),
        ("fedlocal partition=", [], False),
        ("fedlocal resume=outp", ["resume=outputs/"], True),
        ("fedlocal predict model=outputs/2026-11-22/", ["model=outputs/2026-11-22/08-59/"], True),
        ("fedlocal simulate b", ["backend=", "bin/"], True),
        ("fedlocal simulate bin backend=", ["backend=actors", "backend=inline"], True),
        ("fedlocal predict nothing", [], True),
        ("fedlocal predict model=x w", ["which=", "workers="], True),
        ("fedlocal predict which=l", ["which=last"], True),
        ("fedlocal report outputs o", ["out=", "outputs/"], True),
        ("fedlocal display=", ["display=auto", "display=plain", "display=off"], True),
        ("fedlocal optimizer_state=k", ["optimizer_state=keep"], True),
        ("fedlocal sweep.baseline=", ["sweep.baseline=once", "sweep.baseline=each"], True),
        ("fedlocal actors=2 baseline=", ["baseline=true", "baseline=false"], True),
        ("fedlocal model=mlp model.activation=t", ["model.activation=tanh"], True),
        ("fedlocal seed=", [], False),
    ],
)
def test_verbs_and_folders_are_completed_beside_hydras_words(
    line: str, expected: list[str], complete: bool, folder: Path
) -> None:
    assert words(line, VERBS, verb_of) == (expected, complete)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("partition=diri", "partition=dirichlet"),
        ("partition=dirichlet partition.alp", "partition=dirichlet partition.alpha="),
        ("-m strategy=fedada", "-m strategy=fedada"),  # fedadagrad, fedadam: a second TAB lists them
        ("batch_s", "batch_size="),
        ("pred", "predict"),
        ("resume=outp", "resume=outputs/"),
        ("predict model=x probab", "predict model=x probabilities="),
        ("predict model=outputs/2026-11-22/0", "predict model=outputs/2026-11-22/08-59/"),
    ],
)
def test_bash_completes_a_typed_word(
    typed: str, completed: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TAB after what is typed; then the line is not run but printed."""
    pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")
    (folder / "rc").write_text('PS1=ready; eval "$(fedlocal -sc install=bash)"')
    parent, child = pty.openpty()
    shell = ["bash", "--noprofile", "--rcfile", "rc", "-i"]
    monkeypatch.setenv("INPUTRC", os.devnull)
    with subprocess.Popen(shell, stdin=child, stdout=child, stderr=child, start_new_session=True) as bash:
        os.close(child)
        _read(parent, b"ready")
        os.write(parent, f"fedlocal {typed}\t\x01echo '\x05' > said; exit\n".encode())
        with suppress(OSError):  # which is how Linux says that nobody is there any more
            _read(parent, b"never said")
        os.close(parent)
        bash.wait(timeout=HUNG)
    assert (folder / "said").read_text().strip() == f"fedlocal {completed}"


def _read(terminal: int, sign: bytes) -> None:
    """Read from a terminal until it says something, or nobody is at its other end."""
    read = b""
    while sign not in read:
        assert select.select([terminal], [], [], HUNG)[0], f"nothing after {read!r}"
        if not (more := os.read(terminal, 4096)):
            break
        read += more
