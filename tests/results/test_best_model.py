"""The best round is the first of those that did best; what is kept is its model."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from numpy.typing import NDArray

from fedlocal.results import BackgroundWriter, BestModel, Round, load_saved
from fedlocal.results.best_model import score_of

ABOUT = {"dataset": "mine"}
NUMBERS = some.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, math.nan])
ROUNDS = some.lists(some.none() | NUMBERS, min_size=1, max_size=12)


def model(number: int) -> dict[str, NDArray[Any]]:
    return {"w": np.full(3, number, np.float32)}


def trained(folder: Path, scores: list[float | None], metric: str = "accuracy", first: int = 0) -> None:
    with BackgroundWriter(idle=True) as background:
        best = BestModel(background, folder, ABOUT)
        for number, score in enumerate(scores, first):
            metrics = {"train-loss": 0.0} if score is None else {"train-loss": 0.0, metric: score}
            best.note(Round(number, metrics=metrics), partial(model, number))


def kept(folder: Path) -> int:
    """Return the round whose model is kept, if manifest and arrays agree."""
    saved = load_saved(folder, "best")
    assert saved.arrays["w"].tolist() == [saved.manifest["round"]] * 3
    assert saved.manifest["chosen_on"].startswith("the test set")
    return int(saved.manifest["round"])


@settings(max_examples=30)
@given(ROUNDS)
def test_the_best_model_is_that_of_the_first_of_the_best_rounds(
    tmp_path_factory: pytest.TempPathFactory, scores: list[float | None]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    trained(folder, scores, first=1)
    numbers = {number: s for number, s in enumerate(scores, 1) if s is not None and not math.isnan(s)}
    if numbers:
        assert kept(folder) == max(numbers, key=lambda number: (numbers[number], -number))
        assert len(list(folder.iterdir())) == 2
    else:
        assert not list(folder.iterdir())


def test_the_best_model_without_classes_is_that_of_the_lowest_loss(tmp_path: Path) -> None:
    trained(tmp_path, [0.0, 3.0, 1.5, math.nan, 1.5, math.inf, 2.0], "loss")
    assert kept(tmp_path) == 2


def test_round_0_does_not_count(tmp_path: Path) -> None:
    trained(tmp_path, [0.9, 0.1, 0.2])
    assert kept(tmp_path) == 2


def test_arrays_are_fetched_only_if_they_are_to_be_kept(tmp_path: Path) -> None:
    asked: list[int] = []

    def give(number: int) -> dict[str, NDArray[Any]]:
        asked.append(number)
        return model(number)

    with BackgroundWriter(idle=True) as background:
        best = BestModel(background, tmp_path, ABOUT)
        for number, accuracy in enumerate([0.1, 0.5, 0.4, 0.5, 0.6], 1):
            round_ = Round(number, metrics={"accuracy": accuracy})
            best.note(round_, partial(give, number))
    assert asked == [1, 2, 5]


def test_nothing_is_kept_where_a_scheme_has_no_single_model(tmp_path: Path) -> None:
    with BackgroundWriter() as background:
        BestModel(background, tmp_path, ABOUT).note(Round(1, metrics={"accuracy": 1.0}), dict)
    assert not list(tmp_path.iterdir())


def test_the_best_model_of_an_earlier_part_stands_until_it_is_surpassed(tmp_path: Path) -> None:
    trained(tmp_path, [0.2, 0.8, 0.3], first=1)
    trained(tmp_path, [0.3, 0.8], first=3)
    assert kept(tmp_path) == 2
    trained(tmp_path, [0.81], first=5)
    assert kept(tmp_path) == 5


@pytest.mark.parametrize("damage", ["manifest", "arrays", "nonsense"])
def test_a_best_model_that_an_earlier_part_lost_is_chosen_anew(tmp_path: Path, damage: str) -> None:
    trained(tmp_path, [0.2, 0.8], first=1)
    if damage == "arrays":
        (tmp_path / "best-2.npz").unlink()
    else:
        text = '{"format": "fedlocal model", "version": 1}' if damage == "nonsense" else "{"
        (tmp_path / "best.json").write_text(text)
    trained(tmp_path, [0.3], first=3)
    assert kept(tmp_path) == 3


def test_no_number_is_the_worst_score() -> None:
    assert score_of({}) == score_of({"accuracy": math.nan}) == score_of({"loss": math.inf}) == -math.inf
    assert score_of({"accuracy": 0.5, "loss": 9.0}) == 0.5
