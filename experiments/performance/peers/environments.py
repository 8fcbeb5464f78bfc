"""The peers' environments: one each, so that none of them is a dependency of fedlocal or of another."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from experiments.rows import NotMeasuredError

HERE = Path(__file__).parent
PACKAGES = {
    "torch": ["torch"],
    "jax": ["jax"],
    "sklearn": ["scikit-learn"],
    "ray": ["flwr", "ray"],
    "pfl": ["pfl", "torch"],
}
"""What is measured in each environment."""


@cache
def python_of(peer: str, folder: Path | None) -> str:
    """Return the interpreter of a peer's environment; make or complete the environment first.

    ``requirements-<peer>.txt`` is installed in a folder of the peer's name. A NotMeasuredError says
    that there is no folder, or that the peer does not install.
    """
    if folder is None:
        raise NotMeasuredError(f"{peer} needs an environment: give --peers FOLDER")
    home = folder / peer
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        _run(peer, [sys.executable, "-m", "venv", str(home)])
    requirements = HERE / f"requirements-{peer}.txt"
    _run(peer, [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)])
    return str(python)


@cache
def versions_of(peer: str, folder: Path | None) -> str:
    """Return the versions of what is measured there, as a note."""
    program = (
        "import sys, importlib.metadata as m; print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:]))"
    )
    return _run(peer, [python_of(peer, folder), "-c", program, *PACKAGES[peer]]).strip()


def _run(peer: str, command: list[str]) -> str:
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, env={**os.environ, **quiet}, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["no reason given"]
        reason = re.sub(r"\S+://\S+", "the index", errors[-1].removeprefix("ERROR: "))
        raise NotMeasuredError(f"{peer} could not be installed: {reason}")
    return done.stdout
