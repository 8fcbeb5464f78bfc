"""Tables of openml.org, read by scikit-learn's own client and parser from a cache as the client writes it."""

import gzip
import hashlib
import json
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedlocal.data import Column, DataError, Dataset
from fedlocal.datasets import openml

COLUMNS = {"age": "numeric", "city": "nominal", "who": "nominal", "pay": "numeric", "happy": "nominal"}
CITIES = ("Bonn", "Kiel", "Ulm")


def rows(n: int) -> list[list[str]]:
    return [
        [str(20 + i), CITIES[i % 3], f"p{i % 4}", str(1000.5 + i), "yes" if i % 2 else "no"] for i in range(n)
    ]


def arff(table: list[list[str]]) -> str:
    kinds = {
        "age": "NUMERIC",
        "city": f"{{{','.join(CITIES)}}}",
        "who": "{p0,p1,p2,p3}",
        "pay": "NUMERIC",
        "happy": "{no,yes}",
    }
    head = [f"@ATTRIBUTE {name} {kind}" for name, kind in kinds.items()]
    return "\n".join(["@RELATION people", *head, "@DATA", *(",".join(row) for row in table)])


def keep(cache: Path, table: list[list[str]], target: str | None = "happy", **flags: str) -> str:
    """Write the answers of openml.org about one data set, number 7, to where the client keeps them."""
    text = arff(table).encode()
    description = {
        "id": "7",
        "name": "people",
        "version": "1",
        "status": "active",
        "format": "ARFF",
        "description": "Made up.",
        "url": "https://www.openml.org/data/v1/download/7",
        "md5_checksum": hashlib.md5(text).hexdigest(),  # noqa: S324 - what OpenML uses
    }
    if target:
        description["default_target_attribute"] = target
    features = [
        {
            "index": str(i),
            "name": name,
            "data_type": flags.get(name, kind),
            "is_target": str(name == target).lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
        }
        for i, (name, kind) in enumerate(COLUMNS.items())
    ]
    qualities = [{"name": "NumberOfInstances", "value": str(len(table))}]
    listed = {"data": {"dataset": [{"did": 7, "name": "people", "version": 1, "status": "active"}]}}
    answers: dict[str, Any] = {
        "api/v1/json/data/7": {"data_set_description": description},
        "api/v1/json/data/features/7": {"data_features": {"feature": features}},
        "api/v1/json/data/qualities/7": {"data_qualities": {"quality": qualities}},
        "api/v1/json/data/list/data_name/people/limit/2/status/active/": listed,
        "api/v1/json/data/list/data_name/people/limit/2/data_version/1": listed,
    }
    for path, answer in answers.items():
        write(cache, path, json.dumps(answer).encode())
    write(cache, "data/v1/download/7", text)
    return str(cache)


