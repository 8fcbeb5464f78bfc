"""A training step on one thread against the libraries that people would use instead."""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.performance.peers.environments import python_of, versions_of
from experiments.performance.peers.steps import Case, as_vector
from experiments.performance.programs import Program, ProgramError, module
from experiments.rows import NotMeasuredError, Row, missing, row_of
from experiments.runner import Options
from experiments.turns import Turns, alternate, ratios

ROWS = 2048  # of a pass
TURNS = 30
TOLERANCE = 1e-3  # of the distance that training went; what rounding makes of it is below 1e-5
FEDLOCAL = "fedlocal"


@dataclass(frozen=True)
class Peer:
    """A way to take the step, and the factor by which it shall take longer at a batch of up to 128 rows."""

    name: str
    environment: str
    program: str
    way: str = ""
    factor: float = 1.0

    def bound(self, batch: int) -> float:
        """Return the least ratio that is asked for."""
        return self.factor if batch <= 128 else 1.0


PEERS = (
    Peer("PyTorch, eager", "torch", "step_torch", "eager", factor=1.2),
    Peer("PyTorch, by hand", "torch", "step_torch_by_hand"),
    Peer("PyTorch, torch.compile", "torch", "step_torch", "compiled"),
    Peer("JAX, jit of a pass", "jax", "step_jax", "scan"),
    Peer("JAX, jit of a step", "jax", "step_jax", "step"),
    Peer("scikit-learn", "sklearn", "step_sklearn", factor=1.2),
)


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratio of each peer's time to fedlocal's, at each batch size."""
    interpreters = {}
    for peer in PEERS:
        try:
            interpreters[peer.name] = python_of(peer.environment, options.peers)
        except NotMeasuredError as reason:
            yield missing("step_peers", peer.name, str(reason))
    if interpreters:
        for batch in (32, 64, 128, 256):
            yield from _at(batch, interpreters, options)


def _at(batch: int, interpreters: dict[str, str], options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        arms = [_start(Peer(FEDLOCAL, "", "step_fedlocal"), sys.executable, batch, Path(folder), stack)]
        arms[0].turn()
        peers = [peer for peer in PEERS if peer.name in interpreters]
        for peer in peers:
            arm = _start(peer, interpreters[peer.name], batch, Path(folder), stack)
            try:
                arm.turn()
                _check(arm.name, batch, Path(folder))
            except ProgramError as error:
                yield missing("step_peers", f"batch {batch}, {peer.name}", str(error).splitlines()[-1])
            else:
                arms.append(arm)
        figures = alternate(arms, TURNS)
    for peer in peers:
        if peer.name in figures:
            yield _row(peer, batch, figures, versions_of(peer.environment, options.peers))


def _row(peer: Peer, batch: int, figures: Turns, versions: str) -> Row:
    ours, theirs = (1000 * statistics.median(figures[name]) * batch / ROWS for name in (FEDLOCAL, peer.name))
    note = f"{theirs:.3g} ms a step, fedlocal {ours:.3g}; {versions}"
    turns, bound = ratios(figures, peer.name, FEDLOCAL), peer.bound(batch)
    measured = f"{peer.name} / {FEDLOCAL}"
    return row_of("step_peers", f"batch {batch}", measured, turns, "x", at_least=bound, note=note)


def _start(peer: Peer, python: str, batch: int, folder: Path, stack: ExitStack) -> Program:
    asked = ["--batch", str(batch), "--rows", str(ROWS), "--way", peer.way]
    leave = ["--parameters", str(folder / f"{peer.name}.npy")]
    command = [*module(f"peers.{peer.program}", python), *asked, *leave]
    return stack.enter_context(closing(Program(peer.name, command)))


def _check(name: str, batch: int, folder: Path) -> None:
    """Raise ProgramError if a peer's parameters after a pass are further from fedlocal's than by rounding."""
    ours, theirs = np.load(folder / f"{FEDLOCAL}.npy"), np.load(folder / f"{name}.npy")
    way = np.linalg.norm(ours - as_vector(Case(batch, ROWS).layers()))
    apart = float(np.linalg.norm(theirs - ours) / way)
    if not apart <= TOLERANCE:
        raise ProgramError(f"{name}: its parameters end {apart:.1e} of the way from fedlocal's")
