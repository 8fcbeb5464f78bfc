from pathlib import Path

import pytest

from fedlocal.results.csv_file import write_csv
from fedlocal.results.metrics_csv import metric_records, read_metrics
from fedlocal.results.rounds import HEADER, MetricRow


@pytest.mark.parametrize("name", ["=1+1", "-x", "@a", "'quoted", "accuracy", "+b"])
def test_a_metric_of_an_app_is_no_formula_in_the_file_and_is_read_as_it_was(
    tmp_path: Path, name: str
) -> None:
    rows = [MetricRow(1, "train", None, name, 0.5), MetricRow(1, "evaluate", 3, name, -2.0)]
    write_csv(tmp_path / "metrics.csv", HEADER, metric_records(rows))
    text = (tmp_path / "metrics.csv").read_text()
    assert not any(f",{start}" in text for start in ("=", "@", "+", "-x"))
    assert read_metrics(tmp_path / "metrics.csv") == rows
