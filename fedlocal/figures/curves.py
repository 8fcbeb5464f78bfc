"""Learning curves: loss and accuracy, round by round."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fedlocal.figures.canvas import line_style, sheet
from fedlocal.results.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE_RANGE = 50.0
"""A loss whose highest value is this many times its lowest is drawn on a logarithmic scale."""


def learning_curves(
    histories: Mapping[str, History],
    path: str | os.PathLike[str],
    title: str = "Learning curves",
    where: str = "on the test set",
    metrics: Sequence[str] = ("accuracy", "loss"),
) -> None:
    """Draw metrics of the global model against the round, a panel each, one line a history.

    Parameters
    ----------
    histories : Mapping[str, History]
        By the names of the arms, the main one first. A metric that no history has gets no panel.
    path : path-like
        The PNG to write.
    title : str
        Above the panels.
    where : str
        Whose rows the metrics are of; above each panel.
    metrics : sequence of str
        What to draw; by default the accuracy and the loss on the test set.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    """
    reported = metrics_of(histories)
    panels = [name for name in metrics if name in reported] or ["loss"]
    with sheet(path, 4.6 * len(panels), 3.9) as figure:
        figure.suptitle(title)
        draw_curves(figure, histories, panels, where)


def metrics_of(histories: Mapping[str, History]) -> set[str]:
    """Return the names of the global metrics that any history has."""
    return {name for history in histories.values() for name in history.metric_names}


def draw_curves(
    figure: "Figure", histories: Mapping[str, History], panels: Sequence[str], where: str
) -> None:
    """Draw a panel for each metric, and one legend below them."""
    for axes, metric in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _panel(axes, histories, metric, where)
    lines = figure.axes[0].get_lines()
    if lines:
        figure.legend(handles=lines, loc="outside lower center", ncols=min(3, len(lines)))


def _panel(axes: "Axes", histories: Mapping[str, History], metric: str, where: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set(title=f"{metric} {where}".strip(), xlabel="round")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    drawn = []
    for index, (name, history) in enumerate(histories.items()):
        rounds, values = history.series(metric)
        finite = np.where(np.isfinite(values), values, np.nan)  # a gap where the loss overflowed
        drawn.append(finite)
        axes.plot(
            rounds,
            finite,
            label=name,
            markevery=_marked(index, len(histories), len(rounds)),
            zorder=3 + len(histories) - index,  # the main arm on top
            **line_style(index),
        )
    _scale(axes, np.concatenate(drawn) if drawn else np.empty(0), metric)


def _marked(index: int, lines: int, points: int) -> tuple[int, int]:
    """Return the first marked point and the step, so that lines that coincide show their markers in turn."""
    step = max(lines, points // 20)
    return (index * step // lines, step) if points >= 3 * step else (0, 1)


def _scale(axes: "Axes", values: "np.ndarray[tuple[int], np.dtype[np.float64]]", metric: str) -> None:
    seen = values[~np.isnan(values)]
    if seen.size == 0:
        axes.text(0.5, 0.5, "nothing was evaluated", transform=axes.transAxes, ha="center", color="#666666")
        axes.set(xticks=[], yticks=[])
    elif metric == "loss" and seen.min() > 0 and seen.max() / seen.min() > WIDE_RANGE:
        axes.set_yscale("log")
