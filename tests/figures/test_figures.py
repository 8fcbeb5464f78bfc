import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fedlocal.figures import (
    actor_states,
    availability,
    learning_curves,
    partition,
    representative_rounds,
    timeline,
)
from fedlocal.figures.timeline import COMPUTING, COORDINATION, IDLE
from fedlocal.results import History, MessageError, Occupancy, ResultsError, Round, Work
from fedlocal.results.rounds import MOST_LISTED


def pixels(path: Path) -> NDArray[np.float64]:
    from matplotlib.image import imread

    return np.asarray(imread(path), dtype=np.float64)[..., :3]


def assert_drawn(path: Path) -> None:
    """Assert that a figure has content, and none at its very edge, where something would be cut off."""
    image = pixels(path)
    assert min(image.shape[:2]) > 200
    assert (image < 0.9).any(axis=2).mean() > 0.003
    for edge in (image[:2], image[-2:], image[:, :2], image[:, -2:]):
        assert (edge > 0.99).all()


def history(rounds: int, metrics: Callable[[int], dict[str, float]]) -> History:
    made = History()
    for number in range(rounds):
        made.record(Round(number, metrics=metrics(number)))
    return made


def good(number: int) -> dict[str, float]:
    return {"loss": 2.3 / (number + 1), "accuracy": 1 - 0.9 / (number + 1)}


@pytest.mark.parametrize(
    "histories",
    [
        {"federated": history(21, good), "sequential, 1 thread": history(21, good)},
        {"one point": history(1, good)},
        {"regression": history(5, lambda n: {"loss": 1000.0**-n})},
        {"gaps": history(9, lambda n: {"loss": math.nan if n in (3, 4) else math.inf if n == 5 else 1.0})},
        {"nothing finite": history(3, lambda _: {"loss": math.nan, "accuracy": math.nan})},
        {"$a$ [b]": history(200, good)},
        {f"local, actor {index}": history(5, good) for index in range(9)},
        {"never evaluated": history(3, lambda _: {"train-loss": 1.0})},
        {},
    ],
    ids=lambda histories: next(iter(histories), "none"),
)
def test_learning_curves_are_drawn(tmp_path: Path, histories: dict[str, History]) -> None:
    learning_curves(histories, tmp_path / "curves.png")
    assert_drawn(tmp_path / "curves.png")


def summary(sizes: NDArray[np.int64], **values: object) -> dict[str, object]:
    return {"actors": len(sizes), "shown": range(len(sizes)), "sizes": sizes, **values}


@pytest.mark.parametrize(
    ("actors", "classes"), [(4, 10), (1, 2), (24, 16), (100, 10), (4, 100), (200, 100), (200, 3)]
)
def test_labels_are_drawn_at_all_sizes(tmp_path: Path, actors: int, classes: int) -> None:
    rng = np.random.default_rng([actors, classes])
    counts = rng.multinomial(100_000, rng.dirichlet(np.full(classes, 0.3), actors))
    counts[0] = 0 if actors > 1 else counts[0]
    names = [f"class {index}" for index in range(classes)]
    partition(summary(counts.sum(axis=1), counts=counts, classes=names), tmp_path / "labels.png")
    assert_drawn(tmp_path / "labels.png")


@pytest.mark.parametrize("actors", [1, 4, 40, 200])
def test_targets_are_drawn_at_all_sizes(tmp_path: Path, actors: int) -> None:
    rng = np.random.default_rng(actors)
    quantiles = np.sort(rng.normal(size=(actors, 5)), axis=1)
    sizes = rng.integers(1, 400, actors)
    if actors > 1:
        quantiles[0], sizes[0] = np.nan, 0
    partition(summary(sizes, quantiles=quantiles), tmp_path / "targets.png")
    assert_drawn(tmp_path / "targets.png")


@pytest.mark.parametrize(("actors", "classes", "names"), [(4, 10, 9), (0, 3, 3), (3, 0, 0)])
def test_a_partition_without_sense_is_refused(tmp_path: Path, actors: int, classes: int, names: int) -> None:
    counts, sizes = np.zeros((actors, classes)), np.ones(actors, np.int64)
    with pytest.raises(ResultsError, match=r"expected \(actors, classes\), or \(actors, 5\) quantiles"):
        partition(summary(sizes, counts=counts, classes=["x"] * names), tmp_path / "labels.png")
    with pytest.raises(ResultsError, match="expected"):
        partition(summary(np.ones(3, np.int64), quantiles=np.zeros((3, 4))), tmp_path / "labels.png")
    assert list(tmp_path.iterdir()) == []


def worked(number: int, workers: int, actors: int, batches: int, seconds: float = 0.01) -> Round:
    """Return a round in which each actor works on some batches, in waves, on whichever worker is free."""
    rng, now, work = np.random.default_rng(number), 0.2 * seconds, []
    for _ in range(batches):
        free = np.full(workers, now)
        for actor in range(actors):
            worker = int(free.argmin())
            work.append(Work(actor, worker, float(free[worker]), float(seconds * rng.uniform(0.5, 1.5))))
            free[worker] += work[-1].seconds
        now = free.max() + 0.1 * seconds
    return Round(number, {"training": now}, work=work)