def write(cache: Path, path: str, content: bytes) -> None:
    file = cache / "openml" / "openml.org" / f"{path}.gz"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(content))


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer every request as a machine without network does."""

    def fail(*_args: Any, **_options: Any) -> None:
        raise urllib.error.URLError(OSError(-2, "Name or service not known"))

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", fail)
    monkeypatch.setattr("sklearn.datasets._openml.time.sleep", lambda _seconds: None)


def load(**options: Any) -> Dataset:
    which = {} if "name" in options else {"data_id": 7}
    return openml(rng=np.random.default_rng(0), **(which | options))


def test_nominal_columns_become_one_column_for_each_category(tmp_path: Path) -> None:
    dataset = load(cache=keep(tmp_path, rows(40)), scale="none")
    assert dataset.inputs == 1 + 3 + 4 + 1
    assert dataset.shape == (9,)
    assert dataset.classes is not None
    assert dataset.classes.tolist() == ["no", "yes"]
    age, city, person = dataset.train.x[:, 0], dataset.train.x[:, 1:4], dataset.train.x[:, 4:8]
    assert np.array_equal(city.argmax(axis=1), (age - 20) % 3)
    assert np.array_equal(person.argmax(axis=1), (age - 20) % 4)
    persons = ("p0", "p1", "p2", "p3")
    assert dataset.columns == (Column("age"), Column("city", CITIES), Column("who", persons), Column("pay"))
    assert np.array_equal(dataset.train.y, (age - 20) % 2)


def test_nominal_columns_may_become_positions(tmp_path: Path) -> None:
    dataset = load(cache=keep(tmp_path, rows(40)), scale="none", encoding="ordinal")
    assert np.array_equal(dataset.train.x[:, 1], (dataset.train.x[:, 0] - 20) % 3)


def test_columns_are_standardised(tmp_path: Path) -> None:
    dataset = load(cache=keep(tmp_path, rows(40)))
    assert np.allclose(dataset.train.x.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(dataset.train.x.std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("options", [{"name": "people"}, {"name": "people", "version": 1}, {"data_id": 7}])
def test_a_data_set_is_found_by_name_or_number(tmp_path: Path, options: Any) -> None:
    dataset = load(cache=keep(tmp_path, rows(10)), **options)
    assert dataset.name == str(options.get("name", 7))
    assert len(dataset.train) + len(dataset.test) == 10


def test_a_column_of_groups_is_no_feature(tmp_path: Path) -> None:
    dataset = load(cache=keep(tmp_path, rows(40)), group="who", scale="none")
    assert dataset.inputs == 1 + 3 + 1
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [f"p{int(age - 20) % 4}" for age in dataset.train.x[:, 0]]


def test_a_numeric_target_is_real_valued(tmp_path: Path) -> None:
    dataset = load(cache=keep(tmp_path, rows(40)), target="pay", scale="none", target_scale="none")
    assert dataset.classes is None
    assert np.allclose(dataset.train.y[:, 0], dataset.train.x[:, 0] + 980.5)


def test_a_numeric_target_may_be_a_class(tmp_path: Path) -> None:
    dataset = load(cache=keep(tmp_path, rows(5) * 8), target="age", task="classification")
    assert dataset.classes is not None
    assert dataset.classes.tolist() == [20, 21, 22, 23, 24]


def test_several_targets_named_by_openml_are_taken(tmp_path: Path) -> None:
    dataset = load(cache=keep(tmp_path, rows(40), "age,pay"))
    assert (dataset.classes, dataset.outputs) == (None, 2)


def test_rows_that_lack_values_are_refused_or_dropped(tmp_path: Path) -> None:
    table = rows(40)
    table[3][0] = table[5][1] = table[5][0] = table[9][4] = "?"
    cache = keep(tmp_path, table)
    with pytest.raises(
        DataError, match=r"3 of 40 rows lack values, in age \(2\), city \(1\), happy \(1\); .*=drop"
    ):
        load(cache=cache)
    dataset = load(cache=cache, missing="drop")
    assert len(dataset.train) + len(dataset.test) == 37


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "height"}, "no column 'height', there are age, city, who, pay, happy"),
        ({"group": "town"}, "no column 'town'"),
        ({"name": "people", "data_id": 7}, "give either dataset.name"),
    ],
)
def test_columns_that_do_not_exist_are_named(tmp_path: Path, options: Any, message: str) -> None:
    cache = keep(tmp_path, rows(10))
    with pytest.raises(DataError, match=message):
        load(cache=cache, **options)


def test_a_request_with_neither_name_nor_number_is_refused() -> None:
    with pytest.raises(DataError, match=r"give either"):
        openml(rng=np.random.default_rng(0))


def test_a_data_set_without_a_target_asks_for_a_target(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"names no target; give dataset.target=COLUMN, one of age, city"):
        load(cache=keep(tmp_path, rows(10), None))


def test_columns_of_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"OpenML cannot provide it: STRING attributes"):
        load(cache=keep(tmp_path, rows(10), city="string"))


def test_an_unknown_data_set_without_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"openml adult: openml.org cannot be reached .*Name or service"):
        load(name="adult", cache=str(tmp_path))
