"""What the library `datasets` holds becomes a data set; what cannot, is refused by the name of its column."""

import importlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedlocal.config.compose import compose
from fedlocal.data import Column, DataError, Dataset
from fedlocal.datasets import huggingface
from fedlocal.experiment.run import run

pytestmark = [pytest.mark.extras, pytest.mark.filterwarnings("ignore")]

N = 40
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module", autouse=True)
def hf() -> Any:
    """The library itself."""
    try:
        library = importlib.import_module("datasets")
    except ImportError:
        pytest.skip("datasets is not installed: pip install -e '.[test-extras]'")
    library.disable_progress_bars()
    return library


def load(path: Path, **options: Any) -> Dataset:
    return huggingface(rng=np.random.default_rng(0), path=str(path), **options)


def png(pixels: Any, mode: str | None = None) -> dict[str, Any]:
    from PIL import Image

    stream, picture = io.BytesIO(), Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": None}


def pictures(hf: Any, stored: list[Any], labels: list[Any] | None = None) -> Any:
    features = hf.Features({"image": hf.Image(), "label": hf.ClassLabel(names=["cat", "ant", "bee"])})
    labels = labels or [row % 3 for row in range(len(stored))]
    return hf.Dataset.from_dict({"image": stored, "label": labels}, features=features)


def saved(data: Any, folder: Path) -> Path:
    data.save_to_disk(str(folder / "mine"))
    return folder / "mine"


def table(hf: Any, **columns: Any) -> Any:
    columns = {"a": RNG.normal(5, 3, N), "b": np.arange(N), **columns}
    return hf.Dataset.from_dict({name: values for name, values in columns.items() if values is not None})


def test_pictures_keep_their_shape_and_classes_their_names_and_order(hf: Any, tmp_path: Path) -> None:
    pixels = RNG.integers(0, 256, (12, 5, 4), np.uint8)
    data = hf.DatasetDict(
        {
            "train": pictures(hf, [png(pixel) for pixel in pixels[:9]]),
            "test": pictures(hf, [png(pixel) for pixel in pixels[9:]]),
        }
    )
    dataset = load(saved(data, tmp_path))
    assert (dataset.name, dataset.shape) == ("mine", (5, 4))
    np.testing.assert_array_equal(dataset.train.x, (pixels[:9].reshape(9, 20) / 255).astype(np.float32))
    np.testing.assert_array_equal(dataset.test.x, (pixels[9:].reshape(3, 20) / 255).astype(np.float32))
    assert dataset.classes is not None
    assert dataset.classes.tolist() == ["cat", "ant", "bee"]  # not sorted: as they were numbered
    assert dataset.train.y.tolist() == [0, 1, 2] * 3


def test_a_picture_of_a_palette_is_rgb_and_a_bilevel_picture_grey(hf: Any, tmp_path: Path) -> None:
    coloured = RNG.integers(0, 256, (6, 4, 4, 3), np.uint8)
    palette = load(
        saved(pictures(hf, [png(picture, "P") for picture in coloured]), tmp_path / "p"), test_fraction=0.5
    )
    assert palette.shape == (4, 4, 3)
    bilevel = load(
        saved(pictures(hf, [png(picture, "1") for picture in coloured]), tmp_path / "b"), test_fraction=0.5
    )
    assert bilevel.shape == (4, 4)
    assert set(np.unique(bilevel.train.x)) == {0.0, 1.0}


