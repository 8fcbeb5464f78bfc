import io

import pytest
from rich.console import Console
from rich.table import Table

from fedlocal.results import Arm, History, Round, comparison_table
from fedlocal.results.text import duration, fixed

ARMS = [
    Arm("federated, 4 actors", 0.97222, 0.0931, 1.2123, idle_share=0.042),
    Arm("sequential, 1 thread", 0.975, 0.0899, 2.2188, speed_up=1.83, end_to_end=1.61),
    Arm("sequential, all cores", 0.975, float("nan"), 1.5777, speed_up=1.3, end_to_end=1.22),
]


def printed(table: Table, width: int = 80, encoding: str = "utf-8") -> list[str]:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=stream, width=width).print(table)
    stream.flush()
    return raw.getvalue().decode(encoding).splitlines()


def cells(lines: list[str], name: str) -> list[str]:
    line = next(line for line in lines if line.startswith(name))
    return line.removeprefix(name).split()


def test_each_scheme_is_one_line() -> None:
    lines = printed(comparison_table(ARMS, "digits"))
    assert lines[0].strip() == "digits"
    assert cells(lines, "federated, 4 actors") == ["0.9722", "0.0931", "1.21", "s", "-", "-", "4", "%"]
    assert cells(lines, "sequential, 1 thread") == ["0.9750", "0.0899", "2.22", "s", "1.83x", "1.61x", "-"]
    assert cells(lines, "sequential, all cores") == ["0.9750", "nan", "1.58", "s", "1.30x", "1.22x", "-"]
    header = " ".join(lines)
    assert all(word in header for word in ("scheme", "accuracy", "loss", "training", "speed-up", "idle"))
    assert any(line.startswith("speed-up:") for line in lines)


def test_it_is_plain_text_where_there_is_no_terminal() -> None:
    assert "\x1b" not in "".join(printed(comparison_table(ARMS)))
    assert cells(printed(comparison_table(ARMS), encoding="ascii"), "federated, 4 actors")[0] == "0.9722"


def test_long_names_keep_within_the_width() -> None:
    arms = [Arm("federated, 1000 actors on 64 workers, fedavg", 0.9, 0.1, 4000.0), *ARMS[1:]]
    lines = printed(comparison_table(arms))
    assert all(len(line) <= 80 for line in lines)
    assert any("1 h 07 min" in line for line in lines)


def test_columns_without_a_value_are_left_out() -> None:
    text = "\n".join(printed(comparison_table([Arm("local", None, 12.5, 83.0)])))
    assert "accuracy" not in text
    assert "speed-up" not in text
    assert "1 min 23 s" in text


def test_what_a_round_took_stands_below_where_it_was_recorded() -> None:
    history = History()
    history.record(Round(0, {"start-up": 0.5}))
    for number in (1, 2):
        spans = {"dispatch": 0.001, "training": 0.2, "collection": 0.003, "aggregation": 0.0}
        history.record(Round(number, {**spans, "evaluation": 9.0}))
    lines = printed(comparison_table(ARMS, main=history))
    assert any(line.startswith("a round: dispatch 1.0, training 200, collection 3.0, aggr") for line in lines)
    assert "a round" not in "".join(printed(comparison_table(ARMS, main=History())))


def test_what_the_workers_did_stands_below_where_it_is_known() -> None:
    known = Arm("federated", 0.9, 0.1, 2.0, efficiency=0.75, communication_share=0.05, critical_path=1.5)
    lines = [line.rstrip() for line in printed(comparison_table([known, *ARMS[1:]]))]
    assert "workers: 75 % computing, 5 % communication, 20 % waiting for others" in lines
    assert "critical path: 1.50 s of 2.00 s" in lines
    assert not any(line.startswith(("workers", "critical")) for line in printed(comparison_table(ARMS)))


def test_names_are_not_taken_for_markup() -> None:
    assert any("[bold]x[/]" in line for line in printed(comparison_table([Arm("[bold]x[/]", 0.5, 0.5, 1.0)])))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (0.0, "0 ms"),
        (0.0996, "100 ms"),
        (9.994, "9.99 s"),
        (9.996, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3569.4, "59 min 29 s"),
        (3600.0, "1 h 00 min"),
        (90_000.0, "25 h 00 min"),
    ],
)
def test_times_are_in_the_units_that_matter(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_large_losses_stay_short() -> None:
    assert fixed(1e30) == "1e+30"
    assert fixed(float("inf")) == "inf"
