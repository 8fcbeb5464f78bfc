"""Figures are drawn whatever they are given, and what they hold is escaped."""

import math
from xml.etree import ElementTree as ET

import pytest

from fedlocal.report.svg.axes import Scale, number, round_step
from fedlocal.report.svg.element import Figure, clean, in_two, line, text
from fedlocal.report.svg.heat_map import MOST_COLUMNS, MOST_ROWS, heat_map, spread
from fedlocal.report.svg.lines import PlotLine, lines
from fedlocal.report.svg.rows import PlotRow, boxes, estimates, shares
from fedlocal.report.svg.timeline import timeline
from fedlocal.results.occupancy import Occupancy
from fedlocal.results.rounds import Round, Work

NAN, INF = math.nan, math.inf
AXES = ("round", "loss")


def drawn(figure: Figure) -> ET.Element:
    markup = figure.markup("it")
    assert "nan" not in markup
    assert "inf" not in markup
    return ET.fromstring(markup)  # noqa: S314 - our own


@pytest.mark.parametrize(
    "values",
    [[1.0], [NAN], [NAN, 2.0], [3.0, 3.0], [0.0, 0.0], [-1.0, INF, 1.0], [1e-9, 1e9], [1e300, -1e300]],
)
def test_lines_and_rows_of_any_numbers_can_be_drawn(values: list[float]) -> None:
    xs = list(range(len(values)))
    for log in (False, True):
        drawn(lines([PlotLine("a", "s0", xs, values, values, values)], "t", "d", AXES, log=log))
    drawn(
        lines(
            [PlotLine("a", "s0", xs, values, values, values)],
            "t",
            "d",
            AXES,
            marked=True,
            dotted=1.0,
            zero=True,
        )
    )
    rows = [PlotRow("a", value=value, low=value, high=value) for value in values]
    drawn(estimates(rows, "t", "d", "unit", dotted=1.0))
    finite = tuple(value for value in values if math.isfinite(value))
    drawn(boxes([PlotRow("a", values=finite), PlotRow("b", values=finite * 6)], "t", "d", "unit"))


def test_a_box_is_of_many_values_and_dots_of_few() -> None:
    figure = drawn(
        boxes([PlotRow("few", values=(1, 2, 3)), PlotRow("many", values=(1, 2, 3, 4, 5, 99))], "t", "d", "u")
    )
    circles = [element for element in figure if element.tag == "circle"]
    assert len(circles) == 3 + 1  # and one beyond the whiskers
    assert [element.get("class") for element in figure if element.tag == "rect"] == ["box s0"]


def test_parts_of_a_whole_fill_the_width() -> None:
    figure = drawn(shares([("a", (0.5, 0.25, 0.25))], "t", "d", ("x", "y", "z")))
    widths = [float(str(element.get("width"))) for element in figure if element.tag == "rect"]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)


def test_a_heat_map_is_bounded_and_the_darkest_is_the_whole() -> None:
    many = [[float(actor == label) for label in range(500)] for actor in range(300)]
    figure = drawn(heat_map(many, range(300), [str(k) for k in range(500)], [1.0] * 300, "t", "d"))
    cells = "".join(str(element.get("d")) for element in figure if element.tag == "path").count("z")
    assert cells <= MOST_ROWS * MOST_COLUMNS
    whole = drawn(heat_map([[4.0, 0.0]], [0], ["a", "b"], [4.0], "t", "d"))
    assert {element.get("class") for element in whole if element.tag == "path"} == {"h8", "h0"}


def test_actors_that_own_nothing_have_no_spread() -> None:
    figure = drawn(spread([[NAN] * 5, [0.0, 1.0, 2.0, 3.0, 4.0]], [0, 1], [0.0, 5.0], "t", "d"))
    assert len([element for element in figure if element.get("class") == "box s0"]) == 1


def test_stretches_too_near_to_be_told_apart_are_drawn_as_one() -> None:
    work = [Work(actor, 0, actor * 1e-4, 0.99e-4) for actor in range(10_000)]
    occupancy = Occupancy.of(Round(1, {"training": 1.0}, work=work))
    assert occupancy is not None
    assert len(timeline(occupancy, "t", "d").markup("it")) < 3_000


def test_words_in_a_figure_are_words() -> None:
    words = "<b>&\"'\x00\ud800"
    figure = drawn(Figure(words, words, 10, (text(words, 0, 0, "tick", title=words),)))
    assert "".join(figure.itertext()).count("<b>&\"'\ufffd?") == 4
    assert clean("a\tb\nc") == "a\tb\nc"


def test_a_line_has_a_gap_where_a_value_is_missing() -> None:
    assert line([(0, 0), (1, NAN), (2, 2), (3, 3)]) == "M0 0M2 2L3 3"


def test_long_names_are_cut_at_a_comma_and_then_with_an_ellipsis() -> None:
    assert in_two("actors=4", 100) == ["actors=4"]
    assert in_two("actors=4, partition=iid", 100) == ["actors=4,", "partition=iid"]
    assert in_two("x" * 50, 60) == ["xxxxxxxxx…"]


def test_ticks_are_round_numbers() -> None:
    assert [number(tick) for tick in Scale(0.0, 1.04, 0, 1).ticks(7)] == [
        "0",
        "0.2",
        "0.4",
        "0.6",
        "0.8",
        "1",
    ]
    assert [number(tick) for tick in Scale(0.5, 2000.0, 0, 1, log=True).ticks(4)] == [
        "1",
        "10",
        "100",
        "1000",
    ]
    assert (round_step(3), round_step(0.15)) == (5.0, 0.2)
