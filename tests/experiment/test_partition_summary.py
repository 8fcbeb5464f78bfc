"""What a run's folder says of its partition, whatever its size."""

import json
from pathlib import Path

import numpy as np

from fedlocal.data import Dataset, Partition, Rows
from fedlocal.experiment.partition_summary import MOST_ACTORS, MOST_CLASSES, summarize_partition
from fedlocal.results import write_json


def dataset(y: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]", classes: int) -> Dataset:
    rows = Rows(np.zeros((len(y), 1), np.float32), y)
    return Dataset("some", rows, rows, np.array([f"c{label}" for label in range(classes)]), (1,))


def test_each_actors_rows_and_classes_are_counted() -> None:
    summary = summarize_partition(
        dataset(np.array([0, 1, 1, 2, 2]), 3), Partition(np.array([0, 2, 4, 1, 3]), np.array([0, 3, 5]))
    )
    assert (summary["actors"], summary["rows"], summary["shown"], summary["sizes"]) == (2, 5, [0, 1], [3, 2])
    assert [list(line) for line in summary["counts"]] == [[1, 1, 1], [0, 1, 1]]
    assert summary["classes"] == ["c0", "c1", "c2"]


def test_the_summary_of_very_many_actors_and_classes_is_small(tmp_path: Path) -> None:
    actors = 50_000
    many = Partition(np.arange(actors), np.arange(actors + 1))
    summary = summarize_partition(dataset(np.arange(actors) % 1000, 1000), many)
    assert len(summary["shown"]) <= MOST_ACTORS
    assert len(summary["classes"]) <= MOST_CLASSES
    write_json(tmp_path / "partition.json", summary, indent=None)
    assert (tmp_path / "partition.json").stat().st_size < 100_000
    assert json.loads((tmp_path / "partition.json").read_bytes())["actors"] == actors


def test_real_targets_have_quantiles_and_an_empty_actor_has_no_quantiles() -> None:
    rows = Rows(np.zeros((5, 1), np.float32), np.arange(5, dtype=np.float32)[:, None])
    summary = summarize_partition(
        Dataset("some", rows, rows, None, (1,)), Partition(np.arange(5), np.array([0, 5, 5]))
    )
    assert list(summary["quantiles"][0]) == [0, 1, 2, 3, 4]
    assert np.isnan(summary["quantiles"][1]).all()
