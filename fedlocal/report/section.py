"""A section of the page: figures, with what a reader must know of them."""

from dataclasses import dataclass

from fedlocal.report.svg.element import Figure


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
    figures : tuple of Figure
        None where there is only a note.
    legend : tuple of tuple of str
        Classes of the style sheet with what they stand for in all figures.
    note : str
        What was left out.
    """

    name: str
    title: str
    intro: str
    figures: tuple[Figure, ...]
    legend: tuple[tuple[str, str], ...] = ()
    note: str = ""
