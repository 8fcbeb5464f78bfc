import csv
import json
import logging
import math
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.results import TIMED, History, MessageError, ResultsError, Round, Work
from fedlocal.results.copies import copy_of
from fedlocal.results.phases import PHASES

FIRST = Round(0, {"evaluation": 0.25}, {"loss": 2.3, "accuracy": 0.1})
SECOND = Round(
    1,
    {"dispatch": 0.5, "training": 4.0, "collection": 0.25, "aggregation": 0.25, "idle": 1.0, "busy": 3.0},
    {"train-loss": 1.5, "loss": 1.25, "accuracy": 0.5},
    {
        0: {"num-examples": 30, "train-loss": 1.0, "seconds": 2.0},
        1: {"num-examples": 10, "client-accuracy": 0.75},
    },
    (MessageError(2, "train", "ValueError: bad shape"), MessageError(2, "client", "OSError: no rows")),
)
WAVES = (Work(0, 0, 0.25, 0.5), Work(1, 1, 0.25, 0.75), Work(0, 1, 1.0, 0.1), Work(1, 0, 1.0, 0.2))
THIRD = Round(2, {"training": 1.25}, {"train-loss": 1.0}, {0: {"seconds": 0.6}}, work=WAVES)
FOURTH = Round(3, {"training": 1.25}, work=WAVES[:2])


def lines(folder: Path) -> list[list[str]]:
    with (folder / "metrics.csv").open(newline="") as stream:
        return list(csv.reader(stream))


def test_the_csv_has_its_header_before_the_first_round(tmp_path: Path) -> None:
    History(tmp_path).close()
    assert lines(tmp_path) == [["round", "phase", "actor", "metric", "value"]]


