"""The figures of a run and of a sweep: PNG files, written atomically, and learning curves for notebooks.

Matplotlib is loaded when the first figure is drawn. Where this room is loaded, a notebook shows a `History`
with its curves.
"""

from fedlocal.figures.availability import actor_states, availability
from fedlocal.figures.comparison import comparison
from fedlocal.figures.curves import learning_curves
from fedlocal.figures.inline import curves_svg
from fedlocal.figures.labels import label_distribution
from fedlocal.figures.targets import target_distribution
from fedlocal.figures.timeline import representative_rounds, timeline

__all__ = [
    "actor_states",
    "availability",
    "comparison",
    "curves_svg",
    "label_distribution",
    "learning_curves",
    "representative_rounds",
    "target_distribution",
    "timeline",
]
