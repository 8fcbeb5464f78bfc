"""A run and a history show themselves: short text, and HTML that is safe in any page and says what is so."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fedlocal.display.frames import frame_of
from fedlocal.figures.canvas import INK
from fedlocal.figures.curves import curves_svg
from fedlocal.figures.notebook import run_html, run_text
from fedlocal.results import Arm, History, MessageError, Round

HASHES = {"federated": "ab" * 32, "sequential, 1 thread": "cd" * 32}
ARMS = [Arm("federated", 0.9, 0.3, 1.0), Arm("sequential, 1 thread", 0.92, 0.25, 2.0, speed_up=2.0)]


def history(*accuracies: float, errors: tuple[MessageError, ...] = ()) -> History:
    rounds = [
        Round(number, {"training": 0.5}, {"accuracy": accuracy, "loss": 1 - accuracy}, errors=errors)
        for number, accuracy in enumerate(accuracies)
    ]
    return History(rounds=rounds)


def histories() -> dict[str, History]:
    return {"federated": history(0.1, 0.95, 0.9), "sequential, 1 thread": history(0.1, 0.9, 0.92)}


def svg_of(html: str) -> str:
    match = re.search(r"<svg.*</svg>", html, re.DOTALL)
    assert match
    return match[0]


def test_a_run_is_a_table_its_hash_and_its_folder() -> None:
    lines = run_text(ARMS, histories(), HASHES, Path("outputs/one")).splitlines()
    assert lines[0].split() == ["training", "speed-up"]
    assert [line.split()[0] for line in lines[3:5]] == ["federated", "sequential,"]
    assert "2.00x" in lines[4]
    assert lines[-2:] == ["weights abababababababab", "results outputs/one"]
    assert max(map(len, lines)) <= 80
    assert lines == [line.rstrip() for line in lines]


def test_messages_that_ended_in_an_error_are_told_beside_the_hash() -> None:
    shown = {"federated": history(0.1, 0.9, errors=(MessageError(3, "train", "died"),))}
    for text in (run_text(ARMS[:1], shown, HASHES, None), run_html(ARMS[:1], shown, HASHES, None)):
        assert "abababababababab (2 messages ended in an error)" in text
        assert "results in memory alone" in text
    assert "2 messages ended in an error" in repr(shown["federated"])


def test_a_history_is_a_line() -> None:
    assert repr(history(0.1, 0.95, 0.9)) == (
        "History: rounds 0 to 2, accuracy 0.1000 to 0.9000 (best 0.9500), loss 0.9000 to 0.1000 "
        "(best 0.0500), training time 1.50 s"
    )
    assert repr(history(0.1)).startswith("History: round 0, accuracy 0.1000 (best 0.1000)")
    assert repr(History()) == "History: no rounds"


def test_names_cannot_be_markup_in_a_page() -> None:
    name = '<script>alert("1")</script>'
    shown = run_html([Arm(name, 0.5, 0.5, 1.0)], {name: history(0.1, 0.5)}, {name: "ab"}, Path("<b>"))
    assert "<script" not in shown
    assert "<b>" not in shown
    assert svg_of(shown).count("&lt;script&gt;alert") >= 1


def test_curves_are_a_part_of_any_page() -> None:
    svg = curves_svg(histories(), "on the test set")
    root = ET.fromstring(svg)  # noqa: S314 - our own
    assert root.get("role") == "img"
    title, description = (str(element.text) for element in root[:2])
    assert title == "Learning curves"
    assert description.startswith("federated: accuracy 0.1000 in round 0, 0.9000 in 2; loss 0.9000")
    texts = {element.text for element in root.iter() if element.text and element.text.strip()}
    assert {"federated", "sequential, 1 thread", "accuracy on the test set", "round"} <= texts
    assert "<style" not in svg  # it would hold for the whole page
    assert not re.findall(r'(?:href|src)="(?!#)', svg)
    assert INK not in svg
    assert "currentColor" in svg  # light or dark
    names = re.findall(r'\bid="([^"]+)"', svg)
    assert len(names) == len(set(names))
    assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg)) <= set(names)
    assert curves_svg(histories(), "on the test set") == svg


def test_numbers_that_are_not_finite_leave_a_gap() -> None:
    def curves(accuracy: float) -> list[str]:
        svg = curves_svg({"federated": history(0.1, accuracy, 0.2, 0.3)})
        ET.fromstring(svg)  # noqa: S314 - our own
        return re.findall(r'<path d="([^"]+)"[^>]*stroke="#0072b2" stroke-width="1.6"', svg)

    assert [curve.count("M") for curve in curves(0.15)] == [1, 1]
    for missing in (float("nan"), float("inf")):
        assert [curve.count("M") for curve in curves(missing)] == [2, 2]


def test_where_nothing_was_evaluated_there_are_no_curves() -> None:
    unknown = History(rounds=[Round(1, {"training": 1.0})])
    assert curves_svg({"federated": unknown}) == ""
    assert unknown._repr_html_() == "<div><p>History: round 1, training time 1.00 s</p></div>"


def test_where_nothing_was_evaluated_the_loss_of_training_is_shown() -> None:
    trained = History(rounds=[Round(number, metrics={"train-loss": 1 / number}) for number in (1, 2)])
    assert repr(trained).startswith("History: rounds 1 to 2, train-loss 1.0000 to 0.5000 (best 0.5000)")
    assert ">train-loss<" in trained._repr_html_()


def test_a_notebook_shows_a_history_with_its_curves() -> None:
    shown = history(0.1, 0.9)._repr_html_()
    assert shown.startswith("<div><p>History: rounds 0 to 1")
    assert ">accuracy<" in svg_of(shown)


@pytest.mark.parametrize("room", ["fedlocal", "fedlocal.estimators.federated"])
def test_a_notebook_shows_curves_wherever_a_history_comes_from(room: str) -> None:
    code = f"""
from {room} import History
from fedlocal.results import Round
print(History(rounds=[Round(1, metrics={{"loss": 0.5}})])._repr_html_())
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "<svg" in shown.stdout


def test_a_history_without_the_room_of_figures_is_its_line() -> None:
    code = "from fedlocal.results import History; print(History()._repr_html_())"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "<div><p>History: no rounds</p></div>\n"


def test_histories_are_one_frame() -> None:
    pytest.importorskip("pandas")
    frame = frame_of(histories())
    assert list(frame.columns) == ["arm", "round", "phase", "actor", "metric", "value"]
    accuracy = frame.query("arm == 'federated' and metric == 'accuracy'")
    assert accuracy["value"].tolist() == [0.1, 0.95, 0.9]
