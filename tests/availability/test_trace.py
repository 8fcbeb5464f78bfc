"""A file says who is there, and what is wrong with it is said with its line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedlocal.availability import AvailabilityError, Trace
from tests.availability.draws import draw, there


def written(folder: Path, text: str) -> str:
    path = folder / "trace.csv"
    path.write_text(text, newline="")
    return str(path)


def test_stretches_include_both_ends_and_may_be_open(tmp_path: Path) -> None:
    path = written(tmp_path, "actor,from,to\n0,1,\n1,2,3\n\n1, 5 ,5\n")
    expected = np.array([[1, 1, 1, 1, 1], [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]]).T
    np.testing.assert_array_equal(there(Trace(path), 3, 5), expected)


def test_a_line_for_each_round_says_the_same_as_stretches(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeffround,actor\r\n5,0\r\n1,0\r\n2,1\r\n3,1\r\n")
    expected = np.array([[1, 0, 0, 0, 1], [0, 1, 1, 0, 0]]).T
    np.testing.assert_array_equal(there(Trace(path), 2, 5), expected)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=8), st.integers(1, 30))
def test_a_written_trace_is_read_and_repeated(tmp_path: Path, table: list[list[bool]], rounds: int) -> None:
    table[-1][0] = True  # the last round is the last that anybody is there
    lines = [
        f"{number},{actor}" for number, row in enumerate(table, 1) for actor, is_ in enumerate(row) if is_
    ]
    path = written(tmp_path, "\n".join(["round,actor", *lines]))
    expected = [table[number % len(table)] for number in range(rounds)]
    np.testing.assert_array_equal(there(Trace(path, repeat=True), 4, rounds), expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"line 1: expected the header actor,from,to or round,actor, got ''"),
        ("who,when\n", r"line 1: expected the header .*, got 'who,when'"),
        ("round,actor\n", "has no line but its header: nobody would ever be there"),
        ("round,actor\n1,0\nx,1\n", r"line 3: round='x': expected a whole number of at least 1"),
        ("round,actor\n0,0\n", r"line 2: round='0': expected a whole number of at least 1"),
        ("round,actor\n\n1,-1\n", r"line 3: actor='-1': expected a whole number of at least 0"),
        ("round,actor\n1,0,1\n", r"line 2: expected 2 fields \(round,actor\), got 3"),
        ("actor,from,to\n0,3,2\n", r"line 2: to='2': expected a whole number of at least 3"),
        ("actor,from,to\n0,1,\n9,1,\n", r"line 3: there is no actor 9: with actors=4 they are 0 to 3"),
        ("round,actor\n1,1.0\n", r"line 2: actor='1.0'"),
        (f"round,actor\n{'9' * 5000},1\n", "line 2: "),
        ("round,actor\n3,0\n", r"ends with round 3, but the run has rounds=9; set availability.repeat=true"),
        ("actor,from,to\n0,1,8\n", r"ends with round 8, but the run has rounds=9"),
    ],
)
def test_an_error_in_a_trace_is_reported_before_the_first_round(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(AvailabilityError, match=reason) as caught:
        Trace(written(tmp_path, text))(4, 9, draw())
    assert "trace.csv" in str(caught.value)


def test_a_stretch_without_an_end_cannot_be_repeated(tmp_path: Path) -> None:
    path = written(tmp_path, "actor,from,to\n0,1,3\n1,2,\n")
    with pytest.raises(AvailabilityError, match="line 3: a stretch without an end cannot be repeated"):
        Trace(path, repeat=True)(4, 9, draw())


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(AvailabilityError, match=r"cannot read .*absent.csv: No such file"):
        Trace(str(tmp_path / "absent.csv"))(4, 9, draw())
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(AvailabilityError, match="is not a CSV file"):
        Trace(str(tmp_path / "image.csv"))(4, 9, draw())
