"""Compare this checkout with an earlier one: the same sections of the benchmark, in turns.

After ``git worktree add ../before COMMIT``, ``python -m experiments.performance.versus ../before`` prints for
each row of the benchmark's quick form the median of both, and the median of the ratios of neighbouring turns:
drift of the machine hits both alike.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

HERE = Path(__file__).parents[2]
MODULE, OLDER = "experiments.performance", "experiments/performance/measure.py"

Figures = dict[tuple[str, str], float]  # median by setting and measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout of the earlier commit")
    parser.add_argument("--only", nargs="+", default=["overhead"], metavar="SECTION")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    if not (options.before / "experiments").is_dir():
        parser.error(f"{options.before} is no checkout with experiments/")
    turns = [
        (_measured(options.before.absolute(), options.only), _measured(HERE, options.only))
        for _ in range(options.turns)
    ]
    print("| setting | before | after | after / before (least to most) |\n|---|---|---|---|")
    for setting, pairs in _by_setting(turns).items():
        ratios = sorted(after / before for before, after in pairs)
        both = " | ".join(f"{median(side):.3f}" for side in zip(*pairs, strict=True))
        print(f"| {setting} | {both} | {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) |")


def _measured(checkout: Path, sections: list[str]) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        older = (checkout / OLDER).is_file()
        program = [OLDER, "--output", folder] if older else ["-m", MODULE, "--folder", folder]
        command: list[str] = [sys.executable, *program, "--quick", "--only", *sections]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL)
        with (Path(folder) / "results.csv").open(newline="") as stream:
            return {(row["setting"], row["measure"]): float(row["value"]) for row in csv.DictReader(stream)}


def _by_setting(turns: list[tuple[Figures, Figures]]) -> dict[str, list[tuple[float, float]]]:
    pairs = defaultdict(list)
    for before, after in turns:
        for setting, measure in before.keys() & after.keys():
            pairs[f"{setting}: {measure}"].append((before[setting, measure], after[setting, measure]))
    return dict(sorted(pairs.items()))


if __name__ == "__main__":
    main()
