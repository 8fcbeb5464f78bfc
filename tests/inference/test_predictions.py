import csv
from pathlib import Path

import numpy as np

from fedlocal.inference.predictions import Predictions, write_predictions


def test_a_label_is_no_formula_in_the_file_and_a_number_stays_a_number(tmp_path: Path) -> None:
    words, path = np.array(["=1+1", "plain"]), tmp_path / "predictions.csv"
    write_predictions(path, Predictions(words, np.array([[0.25, 0.75], [0.5, 0.5]]), words))
    with path.open(newline="") as stream:
        assert list(csv.reader(stream))[1:] == [["'=1+1", "0.25", "0.75"], ["plain", "0.5", "0.5"]]
    write_predictions(path, Predictions(np.array([-1.5, 2.0])))
    assert path.read_text().split() == ["prediction", "-1.5", "2.0"]