ROUNDS = {
    "the default": [worked(number, 2, 4, 1, 0.1 if number == 1 else 0.01) for number in range(1, 21)],
    "one stretch": [worked(1, 1, 1, 1, 2.0)],
    "32 actors": [worked(number, 2, 32, 1) for number in (1, 2)],
    "many actors": [worked(1, 2, 1000, 1, 1e-6)],
    "waves": [worked(1, 2, 8, 500)],
    "waves, then few": [worked(1, 2, 8, 500), worked(2, 2, 8, 1)],
    "waves on 16 workers": [worked(1, 16, 16, 200)],
    "80 workers": [worked(1, 80, 100, 1)],
    "hardly any time": [Round(1, work=[Work(0, 0, 0.0, 1e-9)])],
}


@pytest.mark.parametrize("rounds", ROUNDS.values(), ids=ROUNDS.keys())
def test_timelines_are_drawn(tmp_path: Path, rounds: list[Round]) -> None:
    timeline(representative_rounds(rounds), tmp_path / "timeline.png")
    assert_drawn(tmp_path / "timeline.png")


def painted(path: Path, colour: str) -> float:
    """Return which part of a figure has a colour."""
    from matplotlib.colors import to_rgb

    return float((np.abs(pixels(path) - to_rgb(colour)) < 0.01).all(axis=2).mean())


@pytest.mark.parametrize("batches", [1, 100], ids=["stretches", "slices"])
def test_the_states_have_their_parts_of_a_timeline(tmp_path: Path, batches: int) -> None:
    """Worker 0 computes for half of the time and worker 1 for a quarter; in a quarter nobody does."""
    work = []
    for batch in range(batches):
        work += [Work(0, 0, 8 * batch + 1, 4), Work(1, 1, 8 * batch + 5, 2)]
    occupancy = Occupancy.of(Round(1, {"training": 8.0 * batches}, work=work))
    assert occupancy is not None
    timeline([occupancy], tmp_path / "timeline.png")
    computing, coordination, idle = (
        painted(tmp_path / "timeline.png", colour) for colour in (COMPUTING, COORDINATION, IDLE)
    )
    assert computing / idle == pytest.approx(6 / 6, rel=0.2)
    assert coordination / computing == pytest.approx(4 / 6, rel=0.25)


def there(number: int, absent: dict[int, str], errors: dict[int, str], *actors: int) -> Round:
    measured: dict[int, dict[str, float]] = {actor: {} for actor in actors}
    failed = tuple(MessageError(actor, "train", reason) for actor, reason in errors.items())
    return Round(number, metrics={"available": 1.0}, actors=measured, errors=failed, absent=absent)


def test_the_state_of_each_actor_in_a_round_is_read() -> None:
    rounds = [
        Round(0),
        there(1, {0: "away"}, {}, 1, 2),
        there(2, {2: "left"}, {1: "crash"}, 0),
        there(3, {0: "away"}, {}, 0),  # of scheme=local: its model is evaluated all the same
    ]
    table = actor_states(rounds, 4)
    assert table is not None
    away, spared, part, left, failed = range(5)
    np.testing.assert_array_equal(
        table.T, [[away, part, part, spared], [part, failed, left, spared], [away, *[spared] * 3]]
    )


def test_an_availability_is_not_drawn_where_all_actors_are_always_there_or_too_many() -> None:
    assert actor_states([Round(0), Round(1, actors={0: {}})], 1) is None
    assert actor_states([there(1, {}, {}, 0)], MOST_LISTED + 1) is None


@pytest.mark.parametrize(("actors", "rounds"), [(1, 1), (5, 40), (2000, 300)])
def test_availabilities_are_drawn_at_all_sizes(tmp_path: Path, actors: int, rounds: int) -> None:
    table = np.random.default_rng(0).integers(0, 5, (actors, rounds)).astype(np.int8)
    availability(table, tmp_path / "availability.png")
    assert_drawn(tmp_path / "availability.png")


def test_an_availability_without_rounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="expected \\(actors, rounds\\)"):
        availability(np.zeros((3, 0), np.int8), tmp_path / "availability.png")


def test_the_first_the_middle_and_the_last_round_are_drawn() -> None:
    rounds = [Round(0), *(worked(number, 2, 4, 1, 1 + number % 5) for number in range(1, 10)), Round(10)]
    assert [occupancy.number for occupancy in representative_rounds(rounds)] == [1, 7, 9]
    assert [occupancy.number for occupancy in representative_rounds(rounds[:3])] == [1, 2]
    assert [occupancy.number for occupancy in representative_rounds(rounds[:2])] == [1]
    assert representative_rounds([Round(0), Round(1, actors={0: {"seconds": 1.0}})]) == []


def test_a_timeline_without_a_round_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="it is known when the actors worked"):
        timeline([], tmp_path / "timeline.png")


def test_drawing_leaves_the_style_as_it_was(tmp_path: Path) -> None:
    import matplotlib as mpl

    before = mpl.rcParams.copy()
    learning_curves({"federated": history(3, good)}, tmp_path / "curves.png")
    assert mpl.rcParams.copy() == before


def test_drawing_needs_no_pyplot(tmp_path: Path) -> None:
    code = """
import sys, numpy as np
from fedlocal.results import *
from fedlocal.figures import *
learning_curves({}, "c.png")
shown = {"actors": 2, "shown": [0, 1], "sizes": [1, 1]}
partition({**shown, "counts": np.ones((2, 2)), "classes": "ab"}, "l.png")
partition({**shown, "quantiles": np.ones((2, 5))}, "t.png")
timeline([Occupancy.of(Round(1, work=[Work(0, 0, 0.0, 1.0)]))], "w.png")
print("matplotlib.pyplot" in sys.modules)
"""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))}
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=env, cwd=tmp_path)
    assert shown.stdout.strip() == "False"


def test_a_figure_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot write"):
        learning_curves({}, tmp_path / "missing" / "curves.png")
