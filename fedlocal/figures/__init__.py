"""The figures of a run and of a sweep, as PNG files.

Each function draws one figure and writes it atomically. Matplotlib is loaded when the first one is drawn.
Where this room is loaded, a notebook shows a `History` with its curves.
"""

from fedlocal.figures.availability import availability, states
from fedlocal.figures.comparison import comparison
from fedlocal.figures.curves import learning_curves
from fedlocal.figures.inline import curves_svg
from fedlocal.figures.labels import label_distribution
from fedlocal.figures.targets import target_distribution
from fedlocal.figures.timeline import representative, timeline

__all__ = [
    "availability",
    "comparison",
    "curves_svg",
    "label_distribution",
    "learning_curves",
    "representative",
    "states",
    "target_distribution",
    "timeline",
]
