"""Kill, stop and delay the workers of real training runs at random, and judge what becomes of the runs."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from experiments.faults.arms import ARMS, FEDLOCAL, PEERS, QUICK_ARMS, Arm, in_words
from experiments.faults.figures import draw
from experiments.faults.judge import Evidence, audit_of, outcome
from experiments.faults.judge import recoveries as recoveries_of
from experiments.faults.rows import Recovery, Row, append, as_markdown, recoveries, trials
from experiments.faults.trial import trial
from experiments.faults.twins import Twin, twin_of
from experiments.performance.peers.environments import python_of
from experiments.runner import Options, Study, Task, main
from fedlocal.actors.engine.audit import Audit
from fedlocal.results import environment, write_json


class BrokenPromiseError(RuntimeError):
    """A trial of fedlocal did not come out as it must; those of others may come out as they like."""


@dataclass(frozen=True)
class Faults:
    """A part of the study: training runs of a system in turns, and what happens to them."""

    name: str
    arms: tuple[Arm, ...]
    trials: int

    def tasks(self, options: Options) -> Iterator[Task]:
        """Yield the trials that are not in the table yet; without an environment for it, none on Ray."""
        done = Counter(row.arm for row in trials(options.folder / "results.csv"))
        twins: dict[tuple[str, str], Twin] = {}
        for seed in range(options.trials or self.trials):
            for arm in self.arms:
                there = seed < done[arm.key] or (arm.at_most is not None and seed >= arm.at_most)
                if not there and (arm.system == FEDLOCAL or options.peers):
                    label = f"{arm.name}, {arm.menace.name}"
                    yield Task(label, f"seed {seed}", partial(make_trial, arm, seed, twins, options))

    def records(self, folder: Path) -> list[Row]:
        """Return the trials of the arms' systems."""
        systems = {arm.system for arm in self.arms}
        return [row for row in trials(folder / "results.csv") if row.system in systems]


def make_trial(arm: Arm, seed: int, twins: dict[tuple[str, str], Twin], options: Options) -> None:
    """Make a trial and append it to the tables; an error if fedlocal did not survive, or left something."""
    write_json(options.folder / "environment.json", environment())
    if arm.training not in twins:
        python = None if arm.system == FEDLOCAL else python_of("ray", options.peers)
        twins[arm.training] = twin_of(arm, python, Path(mkdtemp(dir=options.scratch)))
    twin = twins[arm.training]
    with TemporaryDirectory(dir=options.scratch) as folder:
        evidence = trial(twin.program_of(arm), arm.menace, seed, Path(folder), twin.limit)
        audit = audit_of(evidence) if arm.system == FEDLOCAL else _counted(evidence)
        row = row_of(arm, seed, twin, evidence, audit, Path(folder) / "run" / "model.npz")
        append(options.folder / "results.csv", [row])
        if arm.system == FEDLOCAL and evidence.journal:
            recovered = recoveries_of(evidence.journal)
            rows = [Recovery(*arm.key, seed, *recovery) for recovery in recovered]
            append(options.folder / "recoveries.csv", rows)
    faults = row.faults or "no fault"
    print(f"{row.system}, {row.training}, {row.menace}, seed {seed}: {row.outcome}; {faults}", flush=True)
    if row.system == FEDLOCAL and (row.leaks or not row.survived):
        raise BrokenPromiseError(f"{row.outcome}; left behind: {row.leaks or 'nothing'}; {row.note}")


def row_of(arm: Arm, seed: int, twin: Twin, evidence: Evidence, audit: Audit, model: Path) -> Row:
    """Judge a trial and sum it up."""
    judged, said = outcome(evidence, audit, twin.hash), evidence.said.strip().splitlines()
    counts = ("posted", "replied", "failed", "lost", "duplicated", "unexpected", "retried")
    return Row(
        *arm.key,
        seed=seed,
        outcome=judged,
        seconds=round(evidence.seconds, 2),
        calm=round(twin.seconds, 2),
        tried=evidence.tried.total(),
        faults=in_words(evidence.tried),
        **{name: getattr(audit, name) for name in counts},
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


def parts(quick: bool) -> list[Faults]:
    """Return the systems whose workers are hit."""
    of_fedlocal = Faults("fedlocal", QUICK_ARMS if quick else ARMS, 1 if quick else 10)
    return [of_fedlocal] if quick else [of_fedlocal, Faults("ray", PEERS, 10)]


def report(rows: Sequence[Row], folder: Path) -> str:
    """Draw the figure; return the table."""
    recovered = recoveries(folder / "recoveries.csv")
    draw(recovered, folder / "recovery.png")
    return as_markdown(rows, recovered)


STUDY = Study(Path(__file__).parent, parts, report)

if __name__ == "__main__":
    sys.exit(main(STUDY))
