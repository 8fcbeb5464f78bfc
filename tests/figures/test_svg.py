"""Drawings are part of a page: small, in its colours, their identifiers their own, their words words."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from fedlocal.figures.canvas import CHARACTER, COLOURS, INK, Drawing, clean, extent, line_style, number
from fedlocal.figures.curves import Curve, curves_drawing
from fedlocal.figures.partitions import MOST_COLUMNS, MOST_ROWS, label_map, target_spread
from fedlocal.figures.rows import PlotRow, boxes, estimates, shares
from fedlocal.figures.svg import compact, svg
from fedlocal.figures.timeline import COMPUTING, MOST_WORKERS, STATES, round_drawing
from fedlocal.results.occupancy import Occupancy
from fedlocal.results.rounds import Round, Work

NAN, INF = math.nan, math.inf
WORDS = "<b>&\"'\x00\ud800\uffff]]>"
SHOWN = "<b>&\"'\ufffd?\ufffd]]>"


def markup(drawing: Drawing) -> str:
    drawn = svg(drawing, "it", "t", "d", {INK: "currentColor"})
    assert not re.search(r"\b(nan|inf)\b", drawn)
    return drawn


def drawn(drawing: Drawing) -> ET.Element:
    return ET.fromstring(markup(drawing))  # noqa: S314 - our own


def paths(drawing: Drawing, **attributes: str) -> list[str]:
    return [
        str(element.get("d"))
        for element in drawn(drawing).iter("path")
        if attributes.items() <= dict(element.attrib).items()
    ]


def curve(values: Sequence[float], label: str = "a") -> Curve:
    return Curve(label, line_style(0), range(len(values)), values, values, values)


@pytest.mark.parametrize(
    "values",
    [[1.0], [NAN], [NAN, 2.0], [3.0, 3.0], [0.0, 0.0], [-1.0, INF, 1.0], [1e-9, 1e9], [1e308, -1e308], []],
)
def test_lines_and_rows_of_any_numbers_can_be_drawn(values: list[float]) -> None:
    for metric in ("loss", "speed-up"):
        drawn(curves_drawing([curve(values)], ("round", metric)))
    names = [f"v{position}" for position in range(len(values))]
    drawn(curves_drawing([curve(values)], ("actors", "speed-up"), bars=True, dotted=1.0, values=names))
    rows = [PlotRow("a", value=value, low=value, high=value) for value in values] or [PlotRow("a")]
    drawn(estimates(rows, "unit", 1.0))
    finite = tuple(value for value in values if math.isfinite(value))
    drawn(boxes([PlotRow("a", values=finite), PlotRow("b", values=finite * 6)], "unit"))


def test_words_in_a_figure_are_words() -> None:
    drawing = curves_drawing([curve([1.0], WORDS)], (WORDS, WORDS), values=[WORDS])
    figure = ET.fromstring(svg(drawing, "it", WORDS, WORDS))  # noqa: S314 - our own
    assert (
        "".join(figure.itertext()).count(SHOWN) == 6
    )  # title, description, two axes, a tick, under the pointer
    assert "".join(drawn(estimates([PlotRow(WORDS, WORDS, 1.0)], "x")).itertext()).count(SHOWN) >= 2
    many = label_map(np.ones((1, 2)), [0], [WORDS, "b"], np.ones(1))
    assert SHOWN in "".join(drawn(many).itertext())
    assert clean("a\tb\nc") == "a\tb\nc"
    broken = label_map(np.ones((1, 2)), [0], ["a\nb", "c"], np.ones(1))
    assert "a b" in [element.text for element in drawn(broken).iter("text")]
    assert "a b" in [
        element.text for element in drawn(shares([PlotRow("a\nb", values=(1, 0, 0))])).iter("text")
    ]


def test_a_figure_has_identifiers_of_its_own_and_the_colours_of_the_page() -> None:
    drawing = curves_drawing([curve([1.0, 2.0])], ("round", "loss"))
    page = svg(drawing, "one", "t", "d", {COLOURS[0].lower(): "var(--s0)"})
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names)) >= 4
    assert all(re.match(r"one\b", name) for name in names)
    assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', page)) <= set(names)
    assert "var(--s0)" in page
    assert COLOURS[0].lower() not in page
    assert "style" not in page
    assert svg(drawing, "one", "t", "d", {COLOURS[0].lower(): "var(--s0)"}) == page


def test_a_line_has_a_gap_where_a_value_is_missing() -> None:
    (line,) = paths(
        curves_drawing([Curve("a", {"color": "#123456"}, range(4), [0, NAN, 2, 3])], ("x", "y")),
        stroke="#123456",
    )
    assert line.count("M") == 2


def test_a_box_is_of_many_values_and_dots_of_few() -> None:
    few, many = PlotRow("few", values=(1, 2, 3)), PlotRow("many", values=(1, 2, 3, 4, 5, 99))
    dots = [len(list(drawn(boxes([row], "u")).iter("use"))) for row in (few, many)]
    assert dots == [3, 1]  # the one beyond the whiskers


def test_parts_of_a_whole_fill_the_width_and_say_what_they_are() -> None:
    figure = shares([PlotRow("a", values=(0.5, 0.25, 0.25))])
    ends = [re.findall(r"[MH]([\d.]+)", paths(figure, fill=colour.lower())[0]) for colour in STATES.values()]
    widths = [max(map(float, xs)) - min(map(float, xs)) for xs in ends]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert "computing: 50%" in "".join(drawn(figure).itertext())


def test_a_heat_map_is_bounded_and_the_darkest_is_the_whole() -> None:
    counts = np.eye(MOST_ROWS, 500)
    figure = label_map(counts, range(MOST_ROWS), [str(k) for k in range(500)], np.ones(MOST_ROWS))
    assert sum(path.count("z") for path in paths(figure)) <= MOST_ROWS * MOST_COLUMNS
    assert len(markup(figure)) < 40_000
    whole = label_map(np.array([[4.0, 0.0]]), [0], ["a", "b"], np.array([4.0]))
    assert len(paths(whole, fill="#00558a")) == 1
    assert not paths(whole, fill="#00558a", opacity="0.16")


def test_actors_that_own_nothing_have_no_spread() -> None:
    quantiles = np.array([[NAN] * 5, [0.0, 1.0, 2.0, 3.0, 4.0]])
    figure = target_spread(quantiles, [0, 1], np.array([0.0, 5.0]))
    assert len(paths(figure, fill=COLOURS[0].lower())) == 1


def test_a_timeline_is_bounded() -> None:
    work = [Work(actor, actor % 20, actor * 1e-4, 0.99e-4) for actor in range(10_000)]
    occupancy = Occupancy.of(Round(1, {"training": 1.0}, work=work))
    assert occupancy is not None
    drawing = round_drawing(occupancy)
    assert len(markup(drawing)) < 40_000
    assert "".join(drawn(drawing).itertext()).count("worker") == MOST_WORKERS
    few = Occupancy.of(Round(1, {"training": 1.0}, work=work[:2]))
    assert few is not None
    assert len(paths(round_drawing(few), fill=COMPUTING.lower())) == 2


@pytest.mark.parametrize("seconds", [0.00037, 0.044, 0.15, 0.37, 0.99, 1.7, 98_765.0])
def test_the_times_below_a_timeline_stand_apart(seconds: float) -> None:
    occupancy = Occupancy.of(Round(1, {"training": seconds}, work=[Work(0, 0, 0.0, 0.9 * seconds)]))
    assert occupancy is not None
    words = [element for element in drawn(round_drawing(occupancy)).iter("text") if element.text]
    ticks = [
        (float(word.get("x", "nan")), len(str(word.text))) for word in words if str(word.text)[0].isdigit()
    ]
    assert len(ticks) >= 3
    for (left, first), (right, second) in pairwise(ticks):
        assert right - left > CHARACTER * (first + second) / 2


def test_ticks_and_ends_are_sensible() -> None:
    assert [number(value) for value in (0.1 + 0.2, 1234.0, 20_000, 2.5e6)] == ["0.3", "1234", "20k", "2.5M"]
    assert extent([1.0, 2.0], [-50.0, 2.5]) == pytest.approx(
        (0.91, 2.59)
    )  # what would dwarf the points is cut
    assert compact("M 0.04 1 \nL 0.01 1 \nL 5 1") == "M0 1H5"
