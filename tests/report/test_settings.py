from pathlib import Path

import pytest

from fedlocal.config.neutral_options import NEUTRAL
from fedlocal.report.recorded_run import RecordedRun, read
from fedlocal.report.settings import settings
from fedlocal.results.runs import SweepRow, parse_overrides


def recorded(name: str, overrides: str, **config: str) -> RecordedRun:
    dotted = {key.replace("__", "."): value for key, value in config.items()}
    return RecordedRun(
        name, Path(name), SweepRow(name, "completed", overrides=parse_overrides(overrides.split())), dotted
    )


def test_defaults_that_differ_count_and_seeds_do_not() -> None:
    runs = [recorded("0", "", actors="4", seed="0"), recorded("1", "", actors="8", seed="1")]
    assert settings(runs) == (["actors"], {"0": ("4",), "1": ("8",)})


def test_an_option_is_one_column_by_the_name_that_was_typed() -> None:
    runs = [
        recorded("0", "", partition___target_="data.Iid"),
        recorded("1", "partition=dirichlet", partition___target_="data.Dirichlet", partition__alpha="0.5"),
    ]
    assert settings(runs) == (["partition"], {"0": ("iid",), "1": ("dirichlet",)})


def test_arguments_that_differ_within_an_option_are_said() -> None:
    runs = [
        recorded("0", "", partition___target_="data.Iid"),
        recorded("1", "partition=dirichlet", partition___target_="data.Dirichlet", partition__alpha="0.5"),
        recorded("2", "partition=dirichlet", partition___target_="data.Dirichlet", partition__alpha="0.1"),
    ]
    assert settings(runs)[1] == {
        "0": ("iid",),
        "1": ("dirichlet, alpha=0.5",),
        "2": ("dirichlet, alpha=0.1",),
    }


def test_an_argument_of_the_same_option_is_a_column_of_its_own() -> None:
    runs = [
        recorded(alpha, "", partition___target_="data.Dirichlet", partition__alpha=alpha)
        for alpha in ("0.1", "1")
    ]
    assert settings(runs)[0] == ["partition.alpha"]


def test_columns_come_in_the_order_in_which_they_were_typed() -> None:
    runs = [
        recorded("0", "rounds=1 actors=4", actors="4", rounds="1"),
        recorded("1", "", actors="8", rounds="2"),
    ]
    assert settings(runs)[0] == ["rounds", "actors"]


def test_options_of_one_target_keep_the_names_that_were_typed() -> None:
    runs = [
        recorded("0", "model=mlp", model___target_="models.MLP", model__loss="cross_entropy"),
        recorded("1", "model=paper", model___target_="models.MLP", model__loss="mean_squared_error"),
        recorded("2", "", model___target_="models.MLP", model__loss="cross_entropy"),
        recorded("3", "rounds=2", model___target_="models.MLP", model__loss="hinge"),
    ]
    keys, values = settings(runs)
    assert keys == ["model"]
    assert [value for (value,) in values.values()] == [
        "mlp, loss=cross_entropy", "paper", "mlp, loss=cross_entropy", "mlp, loss=hinge"
    ]  # fmt: skip


def test_options_of_one_target_may_have_other_arguments() -> None:
    cnn = {"model__module__channels": "[4]"}
    runs = [
        recorded("0", "model=mlp", model___target_="models.MLP", model__hidden="[4]"),
        recorded("1", "model=cnn", model___target_="models.PyTorch", model__module___target_="cnn", **cnn),
        recorded("2", "model=torch", model___target_="models.PyTorch", model__module___target_="mlp"),
        recorded("3", "model=torch", model___target_="models.PyTorch", model__module___target_="mine"),
    ]
    keys, values = settings(runs)
    assert keys == ["model"]
    assert [values[str(number)] for number in range(4)] == [
        ("mlp",), ("cnn",), ("torch, module=mlp",), ("torch, module=mine",)
    ]  # fmt: skip


@pytest.mark.parametrize("option", NEUTRAL)
def test_an_option_without_effect_on_a_run_is_no_difference_between_runs(tmp_path: Path, option: str) -> None:
    (tmp_path / "config.yaml").write_text(f"actors: 4\n{option}: true\n")
    assert read("0", tmp_path).config == {"actors": "4"}