def test_files_of_pictures_are_read(hf: Any, tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        (tmp_path / "insects" / name).mkdir(parents=True)
        for row in range(4):
            content = png(np.full((3, 3), row, np.uint8))["bytes"]
            (tmp_path / "insects" / name / f"{row}.png").write_bytes(content)
    dataset = load(tmp_path / "insects", cache=str(tmp_path / "cache"), test_fraction=0.5)
    assert dataset.classes is not None
    assert (dataset.classes.tolist(), dataset.shape) == (["ant", "bee"], (3, 3))


@pytest.mark.parametrize("how", ["list", "fixed", "nested", "array2d"])
def test_lists_of_one_length_are_rows(hf: Any, tmp_path: Path, how: str) -> None:
    rows = RNG.integers(0, 256, (N, 4, 3), np.uint8)
    flat = how in ("list", "fixed")
    described = {
        "list": lambda: hf.List(hf.Value("uint8")),
        "fixed": lambda: hf.List(hf.Value("uint8"), length=12),
        "nested": lambda: hf.List(hf.List(hf.Value("uint8"))),
        "array2d": lambda: hf.Array2D((4, 3), "uint8"),
    }[how]()
    features = hf.Features({"x": described, "id": hf.Value("string"), "label": hf.Value("int64")})
    columns = {"x": rows.reshape(N, 12) if flat else rows, "id": list(map(str, range(N)))}
    data = hf.Dataset.from_dict({**columns, "label": [row % 2 for row in range(N)]}, features=features)
    data = hf.DatasetDict({"train": data.select(range(30)), "test": data.select(range(30, N))})
    dataset = load(saved(data, tmp_path))
    assert dataset.shape == ((12,) if flat else (4, 3))
    np.testing.assert_array_equal(dataset.test.x, (rows[30:].reshape(10, 12) / 255).astype(np.float32))


def test_rows_keep_the_order_of_a_shuffled_data_set(hf: Any, tmp_path: Path) -> None:
    data = table(hf, label=["x", "y"] * 20, a=None).shuffle(seed=1)
    dataset = load(saved(hf.DatasetDict({"train": data, "test": data}), tmp_path), scale="none")
    assert dataset.train.x[:, 0].tolist() == data["b"][:]


def test_a_table_has_named_columns_and_classes_become_one_column_each(hf: Any, tmp_path: Path) -> None:
    data = table(hf, colour=["red", "blue"] * 20, truth=[True, False] * 20, kind=["y", "x"] * 20)
    data = data.class_encode_column("colour")
    dataset = load(saved(data, tmp_path), label="kind", scale="none")
    assert dataset.columns == (Column("a"), Column("b"), Column("colour", ("blue", "red")), Column("truth"))
    assert dataset.inputs == 5
    assert dataset.classes is not None
    assert dataset.classes.tolist() == ["x", "y"]
    np.testing.assert_array_equal(dataset.train.x[:, 2] + dataset.train.x[:, 3], 1)


def test_features_and_label_can_be_chosen(hf: Any, tmp_path: Path) -> None:
    path = saved(table(hf, text=["t"] * N, label=["x", "y"] * 20), tmp_path)
    dataset = load(path, features=["b"], label="a", task="regression")
    assert (dataset.classes, dataset.inputs) == (None, 1)


def test_groups_are_a_column(hf: Any, tmp_path: Path) -> None:
    path = saved(table(hf, person=[f"p{row % 5}" for row in range(N)], label=["x", "y"] * 20), tmp_path)
    dataset = load(path, group="person")
    assert dataset.columns == (Column("a"), Column("b"))
    assert dataset.groups is not None
    assert set(dataset.groups.tolist()) == {"p0", "p1", "p2", "p3", "p4"}


def test_files_of_tables_are_read(tmp_path: Path) -> None:
    for part, rows in (("train", 8), ("test", 4)):
        lines = [f"{row},{row % 3},{'xy'[row % 2]}" for row in range(rows)]
        (tmp_path / f"{part}.csv").write_text("\n".join(["a,b,label", *lines]))
    files = {part: str(tmp_path / f"{part}.csv") for part in ("train", "test")}
    cache = str(tmp_path / "cache")
    dataset = load(Path("csv"), data_files=files, cache=cache)
    assert (len(dataset.train), len(dataset.test), dataset.inputs) == (8, 4, 2)
    assert load(Path("csv"), data_files=files["train"], cache=cache).name == "train"
    with pytest.raises(DataError, match=r"is a file: set dataset.path=csv .* dataset.data_files="):
        load(tmp_path / "train.csv")


def test_another_split_or_a_part_of_the_training_split_is_the_test_set(hf: Any, tmp_path: Path) -> None:
    data = table(hf, label=["x", "y"] * 20)
    parts = {"train": data, "test": data.select(range(4)), "validation": data.select(range(6))}
    path = saved(hf.DatasetDict(parts), tmp_path)
    assert len(load(path).test) == 4
    assert len(load(path, test_split="validation").test) == 6
    assert (len(load(path, test_split=None).train), len(load(path, test_split=None).test)) == (32, 8)
    with pytest.raises(
        DataError, match=r"no split 'dev', there are train, test, validation; set .*test_split"
    ):
        load(path, test_split="dev")


def ragged(hf: Any) -> Any:
    return table(hf, a=None, b=None, x=[[1.0] * (1 + row % 2) for row in range(N)], label=["x", "y"] * 20)


def unlike(hf: Any) -> Any:
    return pictures(hf, [png(np.zeros((3, 3 + row // 4), np.uint8)) for row in range(6)])


def broken(hf: Any) -> Any:
    return pictures(hf, [{"bytes": b"no picture", "path": None}] * 6)


def unlabelled(hf: Any) -> Any:
    return pictures(hf, [png(np.zeros((3, 3), np.uint8))] * 4, [0, 1, -1, -1])


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "ragged lists": (
        ragged,
        {},
        "train, column 'x': holds lists of different lengths, from 1 to 2; pad or cut",
    ),
    "unlike pictures": (
        unlike,
        {},
        r"row 4 is uint8 \(3, 4\), that in row 0 uint8 \(3, 3\); bring all to one",
    ),
    "broken picture": (broken, {}, "column 'image', row 0: cannot be decoded as a picture"),
    "no class": (unlabelled, {}, r"column 'label' has no class in 2 of 4 rows \(-1\); leave them out"),
    "missing label": (
        lambda hf: table(hf, label=["x", None] * 20),
        {},
        "label column 'label': 20 of 40 values are missing; fill them in",
    ),
    "missing number": (
        lambda hf: table(hf, b=[None, *range(N - 1)], label=["x", "y"] * 20),
        {},
        "train, column 'b': 1 of 40 values are missing",
    ),
    "not a number": (
        lambda hf: table(hf, b=[float("nan"), *range(N - 1)], label=["x", "y"] * 20),
        {},
        r"column 'b': nan at index \[0\]",
    ),
    "text among numbers": (
        lambda hf: table(hf, job=["smith"] * N, label=["x", "y"] * 20),
        {},
        r"also job \(string\); leave out what is no feature, dataset.features=\[a,b\], or make texts classes",
    ),
    "text alone": (
        lambda hf: table(hf, a=None, b=None, review=["good"] * N, label=["x", "y"] * 20),
        {},
        r"no column holds pictures or numbers to learn from: review \(string\)",
    ),
    "text asked for": (
        lambda hf: table(hf, review=["good"] * N, label=["x", "y"] * 20),
        {"features": ["review"]},
        "column 'review' holds string, a feature must be a picture",
    ),
    "no such column": (
        lambda hf: table(hf, label=["x", "y"] * 20),
        {"features": ["c"]},
        r"no column 'c'; there are a \(float64\), b \(int64\), label \(string\)",
    ),
    "no label": (
        lambda hf: table(hf, y=["x", "y"] * 20),
        {},
        r"Set dataset.label=COLUMN; the columns are a \(fl",
    ),
    "a column twice": (
        lambda hf: table(hf, label=["x", "y"] * 20),
        {"features": ["a", "label"], "label": "label"},
        "column 'label' is named twice among features, label and group",
    ),
    "options of the hub": (
        lambda hf: table(hf, label=["x", "y"] * 20),
        {"revision": "main"},
        "save_to_disk wrote it, so leave out dataset.revision",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_column_that_cannot_be_used_is_refused_by_name(hf: Any, tmp_path: Path, case: str) -> None:
    make, options, message = REFUSED[case]
    with pytest.raises(DataError, match=message):
        load(saved(make(hf), tmp_path), **options)


def test_splits_must_have_the_same_columns(hf: Any, tmp_path: Path) -> None:
    train, test = table(hf, label=["x", "y"] * 20), table(hf, label=[0, 1] * 20)
    path = saved(hf.DatasetDict({"train": train, "test": test}), tmp_path)
    with pytest.raises(DataError, match=r"column 'label' is Value\('string'\) in the training split"):
        load(path)


def test_a_run_learns_from_a_hugging_face_data_set_by_natural_id(hf: Any, tmp_path: Path) -> None:
    classes = np.arange(200) % 2
    x = np.random.default_rng(0).normal(0, 0.1, (200, 3)) + classes[:, None]
    people = [f"p{row % 4}" for row in range(200)]
    path = saved(hf.Dataset.from_dict({"x": x, "label": classes, "who": people}), tmp_path)
    given = [f"dataset.path={path}", "dataset.group=who", "partition=group", "actors=4", "rounds=3"]
    config = compose("dataset=huggingface", *given, "backend=inline", "baseline=false", "display=off")
    trained = run(config)
    assert trained.arms[0].accuracy == 1.0
    assert trained.predict(x[:4]).tolist() == [0, 1, 0, 1]


def fresh(code: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a process that has imported nothing yet and knows nothing of these libraries."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "FLWR_"))}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**inherited, **environment, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_no_library_reports_its_use() -> None:
    settings = "import datasets, huggingface_hub.constants as hub, flwr_datasets.common.telemetry as flower; "
    settings += "print(hub.HF_HUB_DISABLE_TELEMETRY, datasets.config.HF_UPDATE_DOWNLOAD_COUNTS, "
    process = fresh(f"import fedlocal.data; {settings} flower.FLWR_TELEMETRY_ENABLED)")
    assert process.stdout.split() == ["True", "False", "0"], process.stderr


def test_without_network_the_command_says_so_in_one_line(tmp_path: Path) -> None:
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    options = ["dataset=huggingface", "dataset.path=ylecun/mnist", f"hydra.run.dir={tmp_path}"]
    ended = fresh("from fedlocal.cli.main import main; main()", *options, **offline)
    assert ended.returncode == 1
    message = ended.stderr.strip()
    assert "ylecun/mnist" in message
    assert "keep it with save_to_disk; then set dataset.path=FOLDER" in message
    assert "Traceback" not in message
    assert len(message.splitlines()) < 5
