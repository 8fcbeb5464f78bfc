from pathlib import Path

from fedlocal.results.report.reading import Recorded
from fedlocal.results.report.settings import settings
from fedlocal.results.runs import SweepRow, parse_overrides


def recorded(name: str, overrides: str, **config: str) -> Recorded:
    dotted = {key.replace("__", "."): value for key, value in config.items()}
    return Recorded(
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
