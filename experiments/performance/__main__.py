"""Measure fedlocal against the limits of the machine and against its peers.

``python -m experiments.performance`` writes ``results.csv``, ``results.md``, ``environment.json`` and
the figures beside this file. README.md has the question, the sections and the results.
"""

import argparse
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from experiments.performance.figures import draw
from experiments.performance.rows import Table, as_line, missing
from experiments.performance.sections import Options, Section
from fedlocal.actors import usable_cores
from fedlocal.results import environment, write_json

SECTIONS = (
    "step",
    "step_peers",
    "overhead",
    "speed_up",
    "skewed",
    "flower_ray",
    "whole_apps",
    "pfl_research",
    "logistic",
    "tiny",
    "thousand",
    "registered",
    "mean",
    "memory",
    "startup",
)
QUICK = ("step", "overhead", "speed_up", "mean", "thousand")


def options_of(arguments: list[str] | None = None) -> tuple[Options, list[str]]:
    """Parse the command line; return the options and the names of the sections to measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under two minutes, no peers")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--peers", type=Path, help="folder of the peers' environments, made where missing")
    parser.add_argument("--output", type=Path, help="folder of the results; with --quick ./performance-quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=usable_cores(), help="the most, for the scaling curve")
    given = parser.parse_args(arguments)
    if given.quick and given.peers:
        parser.error("--quick measures no peers: leave out --peers")
    output = given.output or (Path("performance-quick") if given.quick else Path(__file__).parent)
    peers = given.peers.absolute() if given.peers else None
    options = Options(given.quick, peers, given.seed, output.absolute(), given.workers)
    return options, given.only or list(QUICK if given.quick else SECTIONS)


def main() -> int:
    options, names = options_of()
    options.folder.mkdir(parents=True, exist_ok=True)
    write_json(options.folder / "environment.json", environment())
    table = Table(options.folder, SECTIONS)
    failed = [name for name in names if not measured(name, options, table)]
    draw(table.rows, options.folder)
    return 1 if failed else 0


def measured(name: str, options: Options, table: Table) -> bool:
    """Measure a section; if it fails, the table says so and the others go on."""
    started = time.perf_counter()
    try:
        section: Section = import_module(f"experiments.performance.sections.{name}")
        for row in section.measure(options):
            table.add(row)
            print(as_line(row), flush=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is one section's
        traceback.print_exc()
        table.add(missing(name, "", f"{type(error).__name__}: {error}".splitlines()[0]))
        return False
    print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
