"""Tables of text become data sets: columns by their names, text as features, and nothing guessed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedlocal.data import Column, DataError, Dataset
from fedlocal.datasets import csv


def load(path: Path, target: str | int = "kind", **options: Any) -> Dataset:
    return csv(rng=np.random.default_rng(0), path=str(path), target=target, **options)


def write(folder: Path, *rows: str, header: str = "age,city,who,kind") -> Path:
    path = folder / "people.csv"
    path.write_text("\n".join([*([header] if header else []), *rows]))
    return path


ROWS = [
    f"{20 + at},{('Bonn', 'Kiel', 'Ulm')[at % 3]},p{at // 4},{('old', 'young')[at % 2]}" for at in range(40)
]


def test_numbers_and_text_become_features(tmp_path: Path) -> None:
    dataset = load(write(tmp_path, *ROWS), group="who", scale="none")
    assert dataset.columns == (Column("age"), Column("city", ("Bonn", "Kiel", "Ulm")))
    assert dataset.classes is not None
    assert dataset.classes.tolist() == ["old", "young"]
    assert dataset.name == "people"
    ages = dataset.train.x[:, 0]
    np.testing.assert_array_equal(dataset.train.x[:, 1:].argmax(axis=1), (ages - 20) % 3)
    np.testing.assert_array_equal(dataset.train.y, (ages - 20) % 2)
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [f"p{int(age - 20) // 4}" for age in ages]


@pytest.mark.parametrize(
    ("target", "options", "classes"),
    [
        ("n", {}, [0, 1, 2, 3, 4]),
        ("f", {}, None),
        ("n", {"task": "regression"}, None),
        ("f", {"task": "classification"}, [0.5, 1.5]),
    ],
)
def test_targets_have_the_task_that_they_look_like_or_that_is_given(
    tmp_path: Path, target: str, options: dict[str, Any], classes: list[float] | None
) -> None:
    path = write(tmp_path, *(f"{at},{at % 5},{at % 2 + 0.5}" for at in range(40)), header="x,n,f")
    dataset = load(path, target, **options)
    assert (None if dataset.classes is None else dataset.classes.tolist()) == classes


def test_a_file_without_a_header_has_numbers_for_names(tmp_path: Path) -> None:
    dataset = load(write(tmp_path, *ROWS, header=""), 3, header=False, group=2)
    assert [column.name for column in dataset.columns] == ["0", "1"]
    assert len(dataset.train) + len(dataset.test) == 40
    with pytest.raises(DataError, match="first line, 20, Bonn, p0, old, may be names or a row"):
        load(write(tmp_path, *ROWS, header=""), 3)


LACKING = [",Bonn,p0,old", "?,NA,p1,young", "30,,p2,old"]


def test_missing_values_are_counted_for_each_column(tmp_path: Path) -> None:
    path = write(tmp_path, *ROWS, *LACKING)
    with pytest.raises(
        DataError, match=r"3 of 43 rows lack values, in age \(2\), city \(2\); dataset.missing=drop"
    ):
        load(path, group="who")
    dataset = load(path, group="who", missing="drop")
    assert len(dataset.train) + len(dataset.test) == 40


@pytest.mark.parametrize("how", ["mean", "median"])
def test_missing_values_are_filled_in_by_the_training_rows(tmp_path: Path, how: Any) -> None:
    rows = [f"{at**2},{'Bonn' if at % 4 else 'Kiel'},{at % 2}" for at in range(40)] + [",?,0"] * 4
    dataset = load(write(tmp_path, *rows, header="n,city,y"), "y", impute=how, scale="none")
    number, city = dataset.columns
    assert city.fill == 0
    assert number.fill is not None
    squares = np.array([row for row in dataset.train.x[:, 0] if round(float(row) ** 0.5) ** 2 == row])
    if how == "mean":
        assert number.fill == pytest.approx(squares.mean(), rel=0.01)
    together = np.concatenate([dataset.train.x, dataset.test.x])
    standing = np.isclose(together[:, 0], number.fill, rtol=1e-6)
    assert standing.sum() >= 4
    assert np.isfinite(together).all()


def test_groups_are_held_out_whole(tmp_path: Path) -> None:
    dataset = load(write(tmp_path, *ROWS), group="who", hold_out="groups", scale="none")
    people, held_out = (
        {int(age - 20) // 4 for age in rows.x[:, 0]} for rows in (dataset.train, dataset.test)
    )
    assert people
    assert held_out
    assert not people & held_out


NONSENSE: list[tuple[str, dict[str, Any], str]] = [
    ("", {}, "is empty"),
    ("age,kind\n", {}, "has no rows"),
    ("age,kind\n1,a\n2\n", {}, "line 3: 1 columns, the first line has 2"),
    ("age,age,kind\n1,2,a\n", {}, "its header has twice age"),
    ("age,kind\n1,a\n", {"target": "kin"}, "no column 'kin', there are age, kind"),
    ("age,kind\n1,a\n", {"group": "who"}, "no column 'who'"),
    ("age,kind\n1,a\n", {"features": ["age", "kind"]}, "'kind' is named twice"),
    (",kind\n1,a\n", {}, "a column has no name"),
    ("age,kind\n" + ",a\n,b\n" * 5, {"impute": "median"}, "column age has no value in any training row"),
    ("age,kind\n" + "1,a\n,b\n" * 5, {"impute": "zero"}, "impute='zero', expected mean, median"),
    ("age,kind\n1,a\n,b\n", {"impute": "mean", "missing": "drop"}, "give one of them"),
    ("age,kind\n1,a\n2,\n", {"impute": "mean"}, r"1 of 2 rows lack values, in kind \(1\)"),
    (
        "day,kind\n" + "".join(f"2024-01-{at + 1:02},a\n" for at in range(28)),
        {},
        "'day' holds 28 different texts in 28",
    ),
    (
        "age,kind\n" + "".join(f'1,"1,{at + 100}"\n' for at in range(28)),
        {},
        "'kind' holds 28 different texts in 28",
    ),
    ("age;kind\n1;a\n2;b\n", {}, "its columns are separated by ';', expected commas"),
    ("age\tkind\n1,5\ta\n2,5\tb\n", {}, r"its columns are separated by '\\t', expected commas"),
    ("age,kind\n" + "".join(f"t{at},a\n" for at in range(1002)), {}, "'age' holds 1002 different texts"),
]


@pytest.mark.parametrize(("text", "options", "reason"), NONSENSE)
def test_tables_that_make_no_data_set_are_refused(
    tmp_path: Path, text: str, options: dict[str, Any], reason: str
) -> None:
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(DataError, match=reason):
        load(tmp_path / "people.csv", **options)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"people\.csv: cannot be read: No such file"):
        load(tmp_path / "people.csv")
