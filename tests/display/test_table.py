import io
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from fedlocal.display.table import comparison_table
from fedlocal.results import Arm, History, Round
from fedlocal.results.formatting import duration, fixed

ARMS = [
    Arm("federated, 4 actors", 0.97222, 0.0931, 1.2123, idle_share=0.042),
    Arm("sequential, 1 thread", 0.975, 0.0899, 2.2188, speed_up=1.83, end_to_end=1.61),
    Arm("sequential, all cores", 0.975, float("nan"), 1.5777, speed_up=1.3, end_to_end=1.22),
]


def printed(table: RenderableType, width: int = 80, encoding: str = "utf-8") -> list[str]:
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
    assert any(line.startswith("speed-up over it:") for line in lines)


def test_the_table_is_plain_text_where_there_is_no_terminal() -> None:
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


def test_the_time_of_a_round_stands_below_the_table_where_it_was_recorded() -> None:
    history = History()
    history.record(Round(0, {"start-up": 0.5}))
    for number in (1, 2):
        spans = {"dispatch": 0.001, "training": 0.2, "collection": 0.003, "aggregation": 0.0}
        history.record(Round(number, {**spans, "evaluation": 9.0}))
    lines = printed(comparison_table(ARMS, main=history))
    assert any(line.startswith("a round: dispatch 1.0, training 200, collection 3.0, aggr") for line in lines)
    assert "a round" not in "".join(printed(comparison_table(ARMS, main=History())))


def test_the_work_of_the_workers_stands_below_the_table_where_it_is_known() -> None:
    measured = Arm("federated", 0.9, 0.1, 2.0, efficiency=0.75, coordination_share=0.05, critical_path=1.5)
    lines = [line.rstrip() for line in printed(comparison_table([measured, *ARMS[1:]]))]
    assert "workers: 75 % computing, 5 % coordination, 20 % waiting for others" in lines
    assert "critical path: 1.50 s of 2.00 s" in lines
    assert not any(line.startswith(("workers", "critical")) for line in printed(comparison_table(ARMS)))


def captions(*arms: Arm) -> list[str]:
    return [line.rstrip() for line in printed(comparison_table(arms))]


def test_the_last_lines_say_in_words_what_was_lost_and_gained() -> None:
    main = Arm("federated", 0.95, 0.1, 2.0, processes=2, cores=4)
    alone = Arm("sequential, 1 thread", 0.97, 0.1, 3.0, speed_up=1.5, end_to_end=0.8)
    several = Arm("sequential, 4 threads", 0.97, 0.1, 1.0, speed_up=0.5, end_to_end=0.4)
    assert captions(main, alone, several)[-5:] == [
        "accuracy: federated ended 2.0 points below sequential training",
        "time: training federated (2 workers, 4 cores) was",
        "  1.50 times as fast as sequential (1 thread)",
        "  2.00 times as slow as sequential (4 threads)",
        "  with start-up and evaluation, 1.25 times as slow as sequential (1 thread)",
    ]


@pytest.mark.parametrize(
    ("accuracy", "loss", "said"),
    [
        (0.97, 0.2, "accuracy: local ended level with sequential training"),
        (0.98, 0.2, "accuracy: local ended 1.0 points above sequential training"),
        (None, 0.2, "loss: local ended 0.1000 above sequential training"),
        (None, 0.1, "loss: local ended level with sequential training"),
    ],
)
def test_the_words_are_of_the_metric_that_was_evaluated(
    accuracy: float | None, loss: float, said: str
) -> None:
    assert said in captions(Arm("local", accuracy, loss, 1.0), Arm("sequential, 1 thread", 0.97, 0.1, 1.0))


def test_the_words_are_in_the_units_of_real_valued_targets() -> None:
    arms = Arm("local", None, 0.2, 1.0, rmse=31.5), Arm("sequential, 1 thread", None, 0.1, 1.0, rmse=30.0)
    assert "rmse: local ended 1.5000 above sequential training" in captions(*arms)


def test_a_run_without_baselines_is_compared_with_nothing() -> None:
    assert captions(Arm("federated", 0.9, 0.1, 1.0, processes=2, cores=2))[-1].startswith("federated")


def test_the_table_says_that_the_arms_did_not_do_the_same_work() -> None:
    main = Arm("federated", 0.9, 0.1, 1.0, trained_rows=250)
    other = Arm("sequential, 1 thread", 0.9, 0.1, 3.0, speed_up=0.75, trained_rows=1000)
    assert "federated trained on 25 % of the rows of sequential, 1 thread" in captions(main, other)
    assert not any("rows of" in line for line in captions(replace(main, trained_rows=1000), other))
    unknown = captions(replace(main, trained_rows=None), other)
    assert "not known: how many rows federated trained on; the ratios are of whole times" in unknown


def test_ratios_from_a_busy_machine_are_marked_or_withheld() -> None:
    main, other = ARMS[:2]
    marked = captions(main, replace(other, contention=0.15))
    assert cells(marked, other.name)[4:6] == ["?1.83x", "?1.61x"]
    assert "? others had the cores for a part of the time: the ratio may be off" in marked
    withheld = captions(main, replace(other, contention=0.6))
    assert cells(withheld, other.name)[4:6] == ["busy", "busy"]
    assert "busy: others had the cores for 60 % of the time: no ratio is shown" in withheld
    assert not any("1.83" in line for line in withheld)
    assert "time: not compared, as the machine was busy with other work" in withheld
    quiet = captions(main, replace(other, contention=0.05))
    assert cells(quiet, other.name)[4:6] == ["1.83x", "1.61x"]


def test_a_baseline_that_was_ended_is_no_partner() -> None:
    ended = Arm("sequential, 2 threads", None, None, 9.0, ended=3)
    lines = captions(ARMS[0], ended, ARMS[1])
    assert cells(lines, ended.name) == ["-", "-", "-", "ended", "ended", "-"]
    assert "ended: sequential, 2 threads, in round 3: far slower than one thread" in lines
    assert not any("as sequential (2 threads)" in line for line in lines)


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
