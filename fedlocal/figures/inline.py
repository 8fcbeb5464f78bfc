"""Learning curves as SVG inside another page: a notebook's, light or dark."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from io import StringIO
from typing import Any

from fedlocal.figures.canvas import STYLE
from fedlocal.figures.curves import draw_curves, metrics_of
from fedlocal.results.formatting import fixed
from fedlocal.results.history import History as History
from fedlocal.results.phases import shown

INK = "#010203"
"""Stands for the page's own colour of text: no line has it."""

MOST_PANELS = 4

ROOT = "display: block; max-width: 100%; height: auto; stroke-linejoin: round; stroke-linecap: butt"
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
PROSE: dict[Any, Any] = {
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "axes.titlecolor"),
        INK,
    ),
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "grid.color": "#808080",
    "grid.alpha": 0.35,
    "font.sans-serif": ["DejaVu Sans", "sans-serif"],  # not the names of all others in each text
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "fedlocal",  # the same curves are the same bytes
}


def curves_svg(histories: Mapping[str, History], where: str = "") -> str:
    """Draw accuracy and loss, or else the other metrics, against the round as an ``<svg>`` element.

    Parameters
    ----------
    histories : Mapping[str, History]
        By the names of the arms, the main one first.
    where : str
        Whose rows the metrics are of, such as ``on the test set``; above each panel.

    Returns
    -------
    str
        Without any reference to another file; the background is transparent, text and axes have the page's
        colour, and screen readers are told the first and the last values. Empty if nothing was evaluated.
    """
    panels = shown(metrics_of(histories))[:MOST_PANELS]
    if not panels:
        return ""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({**STYLE, **PROSE}), StringIO() as stream:
        figure = Figure(figsize=(3.8 * len(panels), 3.0), layout="constrained")
        FigureCanvasSVG(figure)
        draw_curves(figure, histories, panels, where)
        if len(histories) == 1:  # what is drawn, the page says
            figure.legends[0].remove()
        figure.savefig(stream, format="svg", metadata=NO_METADATA)
        drawn = stream.getvalue()
    return _embedded(drawn, described(histories, panels))


@History.drawn_by
def history_svg(history: History) -> str:
    """Draw the curves of a history, as it shows them in a notebook."""
    return curves_svg({"history": history})


def described(histories: Mapping[str, History], metrics: Sequence[str]) -> str:
    """Say in words what the curves show."""
    lines = []
    for name, history in histories.items():
        ways = []
        for metric in metrics:
            rounds, values = history.series(metric)
            if values:
                ways.append(
                    f"{metric} {fixed(values[0])} in round {rounds[0]}, {fixed(values[-1])} in {rounds[-1]}"
                )
        lines.append(f"{name}: {'; '.join(ways) or 'not evaluated'}")
    return "Learning curves. " + ". ".join(lines) + "."


def _embedded(drawn: str, description: str) -> str:
    """Make a stand-alone SVG part of a page: no prologue, no ids that are there twice, the page's colours."""
    svg = drawn[drawn.index("<svg") :].replace(INK, "currentColor")
    # a style sheet in it would hold for the whole page
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", svg)  # what is referred to has ids of another form
    label = f'<svg role="img" aria-label="{escape(description)}" style="{ROOT}" '
    return " ".join(svg.split()).replace("<svg ", label, 1)
