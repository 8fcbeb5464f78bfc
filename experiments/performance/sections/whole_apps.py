"""Flower apps in their folders, unchanged: ``fedlocal simulate`` against Flower's simulation on Ray."""

import statistics
from collections.abc import Iterator
from pathlib import Path

from experiments.performance.peers.environments import python_of
from experiments.performance.programs import Command, fedlocal_command, module
from experiments.rows import Row, row_of
from experiments.runner import Options
from experiments.turns import alternate, ratios

HOME = Path(__file__).parents[1]
APPS = {"current": "the message API", "older": "NumPyClient and server_fn"}
NODES, TURNS = 10, 5
FEDLOCAL, FLOWER = "fedlocal", "Flower on Ray"


def measure(options: Options) -> Iterator[Row]:
    """Yield the ratio of the times of each app, and how many lines each prints."""
    python = python_of("ray", options.peers)
    for app, about in APPS.items():
        folder = str(HOME / "flower_apps" / app)
        arms = [
            Command(FEDLOCAL, [*fedlocal_command(), "simulate", folder, f"num_supernodes={NODES}"]),
            Command(FLOWER, [*module("peers.flower_app", python), folder, str(NODES)]),
        ]
        figures = alternate(arms, TURNS)
        ours, theirs = (statistics.median(figures[arm.name]) for arm in arms)
        said = [statistics.median(arm.lines) for arm in arms]
        setting = f"{about}, {NODES} nodes, 5 rounds"
        note = f"{theirs:.3g} s, fedlocal {ours:.3g}"
        turns = ratios(figures, FLOWER, FEDLOCAL)
        yield row_of(
            "whole_apps", setting, f"from shell to prompt: {FLOWER} / {FEDLOCAL}", turns, "x", note=note
        )
        for arm, count in zip(arms, said, strict=True):
            yield row_of("whole_apps", setting, f"lines that {arm.name} prints", [count], "")
