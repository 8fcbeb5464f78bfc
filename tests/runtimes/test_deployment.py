"""A SuperLink and two SuperNodes on loopback, with TLS and node authentication: the bits of local actors."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedlocal import compose, run
from tests.runtimes.certificates import write_certificates, write_node_key

ROOT = Path(__file__).parents[2]
LINE = "actors=2 rounds=2 baseline=false display=off partition=dirichlet model.hidden=[16]"
PATIENCE = 300.0  # seconds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Flower's servers do not run on Windows"),
]


class Deployment:
    """Processes of a federation, their logs, and Flower's own folder, all in one folder.

    Parameters
    ----------
    folder : Path
        Of certificates, keys, logs and results.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {
            **os.environ,
            "FLWR_HOME": str(folder / "flwr"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *command: str, until: str) -> None:
        """Start a server, and wait until its log says that it is there."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        deadline = time.monotonic() + PATIENCE
        while not re.search(until, log.read_text(errors="replace")):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.1)

    def flwr(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run Flower's command; return what it printed."""
        done = subprocess.run(
            ["flwr", *arguments],
            cwd=cwd or self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def close(self) -> None:
        """End what was started, and what that started."""
        for process in reversed(self._processes):
            for number in (signal.SIGTERM, signal.SIGKILL):
                with_group(process.pid, number)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    continue
            with_group(process.pid, signal.SIGKILL)


def with_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """Start a SuperLink that nodes must prove themselves to."""
    write_certificates(tmp_path)
    link = Deployment(tmp_path)
    port = free_port()
    (tmp_path / "flwr").mkdir()
    (tmp_path / "flwr" / "config.toml").write_text(
        f'[superlink.here]\naddress = "127.0.0.1:{port}"\nroot-certificates = "{tmp_path / "ca.crt"}"\n'
    )
    try:
        link.start(
            "superlink",
            *shlex.split(
                "flower-superlink --enable-supernode-auth --disable-runtime-dependency-installation"
            ),
            *shlex.split("--ssl-ca-certfile ca.crt --ssl-certfile server.pem --ssl-keyfile server.key"),
            *shlex.split(f"--host 127.0.0.1 --port {port}"),
            until="Uvicorn running on https://",
        )
        for node in range(2):
            write_node_key(tmp_path / f"node{node}")
            link.flwr("supernode", "register", f"node{node}.pub", "here")
            link.start(
                f"node{node}",
                *shlex.split("flower-supernode --root-certificates ca.crt"),
                *shlex.split(f"--superlink 127.0.0.1:{port} --port {free_port()}"),
                *shlex.split(f"--auth-supernode-private-key node{node}"),
                "--node-config",
                f"partition-id={node} num-partitions=2",
                until="SuperNode ID: ",
            )
        yield link
    finally:
        link.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_flwr_run_on_a_superlink_gives_the_bits_of_local_actors(deployment: Deployment) -> None:
    started = deployment.flwr("run", ".", "here", "--stream", "-c", f"overrides='{LINE}'", cwd=ROOT)
    here = run(compose(*LINE.split(), "backend=inline"))
    assert f"weights {here.hashes['federated']}" in started
    (history,) = deployment.folder.glob("outputs/*/*/metrics.csv")
    assert history.with_name("model.npz").exists()
