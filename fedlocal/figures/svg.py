"""Figures as SVG elements of another page: the report's or a notebook's, light or dark, and small.

Matplotlib writes a document of its own. Here its styles become attributes, since a style sheet would hold for
the whole page or be refused by its policy; its colours become the page's, its identifiers the figure's.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from fedlocal.figures.canvas import INK, MUTED, POINTS, RULE, STYLE, TITLE, Drawing, Region, clean

SVG_STYLE: dict[Any, Any] = {
    **dict.fromkeys(("text.color", "axes.titlecolor"), INK),
    **dict.fromkeys(("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), MUTED),
    **dict.fromkeys(("axes.spines.left", "axes.spines.bottom", "xtick.bottom", "ytick.left"), False),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor"), "none"),
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "fedlocal",  # the same figure is the same bytes
}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
KEPT = ("fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity",
        "font-size", "font-weight", "text-anchor")  # fmt: skip
PLACES = ("x", "y", "width", "height", "transform")
IMPLIED = {"font-size": "10", "stroke-width": "1", "opacity": "1"}
NOTEBOOK = {INK: "currentColor", MUTED: "currentColor", RULE: "#80808059"}
"""A notebook's own colours, in place of those of a sheet of paper."""


def svg(
    drawing: Drawing, name: str, title: str, description: str, colours: Mapping[str, str] = NOTEBOOK
) -> str:
    """Return a drawing as an ``<svg>`` element.

    Parameters
    ----------
    drawing : Drawing
        What is drawn.
    name : str
        An identifier that nothing else on the page has; other identifiers begin with it.
    title, description : str
        For those who do not see the figure.
    colours : mapping of str to str
        The page's colours, by those of the drawing, which are hexadecimal.

    Returns
    -------
    str
        Without any reference to another file, and transparent.
    """
    shown = {"viewBox": f"0 0 {drawing.width:g} {drawing.height:g}", "font-size": IMPLIED["font-size"]}
    named = {"role": "img", "id": name, "aria-labelledby": f"{name}-title {name}-desc"}
    root = Element("svg", {**shown, **named})
    for tag, words in (("title", title), ("desc", description)):
        SubElement(root, tag, {"id": f"{name}-{tag}"}).text = clean(words)
    root.extend(_Converter(name, colours).elements(fromstring(_drawn(drawing))))  # noqa: S314 - our own
    return tostring(root, encoding="unicode", short_empty_elements=False)


def _drawn(drawing: Drawing) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({**STYLE, **SVG_STYLE}), StringIO() as stream, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # that Matplotlib's font lacks: the page's has it
        figure = Figure(figsize=(drawing.width / POINTS, drawing.height / POINTS))
        drawing.draw(Region(figure, 0, 0, drawing.width, drawing.height))
        FigureCanvasSVG(figure).print_svg(stream, metadata=NO_METADATA)  # type: ignore[no-untyped-call]
        return stream.getvalue()


class _Converter:
    """Makes the elements of Matplotlib's document elements of a page."""

    def __init__(self, name: str, colours: Mapping[str, str]) -> None:
        self._name, self._colours = name, colours
        self._identifiers: dict[str, str] = {}

    def elements(self, source: Element) -> list[Element]:
        """Return what an element becomes: nothing if it shows nothing, its children if it is a mere group."""
        tag, shown = source.tag.rpartition("}")[2], source.get("id", "")
        if tag in ("metadata", "style", "clipPath"):  # nothing is drawn beyond its axes
            return []
        children = [made for child in source for made in self.elements(child)]
        if tag in ("g", "svg") and not shown.startswith(TITLE):
            return children
        attributes = dict(self._attributes(source)) if tag != "g" else {}
        if (tag in ("g", "defs") and not children) or (
            attributes.get("fill") == "none" and "stroke" not in attributes
        ):
            return []
        element = Element(tag, attributes)
        element.text = source.text.strip() if tag == "text" and source.text else None
        element.extend(children)
        if shown.startswith(TITLE):
            SubElement(element, "title").text = shown.removeprefix(TITLE)
        return [element]

    def _attributes(self, source: Element) -> Iterator[tuple[str, str]]:
        for name, value in source.attrib.items():
            kind = name.rpartition("}")[2]
            if kind in ("id", "href"):
                yield kind, re.sub(r"\w{4,}", lambda word: self._identifier(word[0]), value)
            elif kind == "d":
                yield kind, compact(value)
            elif kind == "style":
                yield from self._style(value)
            elif kind in PLACES and not value.startswith("rotate(-0 "):
                yield kind, re.sub(r"-?\d+\.\d+", lambda number: short(number[0]), value)

    def _style(self, style: str) -> Iterator[tuple[str, str]]:
        for name, _, value in (declaration.partition(": ") for declaration in style.split("; ")):
            plain = value.removesuffix("px")
            if name in KEPT and IMPLIED.get(name) != plain:
                yield name, self._colours.get(plain.lower(), plain)

    def _identifier(self, name: str) -> str:
        return self._identifiers.setdefault(name, f"{self._name}-{len(self._identifiers)}")


def compact(path: str) -> str:
    r"""Return a path in tenths of a point, without steps that are none.

    Examples
    --------
    >>> compact("M 57.681818 205.056 \nL 57.681818 27.648 \nL 60 27.648 \nz\n")
    'M57.7 205.1V27.6H60z'
    """
    words, x, y = [], "", ""
    for command, arguments in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        numbers = [short(number) for number in arguments.split()]
        if command == "L" and numbers == [x, y]:
            continue
        if command == "L" and x == numbers[0]:
            words.append(f"V{numbers[1]}")
        elif command == "L" and y == numbers[1]:
            words.append(f"H{numbers[0]}")
        else:
            words.append(command + " ".join(numbers))
        x, y = numbers[-2:] or (x, y)
    return "".join(words)


def short(number: str) -> str:
    """Return a number in tenths."""
    return f"{float(number):.1f}".removesuffix(".0")
