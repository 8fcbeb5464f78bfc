"""Of several runs one computes the baselines, and the others find them."""

import threading
from pathlib import Path

import pytest

from fedlocal.results import ResultsError, SharedBaseline


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    for run in ("0", "1"):
        (tmp_path / run).mkdir()
    return tmp_path


def of(sweep: Path, run: str, key: str = "key") -> SharedBaseline:
    return SharedBaseline(sweep, key, sweep / run)


def test_a_baseline_that_a_run_computed_is_found_by_the_other_runs(sweep: Path) -> None:
    assert of(sweep, "1").computed() is None
    of(sweep, "0").publish({"sequential, 1 thread": "ab"}, {"sequential, 2 threads": 3})
    assert of(sweep, "1").computed() == (
        sweep / "0",
        {"sequential, 1 thread": "ab"},
        {"sequential, 2 threads": 3},
    )
    assert of(sweep, "1", "another").computed() is None


def test_a_run_claims_a_baseline_and_the_other_runs_learn_of_it(sweep: Path) -> None:
    with of(sweep, "0").claimed(wait=False) as first, of(sweep, "1").claimed(wait=False) as second:
        assert (first, second) == (True, False)
    with of(sweep, "1").claimed(wait=False) as later:
        assert later


def test_a_run_that_waits_gets_the_baseline_when_the_holder_is_done(sweep: Path) -> None:
    order = []

    def wait() -> None:
        with of(sweep, "1").claimed(wait=True) as held:
            order.append(("second", held, of(sweep, "1").computed()))

    waiting = threading.Thread(target=wait)
    with of(sweep, "0").claimed(wait=False):
        waiting.start()
        of(sweep, "0").publish({"a": "b"}, {})
        order.append(("first", True, None))
    waiting.join(60)
    assert [who for who, *_ in order] == ["first", "second"]
    assert order[1][1:] == (True, (sweep / "0", {"a": "b"}, {}))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"run": 3, "hashes": {}}', '{"run": "0", "hashes": []}'])
def test_a_damaged_note_counts_as_no_note(sweep: Path, text: str) -> None:
    of(sweep, "0").publish({}, {})
    (sweep / ".baselines" / "key" / "computed.json").write_text(text)
    assert of(sweep, "1").computed() is None


def test_a_run_that_was_deleted_offers_no_baseline(sweep: Path) -> None:
    of(sweep, "0").publish({"a": "b"}, {})
    (sweep / "0").rmdir()
    assert of(sweep, "1").computed() is None


def test_a_folder_that_cannot_be_written_is_a_clear_error(sweep: Path) -> None:
    (sweep / ".baselines").touch()
    with pytest.raises(ResultsError, match="cannot write"), of(sweep, "0").claimed(wait=False):
        pytest.fail("it was")