def test_rows_are_on_disk_as_soon_as_a_round_is_recorded(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.record(FIRST)
    history.record(SECOND)
    written = lines(tmp_path)
    history.close()
    assert ["0", "evaluate", "", "accuracy", "0.1"] in written
    assert ["1", "dispatch", "", "seconds", "0.5"] in written
    assert ["1", "train", "", "train-loss", "1.5"] in written
    assert ["1", "train", "0", "num-examples", "30"] in written
    assert ["1", "evaluate-clients", "1", "client-accuracy", "0.75"] in written
    assert ["1", "error", "2", "ValueError: bad shape", "1"] in written
    assert ["1", "error-evaluate-clients", "2", "OSError: no rows", "1"] in written


def test_a_saved_history_is_loaded_as_it_was(tmp_path: Path) -> None:
    with History(tmp_path) as history:
        history.record(FIRST)
        history.record(SECOND)
    assert History.load(tmp_path).rounds == [FIRST, SECOND]


def test_a_killed_run_is_loaded_from_its_rows(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.record(FIRST)
    history.record(SECOND)
    assert History.load(tmp_path).rounds == [FIRST, SECOND]
    history.close()


def test_a_round_that_a_kill_tore_is_left_out_whole(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.record(FIRST)
    whole = (tmp_path / "metrics.csv").stat().st_size
    history.record(SECOND)
    content = (tmp_path / "metrics.csv").read_bytes()
    history.close()
    copy_of(tmp_path / "metrics.csv").unlink()
    for end in range(whole + 1, len(content)):
        if content[end - 1 : end] == b"\n":
            continue  # a cut between two lines cannot be seen
        (tmp_path / "metrics.csv").write_bytes(content[:end])
        assert History.load(tmp_path).rounds == [FIRST], content[:end]


@pytest.mark.parametrize(
    ("torn", "left"),
    [("2,dispatch,,sec", [0, 1]), ("2", [0, 1]), ("1,train", [0]), ("1", [0]), ("12,dispatch", [0, 1])],
)
def test_only_the_torn_round_is_left_out(tmp_path: Path, torn: str, left: list[int]) -> None:
    history = History(tmp_path)
    history.record(FIRST)
    history.record(SECOND)
    with (tmp_path / "metrics.csv").open("a") as stream:
        stream.write(torn)
    assert [round_.number for round_ in History.load(tmp_path).rounds] == left
    history.close()


def test_a_tear_within_the_header_leaves_no_history(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("round,pha")
    with pytest.raises(ResultsError, match=r"not a metrics\.csv"):
        History.load(tmp_path)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "round,phase,actor,metric,value\n1,train,x,loss,2\n"])
def test_a_csv_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(ResultsError, match=r"metrics\.csv"):
        History.load(tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", '{"rounds": [{}]}', '{"rounds": [{"number": "x"}]}'])
def test_a_damaged_json_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "history.json").write_text(content)
    with pytest.raises(ResultsError, match="delete it"):
        History.load(tmp_path)


def test_an_empty_folder_has_no_history(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot read"):
        History.load(tmp_path)


def test_numbers_that_are_not_finite_are_read_back(tmp_path: Path) -> None:
    with History(tmp_path) as history:
        history.record(Round(1, metrics={"loss": math.nan, "accuracy": math.inf, "f1": -math.inf}))
    loaded = History.load(tmp_path).rounds[0].metrics
    assert math.isnan(loaded["loss"])
    assert (loaded["accuracy"], loaded["f1"]) == (math.inf, -math.inf)


def recorded(folder: Path, *rounds: Round) -> History:
    history = History(folder)
    for round_ in rounds:
        history.record(round_)
    return history


def test_stretches_of_work_have_a_file_of_their_own(tmp_path: Path) -> None:
    history = recorded(tmp_path, FIRST, SECOND)
    assert not (tmp_path / "timeline.csv").exists()
    history.record(THIRD)
    history.record(FOURTH)
    text = (tmp_path / "timeline.csv").read_text()
    assert text.splitlines()[:2] == ["round,actor,worker,started,seconds", "2,0,0,0.25,0.5"]
    assert len([fields for fields in lines(tmp_path) if fields[0] == "2"]) == 3  # a span, a loss, an actor
    for _ in range(2):  # while it grows, and at its end
        assert History.load(tmp_path).rounds == [FIRST, SECOND, THIRD, FOURTH]
        history.close()


def test_a_new_history_does_not_leave_an_old_timeline(tmp_path: Path) -> None:
    recorded(tmp_path, THIRD).close()
    assert (tmp_path / "timeline.csv").exists()
    recorded(tmp_path, FIRST).close()
    assert not (tmp_path / "timeline.csv").exists()


def test_a_history_that_goes_on_drops_the_stretches_of_later_rounds(tmp_path: Path) -> None:
    recorded(tmp_path, SECOND, THIRD, FOURTH).close()
    history = History.resumed(tmp_path, 2)
    history.record(Round(3, work=WAVES[2:]))
    history.close()
    assert History.load(tmp_path).rounds == [SECOND, THIRD, Round(3, work=WAVES[2:])]


def test_a_round_that_is_read_back_has_all_its_stretches_or_no_stretch(tmp_path: Path) -> None:
    history = recorded(tmp_path, THIRD)
    whole = (tmp_path / "timeline.csv").stat().st_size
    history.record(FOURTH)
    content = (tmp_path / "timeline.csv").read_bytes()
    history.close()
    copy_of(tmp_path / "timeline.csv").unlink()
    for end in range(whole + 1, len(content)):
        if content[end - 1 : end] == b"\n":
            continue  # a cut between two lines cannot be seen
        (tmp_path / "timeline.csv").write_bytes(content[:end])
        assert History.load(tmp_path).rounds == [THIRD, Round(3, {"training": 1.25})], content[:end]


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "round,actor,worker,started,seconds\n2,0,x,1,1\n"])
def test_a_damaged_timeline_costs_only_itself(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorded(tmp_path, SECOND, THIRD).close()
    copy_of(tmp_path / "timeline.csv").unlink()
    (tmp_path / "timeline.csv").write_text(content)
    assert [len(round_.work) for round_ in History.load(tmp_path).rounds] == [0, 0]
    assert "timeline.csv" in caplog.text


def test_a_timeline_that_cannot_be_written_does_not_end_a_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history = History(tmp_path)
    (tmp_path / "timeline.csv").mkdir()  # in the way
    for round_ in (SECOND, THIRD, FOURTH):
        history.record(round_)
    history.close()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    (tmp_path / "timeline.csv").rmdir()
    assert [round_.number for round_ in History.load(tmp_path).rounds] == [1, 2, 3]


def test_a_lost_folder_is_saved_whole(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    history = recorded(tmp_path / "run", THIRD)
    shutil.rmtree(tmp_path / "run")
    history.record(FOURTH)
    history.close()
    assert History.load(tmp_path / "run").rounds == [THIRD, FOURTH]


def test_stretches_come_from_work_or_from_the_actors() -> None:
    assert THIRD.stretches == WAVES
    when = {"started": 0.5, "seconds": 1.0, "worker": 1.0}
    round_ = Round(1, actors={3: when, 2: when | {"started": 0.25}, 1: {"seconds": 1.0}})
    assert round_.stretches == [Work(3, 1, 0.5, 1.0), Work(2, 1, 0.25, 1.0)]
    assert SECOND.stretches == []


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1) | st.just("seconds")
NUMBERS = st.dictionaries(
    NAMES | st.sampled_from(["'=1", "=1", "''-2", "'-2", "-2"]), st.floats(), max_size=3
)
ROUNDS = st.builds(
    Round,
    number=st.integers(0, 10**6),
    seconds=st.dictionaries(st.sampled_from([*TIMED, "evaluation", "idle", "busy"]), st.floats(0, 1e6)),
    metrics=NUMBERS,
    actors=st.dictionaries(st.integers(0, 10**6), NUMBERS, max_size=3),
    errors=st.lists(
        st.builds(MessageError, st.integers(0, 9), st.sampled_from(PHASES), st.text(max_size=9))
    ).map(tuple),
    work=st.lists(st.builds(Work, st.integers(0, 9), st.integers(0, 9), st.floats(), st.floats())),
    absent=st.dictionaries(st.integers(0, 9), st.sampled_from(["away", "left"])),
    trained_rows=st.none() | st.integers(0, 10**9),
)


@given(st.lists(ROUNDS, max_size=3, unique_by=lambda round_: round_.number))
def test_what_is_read_from_a_folder_is_what_was_recorded(rounds: list[Round]) -> None:
    with TemporaryDirectory() as name, History(Path(name)) as history:
        for round_ in sorted(rounds, key=lambda round_: round_.number):
            history.record(round_)
        for _ in range(2):  # while it grows, and at its end
            read = History.load(Path(name))
            assert list(map(plain, read.rounds)) == list(map(plain, history.rounds))
            assert repr(read) == repr(history)
            history.close()


def plain(round_: Round) -> object:
    """Return what can be compared: NaN equals nothing."""
    return {
        key: repr(sorted(value.items()) if isinstance(value, dict) else value)
        for key, value in vars(round_).items()
    }


def test_histories_of_earlier_versions_are_read(tmp_path: Path) -> None:
    old = {"number": 1, "seconds": {}, "metrics": {"loss": 0.5, "client-loss": 0.7, "train-loss": 0.9}}
    old |= {"actors": {"3": {"num-examples": 5.0, "accuracy": 0.5}}, "errors": {"2": "gone"}}
    (tmp_path / "history.json").write_text(json.dumps({"rounds": [old]}))
    rows = ["evaluate,,loss,0.5", "evaluate,,client-loss,0.7", "train,,train-loss,0.9"]
    rows += ["train,3,num-examples,5", "evaluate,3,accuracy,0.5", "error,2,gone,1"]
    csv_text = "\n".join(["round,phase,actor,metric,value", *(f"1,{row}" for row in rows), ""])
    (tmp_path / "metrics.csv").write_text(csv_text)
    expected = Round(
        1,
        metrics={"loss": 0.5, "client-loss": 0.7, "train-loss": 0.9},
        actors={3: {"num-examples": 5.0, "accuracy": 0.5}},
        errors=(MessageError(2, "train", "gone"),),
    )
    assert History.load(tmp_path).rounds == [expected]
    (tmp_path / "history.json").unlink()
    assert History.load(tmp_path).rounds == [expected]


def test_metrics_are_seen_as_series() -> None:
    history = History()
    history.record(FIRST)
    history.record(Round(1, metrics={"train-loss": 1.0}))
    history.record(Round(2, metrics={"loss": 0.5, "accuracy": 0.9}))
    history.record(Round(3, metrics={"loss": math.nan, "accuracy": 0.8}))
    assert history.series("accuracy") == ([0, 2, 3], [0.1, 0.9, 0.8])
    assert history.final("accuracy") == 0.8
    assert history.best("accuracy") == 0.9
    assert history.best("accuracy", "min") == 0.1
    assert history.best("loss") == 0.5
    assert history.final("f1") is None
    assert history.best("f1") is None


def test_training_time_counts_neither_evaluation_nor_the_workers_sums() -> None:
    history = History()
    history.record(FIRST)
    history.record(SECOND)
    assert history.seconds == 5.0
    assert history.total("evaluation") == 0.25
    assert history.idle_share == 0.25
    assert History().idle_share is None


def test_rounds_must_ascend() -> None:
    history = History()
    history.record(SECOND)
    with pytest.raises(ResultsError, match="round 0 recorded after round 1"):
        history.record(FIRST)


def test_a_new_history_does_not_leave_the_files_of_an_old_history(tmp_path: Path) -> None:
    with History(tmp_path) as history:
        history.record(FIRST)
    again = History(tmp_path)
    assert History.load(tmp_path).rounds == []
    again.close()


def test_a_folder_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match="choose a folder that can be written"):
        History(tmp_path / "file")
    with pytest.raises(ResultsError, match="choose a folder that can be written"):
        History(tmp_path / "missing")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said_at_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ResultsError, match="Permission denied"):
        History(tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /dev/full")
def test_training_goes_on_when_the_disk_is_full(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = History(tmp_path)
    full = Path("/dev/full").open("w")  # noqa: SIM115  (the history closes it)
    assert history._metrics is not None
    history._metrics.close()
    history._metrics._streams = [full, full]
    history._metrics._failed = False
    for round_ in (FIRST, SECOND, Round(2)):
        history.record(round_)
    assert len(history.rounds) == 3
    history.close()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "the run goes on" in caplog.text


def test_training_goes_on_when_the_file_was_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = History(tmp_path)
    assert history._metrics is not None
    history._metrics._streams[-1].close()
    history.record(FIRST)
    history.record(SECOND)
    assert len(caplog.records) == 1
    history.close()
    assert History.load(tmp_path).rounds == [FIRST, SECOND]


def test_a_failed_save_does_not_hide_what_ended_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()

    def fail_in_a_lost_folder() -> None:
        with History(folder) as history:
            history.record(FIRST)
            shutil.rmtree(folder)
            folder.touch()
            raise KeyError("the news")

    with pytest.raises(KeyError, match="the news"):
        fail_in_a_lost_folder()
    assert "cannot write" in caplog.text


def test_the_frame_has_the_rows() -> None:
    pandas = pytest.importorskip("pandas")
    history = History()
    history.record(SECOND)
    frame = history.to_frame()
    assert list(frame.columns) == ["round", "phase", "actor", "metric", "value"]
    assert frame.query("metric == 'num-examples'")["value"].sum() == 40
    assert frame["actor"].isna().sum() == 9
    assert isinstance(frame, pandas.DataFrame)


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        History().to_frame()
