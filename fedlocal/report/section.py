"""A section of the page: figures, with what a reader must know of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fedlocal.figures.canvas import Drawing


@dataclass(frozen=True)
class LegendEntry:
    """What a colour stands for; `dashes` are those of a line, as SVG writes them, and a patch has none."""

    colour: str
    name: str
    line: bool = False
    dashes: str = ""
    opacity: float = 1.0


def line_entry(style: Mapping[str, Any], name: str) -> LegendEntry:
    """Return the entry of a line of a style of `fedlocal.figures.canvas.line_style`."""
    dashes = () if style.get("linestyle", "-") == "-" else style["linestyle"][1]
    scaled = " ".join(f"{style['linewidth'] * length:g}" for length in dashes)
    return LegendEntry(style["color"], name, True, scaled)


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page.

    Parameters
    ----------
    title : str
        The title, for those who see the figure and those who do not.
    description : str
        The content of the figure in words, for those who do not see it.
    drawing : Drawing
        The figure itself.
    legend : tuple of LegendEntry
        Empty where the section has one for all.
    """

    title: str
    description: str
    drawing: Drawing
    legend: tuple[LegendEntry, ...] = ()


@dataclass(frozen=True)
class Section:
    """Figures of one kind.

    Parameters
    ----------
    name : str
        An identifier.
    title : str
        Its heading.
    intro : str
        What a reader must know of the figures.
    figures : tuple of PageFigure
        None where there is only a note.
    legend : tuple of LegendEntry
        Of all figures.
    note : str
        What was left out.
    """

    name: str
    title: str
    intro: str
    figures: tuple[PageFigure, ...]
    legend: tuple[LegendEntry, ...] = ()
    note: str = ""
