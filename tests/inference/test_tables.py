"""Rows are read as they are meant, or the cell that cannot be is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray

from fedlocal.data import Column, DataError
from fedlocal.inference import tables
from fedlocal.inference.model_spec import ModelSpec
from fedlocal.inference.predictions import Predictions, write_predictions
from fedlocal.inference.rows import checked_rows
from fedlocal.inference.tables import read_rows
from fedlocal.results import load_arrays

PEOPLE = (Column("age"), Column("city", ("Bonn", "Kiel")), Column("size", ("S", "M"), onehot=False))
FINITE = some.floats(allow_nan=False, allow_infinity=False)


def model_spec(inputs: int = 3, columns: tuple[Column, ...] = ()) -> ModelSpec:
    return ModelSpec({}, "mine", inputs, 2, np.array(["no", "yes"]), (inputs,), None, columns)


def read(
    folder: Path, text: str, model: ModelSpec, *, header: bool | None = None
) -> tuple[list[list[float]], list[str]]:
    (folder / "rows.csv").write_bytes(text.encode())
    rows, notes = read_rows(folder / "rows.csv", model, header=header)
    return rows.tolist(), notes


@pytest.mark.parametrize(
    "text",
    ["1,2,3\n4,5,6\n", "a,b,c\n1,2,3\n4,5,6", '\ufeff"a","b, too","c"\n1, 2 ,3e0\n\n4.0,"5",6\n\n'],
)
def test_columns_without_names_are_taken_in_their_order(tmp_path: Path, text: str) -> None:
    rows, notes = read(tmp_path, text, model_spec())
    assert rows == [[1, 2, 3], [4, 5, 6]]
    note = ["the model knows no names of its features: columns are taken in their order"]
    assert notes == (note if "a" in text else [])


LEFT_OUT = "columns that the model does not know are left out: happy"


def test_named_columns_are_read_by_the_header_and_other_columns_are_left_out(tmp_path: Path) -> None:
    text = "size,happy,city, age\nM,yes,Kiel,30\nS,no,Bonn,40\n"
    expected = [[30, 0, 1, 1], [40, 1, 0, 0]]
    assert read(tmp_path, text, model_spec(4, PEOPLE)) == (expected, [LEFT_OUT])
    headless = "30,Kiel,M\n40,Bonn,S\n"
    assert read(tmp_path, headless, model_spec(4, PEOPLE), header=False) == (expected, [])


def test_permuted_names_in_capitals_are_matched_with_a_note(tmp_path: Path) -> None:
    rows, notes = read(tmp_path, "SIZE,City,age\nM,Kiel,30\n", model_spec(4, PEOPLE))
    assert rows == [[30, 0, 1, 1]]
    assert notes == ["columns are matched without regard to case: City as city, SIZE as size"]


def test_names_that_differ_in_case_alone_are_not_guessed(tmp_path: Path) -> None:
    model = model_spec(2, (Column("a"), Column("b")))
    with pytest.raises(DataError, match="lacks b; its columns are a, B, B, the model was trained on a, b"):
        read(tmp_path, "a,B,B\n1,2,3\n", model)
    model = model_spec(2, (Column("b"), Column("B")))
    assert read(tmp_path, "B,b\n1,2\n", model)[0] == [[2, 1]]
    with pytest.raises(DataError, match="lacks B"):
        read(tmp_path, "b,c\n1,2\n", model)


def test_permuted_numbers_of_columns_are_found(tmp_path: Path) -> None:
    assert read(tmp_path, "2,0,1\n3,1,2\n", model_spec(), header=True) == ([[1, 2, 3]], [])


NOMINAL = (Column("kind", ("kind", "unkind")),)


@pytest.mark.parametrize(
    ("text", "model"),
    [("0\n1\n", model_spec(1)), ("0,1\n2,3\n", model_spec(2)), ("kind\nunkind\n", model_spec(2, NOMINAL))],
)
def test_a_first_line_that_may_be_a_row_is_not_eaten(tmp_path: Path, text: str, model: ModelSpec) -> None:
    with pytest.raises(DataError, match="may be names or a row: say header=true or header=false"):
        read(tmp_path, text, model)
    assert len(read(tmp_path, text, model, header=True)[0]) == 1
    assert len(read(tmp_path, text, model, header=False)[0]) == 2


@pytest.mark.parametrize("text", ["Bonn,S\nKiel,M\n", "town,length\nKiel,M\n"])
def test_a_first_line_without_any_known_name_is_an_error_that_lists_both(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        DataError, match=r"first line, \w+, \w+, names no column .*: city, size.*header=false"
    ):
        read(tmp_path, text, model_spec(3, PEOPLE[1:]))


@given(
    arrays_of.arrays(np.float64, arrays_of.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=FINITE)
)
def test_numbers_keep_their_bits(tmp_path_factory: pytest.TempPathFactory, table: NDArray[Any]) -> None:
    folder = tmp_path_factory.mktemp("table")
    header = ",".join(f"c{at}" for at in range(table.shape[1]))
    text = "\n".join([header, *(",".join(map(repr, row)) for row in table.tolist())])
    assert read(folder, text, model_spec(table.shape[1]))[0] == table.tolist()


def test_large_tables_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 3)
    text = "\n".join(f"{at},{at},{at}" for at in range(10))
    assert read(tmp_path, text, model_spec())[0] == [[at] * 3 for at in range(10)]


def test_files_without_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.csv: has no rows"):
        read(tmp_path, "a,b,c\n", model_spec())
    np.savez(tmp_path / "rows.npz", x=np.empty((0, 3)))
    with pytest.raises(DataError, match=r"rows\.npz: has no rows"):
        read_rows(tmp_path / "rows.npz", model_spec())


NONSENSE = [
    ("", 0, r"rows\.csv: is empty"),
    ("1,2\n", 0, r"rows\.csv, line 1: 2 columns, the model takes 3$"),
    ("1;2;3\n", 0, "line 1: 1 columns, the model takes 3"),
    ("a,b,c\n1,2,3\n1,2\n", 0, "line 3: 2 columns, expected 3"),
    ("a,b,c\n1,2,3\n4,x,6\n", 0, "line 3, column b: 'x' is not a number"),
    ("1,2,3\n\n4,,6\n", 0, "line 3, column 1: is empty"),
    ("1,2,\n", 0, "line 1, column 2: is empty"),
    ("1,2,nan\n", 0, "line 1, column 2: nan is not a finite number"),
    ("1,2,1e999\n", 0, "line 1, column 2: 1e999 is not a finite number"),
    ("a,2,c\n1,2,3\n", 0, "line 1, column 0: 'a' is not a number"),
    ("1,Bonn\n", 1, r"names no column that the model was trained on: age, city, size"),
    (
        "age,size\n1,S\n",
        1,
        r"rows\.csv: lacks city; its columns are age, size, the model was trained on age, city, size",
    ),
    ("age,city,size,city\n1,Bonn,S,Bonn\n", 1, "has twice city"),
    ("age,city,size\n1,Ulm,S\n", 1, "line 2, column city: 'Ulm' is not one of Bonn, Kiel"),
    ("age,city,size\nold,Bonn,S\n", 1, "line 2, column age: 'old' is not a number"),
    ("age,city,size\n,Bonn,S\n", 1, "line 2, column age: is empty"),
]


@pytest.mark.parametrize(("text", "named", "reason"), NONSENSE)
def test_a_cell_that_cannot_be_read_is_named(tmp_path: Path, text: str, named: int, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        read(tmp_path, text, model_spec(4, PEOPLE) if named else model_spec())


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    for name, content, reason in [
        ("rows.txt", b"1,2,3", "rows come as .npz or .csv, not as .txt"),
        ("rows", b"1,2,3", "not as a file without suffix"),
        ("rows.csv", b"\xff\xfe1,2,3", "is not a table of text with commas"),
        ("rows.npz", b"PK", "cannot be read as plain arrays"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=reason):
            read_rows(tmp_path / name, model_spec())
    for name in ("absent.csv", "absent.npz"):
        with pytest.raises(
            DataError, match=f"absent.*{'cannot be read' if 'csv' in name else 'no such file'}"
        ):
            read_rows(tmp_path / name, model_spec())


def test_arrays_are_taken_as_they_are(tmp_path: Path) -> None:
    x = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    np.savez(tmp_path / "rows.npz", x=x)
    rows, _ = read_rows(tmp_path / "rows.npz", model_spec())
    assert rows.dtype == np.uint8
    np.testing.assert_array_equal(rows, x)
    np.savez(tmp_path / "rows.npz", y=x)
    with pytest.raises(DataError, match=r"holds \['y'\], lacks x"):
        read_rows(tmp_path / "rows.npz", model_spec())
    np.savez(tmp_path / "rows.npz", x=np.array([{}]))
    with pytest.raises(DataError, match="cannot be read as plain arrays"):
        read_rows(tmp_path / "rows.npz", model_spec())


def test_arrays_with_named_columns_are_matched_by_name(tmp_path: Path) -> None:
    model = model_spec(2, (Column("a"), Column("b")))
    np.savez(tmp_path / "rows.npz", x=np.array([[1, 2, 3]]), columns=np.array(["b", "c", "a"]))
    rows, notes = read_rows(tmp_path / "rows.npz", model)
    assert rows.tolist() == [[3, 1]]
    assert notes == ["columns that the model does not know are left out: c"]
    np.savez(tmp_path / "rows.npz", x=np.array([[1, 2]]), columns=np.array(["b", "c"]))
    with pytest.raises(DataError, match="lacks a; its columns are b, c, the model was trained on a, b"):
        read_rows(tmp_path / "rows.npz", model)


class Frame(dict[str, Any]):
    """What a data frame is to fedlocal: columns by their names."""

    @property
    def columns(self) -> list[str]:
        return list(self)


def test_columns_of_a_data_frame_are_matched_by_their_names() -> None:
    frame = Frame(size=["M", "S"], city=["Kiel", "Bonn"], age=[30, 40])
    rows = checked_rows(frame, model_spec(4, PEOPLE))  # type: ignore[arg-type]
    assert rows.tolist() == [[30, 0, 1, 1], [40, 1, 0, 0]]
    filled = (Column("age", fill=33), Column("city", ("Bonn", "Kiel"), fill=1))
    lacking = Frame(city=["Bonn", None, "nan"], age=[30, np.nan, 40])
    assert checked_rows(lacking, model_spec(3, filled)).tolist() == [[30, 1, 0], [33, 0, 1], [40, 0, 1]]  # type: ignore[arg-type]
    for wrong, reason in [
        (Frame(size=["M"], town=["Kiel"], age=[30]), "x: lacks city; its columns are size, town, age"),
        (Frame(size=["L"], city=["Kiel"], age=[30]), "x, column size: 'L' is not one of S, M"),
        (Frame(size=["M"], city=["Kiel"], age=["old"]), "x, column age: could not convert"),
    ]:
        with pytest.raises(DataError, match=reason):
            checked_rows(wrong, model_spec(4, PEOPLE))  # type: ignore[arg-type]


LABELS = np.array(["no", "yes, surely"])
SHARES = np.array([[0.1, 0.9], [1, 0]], np.float32)


def test_predictions_become_a_table(tmp_path: Path) -> None:
    write_predictions(tmp_path / "a.csv", Predictions(LABELS))
    assert (tmp_path / "a.csv").read_text() == 'prediction\nno\n"yes, surely"\n'
    write_predictions(tmp_path / "a.csv", Predictions(LABELS, SHARES, LABELS))
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines == ['prediction,p(no),"p(yes, surely)"', "no,0.1,0.9", '"yes, surely",1.0,0.0']
    write_predictions(tmp_path / "a.csv", Predictions(np.array([[0.5, 2], [1, 3]])))
    assert (tmp_path / "a.csv").read_text() == "prediction-0,prediction-1\n0.5,2.0\n1.0,3.0\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_predictions_become_arrays(tmp_path: Path) -> None:
    write_predictions(tmp_path / "a.npz", Predictions(LABELS, SHARES, LABELS))
    stored = load_arrays(tmp_path / "a.npz")
    assert list(stored) == ["labels", "probabilities", "classes"]
    np.testing.assert_array_equal(stored["probabilities"], SHARES)
    write_predictions(tmp_path / "a.npz", Predictions(LABELS))
    assert list(load_arrays(tmp_path / "a.npz")) == ["labels"]


def test_a_table_that_is_not_finished_does_not_take_its_place(tmp_path: Path) -> None:
    write_predictions(tmp_path / "a.csv", Predictions(LABELS))
    with pytest.raises(ValueError, match="dimension"):
        write_predictions(tmp_path / "a.csv", Predictions(LABELS, SHARES[:1], LABELS))
    assert (tmp_path / "a.csv").read_text().startswith("prediction\nno")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
