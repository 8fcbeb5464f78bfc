"""Kill, stop and delay the workers of real training runs at random, and judge what becomes of the runs.

``python -m experiments.faults`` appends each trial to ``results.csv`` beside this file as it ends, and
writes ``results.md``, ``environment.json`` and the figure. README.md has the question, the method and the
results.
"""

import argparse
import signal
import sys
from pathlib import Path

from experiments.faults.arms import FEDLOCAL, FLOWER
from experiments.faults.figures import draw
from experiments.faults.rows import Row, as_markdown, recoveries, trials
from experiments.faults.series import Options, series
from fedlocal.results import environment, write_json

HERE = Path(__file__).parent


def options_of(arguments: list[str] | None = None) -> Options:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two trials on small data in a minute, no peers")
    parser.add_argument("--runs", type=int, help="trials of each arm, by default 10")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="then no other trial begins")
    parser.add_argument("--peers", type=Path, help="folder of the peers' environments, made where missing")
    parser.add_argument("--only", choices=(FEDLOCAL, FLOWER), help="one of the systems alone")
    parser.add_argument("--output", type=Path, help="folder of the results; with --quick ./faults-quick")
    given = parser.parse_args(arguments)
    if given.quick and given.peers:
        parser.error("--quick has no peers: leave out --peers")
    if given.runs is not None and given.runs < 1:
        parser.error(f"--runs {given.runs}: give at least 1")
    output = given.output or (Path("faults-quick") if given.quick else HERE)
    peers = given.peers.absolute() if given.peers else None
    runs = given.runs or (1 if given.quick else 10)
    return Options(given.quick, runs, given.seconds, peers, given.only, output.absolute())


def main() -> int:
    options = options_of()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell has ignored after `nohup … &`
    try:
        _make_trials(options)
    except KeyboardInterrupt:
        print("\nended; the same command goes on from here", file=sys.stderr)
        return 130
    return 0 if all(is_as_promised(row) for row in trials(options.folder / "results.csv")) else 1


def _make_trials(options: Options) -> None:
    options.folder.mkdir(parents=True, exist_ok=True)
    write_json(options.folder / "environment.json", environment())
    for row in series(options):
        print(f"{row.system}, {row.training}, {row.menace}, seed {row.seed}: {row.outcome}", end="; ")
        print(f"{row.faults or 'no fault'}; {row.seconds:.0f} s {row.leaks} {row.note}", flush=True)
        write_tables(options.folder)


def is_as_promised(row: Row) -> bool:
    """Tell whether a trial of fedlocal came out as it must; those of others may come out as they like."""
    return row.system != FEDLOCAL or (row.survived and not row.leaks)


def write_tables(folder: Path) -> None:
    """Write the table and the figure of all trials so far."""
    recovered = recoveries(folder / "recoveries.csv")
    table = as_markdown(trials(folder / "results.csv"), recovered)
    (folder / "results.md").write_text(table, encoding="utf-8")
    draw(recovered, folder / "recovery.png")


if __name__ == "__main__":
    sys.exit(main())
