"""Elements of SVG, in which all text is escaped, and the frame of a figure."""

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

WIDTH = 360.0
"""The width of every figure, in its own units: on a phone a unit is about a pixel."""

CHARACTER = 6.0  # wide, about, of the smaller text

Content = Element | str | None


def element(tag: str, *content: Content, **attributes: float | str) -> Element:
    """Return an element.

    Parameters
    ----------
    tag : str
        Such as ``rect``.
    *content : Element or str or None
        Its children, or its text.
    **attributes : float or str
        ``class_`` is ``class``; an underscore within a name is a hyphen. Numbers are rounded to tenths.
    """
    made = Element(
        tag, {name.rstrip("_").replace("_", "-"): _text(value) for name, value in attributes.items()}
    )
    for child in content:
        if isinstance(child, str):
            made.text = clean(child)
        elif child is not None:
            made.append(child)
    return made


def text(
    content: str, x: float, y: float, class_: str, *, title: str | None = None, upright: bool = False
) -> Element:
    """Return a line of text, perhaps turned upwards; `title` is shown under the pointer."""
    position: dict[str, float | str] = {"x": x, "y": y}
    if upright:
        position = {"transform": f"translate({_text(x)} {_text(y)}) rotate(-90)"}
    return element("text", content, element("title", title) if title else None, class_=class_, **position)


def rect(
    left: float, top: float, width: float, height: float, class_: str, title: str | None = None
) -> Element:
    """Return a rectangle."""
    shown = element("title", title) if title else None
    return element(
        "rect", shown, x=left, y=top, width=max(width, 0.0), height=max(height, 0.0), class_=class_
    )


def path(points: Iterable[tuple[float, float]], class_: str) -> Element:
    """Return a line through points."""
    return element("path", d=line(points), class_=class_)


def line(points: Iterable[tuple[float, float]]) -> str:
    """Return the words of a path through points, with a gap wherever one is missing."""
    words, pen = [], "M"
    for x, y in points:
        if x != x or y != y:  # NaN
            pen = "M"
            continue
        words.append(f"{pen}{_text(x)} {_text(y)}")
        pen = "L"
    return "".join(words)


def shortened(name: str, width: float) -> str:
    """Return a name that fits in a width, with an ellipsis for what does not."""
    most = max(3, int(width / CHARACTER))
    return name if len(name) <= most else f"{name[: most - 1]}…"


def in_two(name: str, width: float) -> list[str]:
    """Return a name on one line or, cut behind a comma, on two; the rest is left out."""
    most = int(width / CHARACTER)
    if len(name) <= most or (cut := name.rfind(", ", 0, most) + 1) < 1:
        return [shortened(name, width)]
    return [name[:cut], shortened(name[cut:].lstrip(), width)]


@dataclass(frozen=True)
class Figure:
    """A figure of the page.

    Parameters
    ----------
    title : str
        The title, for those who see the figure and those who do not.
    description : str
        The content of the figure in words, for those who do not see it.
    height : float
        The height, in the units of `WIDTH`.
    content : tuple of Element
        The elements of the figure.
    legend : tuple of tuple of str
        Classes of the style sheet with what they stand for; empty where the section has one for all.
    """

    title: str
    description: str
    height: float
    content: tuple[Element, ...]
    legend: tuple[tuple[str, str], ...] = ()

    def markup(self, name: str) -> str:
        """Return the figure as SVG.

        Parameters
        ----------
        name : str
            An identifier that no other figure of the page has.
        """
        size = f"0 0 {_text(WIDTH)} {_text(self.height)}"
        names = f"{name}-title {name}-desc"
        svg = Element("svg", {"viewBox": size, "role": "img", "aria-labelledby": names, "id": name})
        SubElement(svg, "title", {"id": f"{name}-title"}).text = clean(self.title)
        SubElement(svg, "desc", {"id": f"{name}-desc"}).text = clean(self.description)
        svg.extend(self.content)
        return tostring(svg, encoding="unicode", short_empty_elements=False)


def clean(value: str) -> str:
    """Return text without the control characters and lone surrogates that no page may hold."""
    whole = value.encode("utf-8", "replace").decode()
    return "".join(char if (char >= " " and char != "\x7f") or char in "\n\t" else "\ufffd" for char in whole)


def _text(value: float | str) -> str:
    if isinstance(value, str):
        return value
    rounded = f"{value:.1f}"
    return rounded.removesuffix(".0")
