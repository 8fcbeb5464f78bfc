"""Whatever bit of a history's files changes: the rounds are those that were recorded, or it is refused."""

import json
from pathlib import Path

import pytest

from fedlocal.results import History, ResultsError, Round, Work
from fedlocal.results.atomic_files import read_json, write_json
from fedlocal.results.copies import copy_of

ROUNDS = [
    Round(
        number,
        {"training": 0.5 * number},
        {"loss": 1 / number, "accuracy": 0.9},
        work=(Work(0, 1, 0.25, 0.5),),
    )
    for number in (1, 2)
]


def recorded(folder: Path) -> None:
    """Leave the files of a history."""
    history = History(folder)
    for round_ in ROUNDS:
        history.record(round_)
    history.close()


def flips(content: bytes) -> list[tuple[int, int]]:
    """Return bits all over a file: none of its parts is left out, and each kind of bit comes."""
    return [(at, 1 << at % 8) for at in range(0, len(content), 11)]


@pytest.mark.parametrize("name", ["metrics.csv", ".metrics.csv.copy", "timeline.csv", ".timeline.csv.copy"])
def test_no_flipped_bit_changes_a_round_of_a_run_that_goes_on(tmp_path: Path, name: str) -> None:
    recorded(tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    content = files[tmp_path / name]
    for at, bit in flips(content):
        for path in tmp_path.iterdir():
            path.unlink()
        for path, whole in files.items():
            path.write_bytes(whole)
        damaged = content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]
        (tmp_path / name).write_bytes(damaged)
        history = History.resumed(tmp_path, 2)
        assert history.rounds == ROUNDS, (at, bit)
        history.close()
        kept, torn = tmp_path / f"{name}.damaged", at >= content.rindex(b"\n")
        assert name.startswith(".") or torn or kept.read_bytes() == damaged
        assert (tmp_path / name).read_bytes() == content


def test_changed_rows_are_reported_though_their_copy_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded(tmp_path)
    assert History.load(tmp_path).rounds == ROUNDS
    assert not caplog.records
    path = tmp_path / "metrics.csv"
    path.write_text(path.read_text().replace("0.9", "0.8", 1))
    assert History.load(tmp_path).rounds == ROUNDS
    assert f"{path} is damaged (line" in caplog.text


def test_a_history_of_an_earlier_version_that_changed_is_read_from_the_rows(tmp_path: Path) -> None:
    recorded(tmp_path)
    older = [vars(round_) | {"work": []} for round_ in ROUNDS]
    write_json(tmp_path / "history.json", {"rounds": older}, indent=None, seal=True)
    content = (tmp_path / "history.json").read_bytes()
    for at, bit in flips(content):
        (tmp_path / "history.json").write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])
        try:
            rounds = History.load(tmp_path).rounds
        except ResultsError:
            rounds = None
        assert rounds in (None, ROUNDS), (at, bit)
    resumed = History.resumed(tmp_path, 1)
    assert resumed.rounds == ROUNDS[:1]
    assert not (tmp_path / "history.json").exists()
    resumed.close()


def test_both_copies_damaged_are_refused_with_a_way_out(tmp_path: Path) -> None:
    recorded(tmp_path)
    for path in (tmp_path / "metrics.csv", copy_of(tmp_path / "metrics.csv")):
        path.write_bytes(path.read_bytes().replace(b"train", b"t\xe4ain"))
    with pytest.raises(ResultsError, match=r"no sound copy.* move metrics\.csv\.damaged"):
        History.resumed(tmp_path, 2)
    assert (tmp_path / "metrics.csv.damaged").exists()


@pytest.mark.parametrize("lost", ["metrics.csv", ".metrics.csv.copy"])
def test_a_lost_file_comes_back_from_its_copy(tmp_path: Path, lost: str) -> None:
    recorded(tmp_path)
    content = (tmp_path / lost).read_bytes()
    (tmp_path / lost).unlink()
    History.resumed(tmp_path, 2).close()
    assert (tmp_path / lost).read_bytes() == content


@pytest.mark.parametrize("torn", ["metrics.csv", ".metrics.csv.copy"])
def test_a_torn_end_is_no_damage(tmp_path: Path, torn: str) -> None:
    recorded(tmp_path)
    content = (tmp_path / torn).read_bytes()
    for end in range(len(content) // 2, len(content)):
        (tmp_path / torn).write_bytes(content[:end])
        assert History.load(tmp_path).rounds == ROUNDS
    History.resumed(tmp_path, 2).close()
    assert not list(tmp_path.glob("*.damaged"))


@pytest.mark.parametrize("indent", [None, 2])
def test_a_sealed_file_is_json_and_refused_once_it_changed(tmp_path: Path, indent: int | None) -> None:
    path, value = tmp_path / "a.json", {"x": [1.5, "ä"], "sum": {"y": None}}
    write_json(path, value, indent=indent, seal=True)
    whole = read_json(path)
    assert {key: whole[key] for key in value} == value
    assert json.loads(path.read_bytes()) == whole
    path.write_bytes(path.read_bytes().replace(b"1.5", b"1.7"))
    with pytest.raises(ResultsError, match=r"a\.json is damaged: its SHA-256"):
        read_json(path)
