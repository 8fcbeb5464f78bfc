"""The figures of a run: written as PNG files, atomically, or as SVG into a page or a notebook.

Matplotlib is loaded when the first figure is drawn. Where this room is loaded, a notebook shows a `History`
with its curves.
"""

from fedlocal.figures.availability import actor_states, availability
from fedlocal.figures.curves import curves_svg, learning_curves
from fedlocal.figures.partitions import partition
from fedlocal.figures.timeline import representative_rounds, timeline

__all__ = [
    "actor_states",
    "availability",
    "curves_svg",
    "learning_curves",
    "partition",
    "representative_rounds",
    "timeline",
]
