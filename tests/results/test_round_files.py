from pathlib import Path

import pytest

from fedlocal.results import History, MessageError, Round


@pytest.mark.parametrize("name", ["=1+1", "-x", "@a", "'quoted", "'=1", "accuracy", "+b"])
def test_a_metric_of_an_app_is_no_formula_in_the_file_and_is_read_as_it_was(
    tmp_path: Path, name: str
) -> None:
    round_ = Round(1, metrics={name: 0.5}, actors={3: {name: -2.0}})
    with History(tmp_path) as history:
        history.record(round_)
    text = (tmp_path / "metrics.csv").read_text()
    assert not any(f",{start}" in text for start in ("=", "@", "+", "-x"))
    assert History.load(tmp_path).rounds == [round_]


def test_whatever_a_client_says_of_its_error_the_rounds_go_on(tmp_path: Path) -> None:
    with History(tmp_path) as history:
        history.record(Round(1, errors=(MessageError(0, "train", "\ud800\x1b[2J a\nb"),)))
        history.record(Round(2))
    assert [error.reason for error in history.rounds[0].errors] == ["��[2J a b"]
    assert History.load(tmp_path).rounds == history.rounds
