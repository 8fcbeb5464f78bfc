"""The trials of the study, one after another: arms in turns, those that are in the table already left out."""

import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.faults.arms import FEDLOCAL, Arm, arms, in_words
from experiments.faults.judge import Evidence, audit_of, outcome
from experiments.faults.judge import recoveries as recoveries_of
from experiments.faults.rows import Recovery, Row, append, trials
from experiments.faults.trial import trial
from experiments.faults.twins import Twin, twin_of
from experiments.performance.peers.environments import python_of
from fedlocal.actors.engine.audit import Audit


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Parameters
    ----------
    quick : bool
        Whether to take the short form.
    runs : int
        Trials of each arm.
    seconds : float
        After which no other trial begins.
    peers : Path, optional
        The folder of the peers' environments; without it there is no run on Ray.
    only : str, optional
        One of the systems alone.
    folder : Path
        Where results are written.
    """

    quick: bool
    runs: int
    seconds: float
    peers: Path | None
    only: str | None
    folder: Path


def series(options: Options) -> Iterator[Row]:
    """Make the trials that are not in the table yet, arms in turns; yield each when it is written down."""
    started, done = time.monotonic(), Counter(row.arm for row in trials(options.folder / "results.csv"))
    chosen = arms(quick=options.quick, peers=options.peers is not None)
    chosen = [arm for arm in chosen if options.only in (None, arm.system)]
    twins: dict[tuple[str, str], Twin] = {}
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        for seed, arm in itertools.product(range(options.runs), chosen):
            if seed < done[arm.key] or seed >= (arm.at_most or options.runs):
                continue
            if time.monotonic() - started > options.seconds:
                return
            if arm.training not in twins:
                twin_folder = Path(tempfile.mkdtemp(dir=folder))
                twins[arm.training] = twin_of(arm, _python_of(arm, options.peers), twin_folder)
            with tempfile.TemporaryDirectory(dir=folder) as trial_folder:
                yield one_trial(arm, seed, twins[arm.training], Path(trial_folder), options.folder)


def _python_of(arm: Arm, peers: Path | None) -> str | None:
    if arm.system == FEDLOCAL:
        return None
    return python_of("ray", peers)


def one_trial(arm: Arm, seed: int, twin: Twin, folder: Path, results: Path) -> Row:
    """Make a trial and append it to the tables."""
    evidence = trial(twin.program_of(arm), arm.menace, seed, folder, twin.limit)
    audit = audit_of(evidence) if arm.system == FEDLOCAL else _counted(evidence)
    row = row_of(arm, seed, twin, evidence, audit, folder / "run" / "model.npz")
    append(results / "results.csv", [row])
    if arm.system == FEDLOCAL and evidence.journal:
        recovered = recoveries_of(evidence.journal)
        append(results / "recoveries.csv", [Recovery(*arm.key, seed, *recovery) for recovery in recovered])
    return row


def row_of(arm: Arm, seed: int, twin: Twin, evidence: Evidence, audit: Audit, model: Path) -> Row:
    """Judge a trial and sum it up."""
    judged, said = outcome(evidence, audit, twin.hash), evidence.said.strip().splitlines()
    return Row(
        *arm.key,
        seed=seed,
        outcome=judged,
        seconds=round(evidence.seconds, 2),
        calm=round(twin.seconds, 2),
        tried=evidence.tried.total(),
        faults=in_words(evidence.tried),
        posted=audit.posted,
        replied=audit.replied,
        failed=audit.failed,
        lost=audit.lost,
        duplicated=audit.duplicated,
        unexpected=audit.unexpected,
        retried=audit.retried,
        leaks=in_words(evidence.leaks),
        hash=str(evidence.report.get("hash", "")),
        twin=twin.hash,
        difference=twin.difference(model),
        note=said[-1][:200] if judged in ("failed", "hang") and said else "",
    )


def _counted(evidence: Evidence) -> Audit:
    """Return what Flower's server counted; nothing if it did not come to its end."""
    posted, replied, failed = (int(evidence.report.get(name, 0)) for name in ("posted", "replied", "failed"))
    return Audit(posted=posted, replied=replied, failed=failed, lost=posted - replied - failed)
