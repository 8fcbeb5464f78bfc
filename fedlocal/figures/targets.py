"""The targets that each actor holds, where they are real numbers."""

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedlocal.figures.canvas import COLOURS, sheet
from fedlocal.results.atomic_files import ResultsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW_ACTORS = 40
"""Up to here each actor gets a box; beyond, the quantiles become bands."""


def target_distribution(
    quantiles: NDArray[np.float64],
    sizes: NDArray[np.int64],
    path: str | os.PathLike[str],
    title: str = "Targets per actor",
) -> None:
    """Draw the spread of each actor's targets, with the actors' sizes below.

    Parameters
    ----------
    quantiles : NDArray[float64], shape (actors, 5)
        Minimum, lower quartile, median, upper quartile and maximum of each actor's targets; NaN for an empty
        actor.
    sizes : NDArray[int64], shape (actors,)
        Samples that each actor holds.
    path : path-like
        The PNG to write.
    title : str
        Above the figure.

    Raises
    ------
    ResultsError
        If the shapes do not match, or the file cannot be written.
    """
    if quantiles.shape != (len(sizes), 5) or len(sizes) == 0:
        msg = (
            f"quantiles of shape {quantiles.shape} for {len(sizes)} sizes: expected (actors, 5) and (actors,)"
        )
        raise ResultsError(msg)
    with sheet(path, 8.5, 5.0) as figure:
        figure.suptitle(title)
        spread, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        (_boxes if len(sizes) <= FEW_ACTORS else _bands)(spread, quantiles)
        spread.set_ylabel("target")
        _sizes(below, sizes)


def _boxes(axes: "Axes", quantiles: NDArray[np.float64]) -> None:
    # Not Axes.bxp: it asks Matplotlib for its backend, which loads pyplot and may load a window system.
    low, lower, middle, upper, high = quantiles.T
    actors = np.arange(len(middle))
    axes.vlines(actors, low, high, color="black", linewidth=1)
    axes.bar(actors, upper - lower, 0.6, bottom=lower, color="#ABD9F4", edgecolor="black", zorder=2)
    axes.hlines(middle, actors - 0.3, actors + 0.3, color=COLOURS[1], linewidth=2)
    axes.grid(visible=False, axis="x")


def _bands(axes: "Axes", quantiles: NDArray[np.float64]) -> None:
    low, lower, middle, upper, high = quantiles.T
    actors = np.arange(len(middle))
    axes.fill_between(actors, low, high, step="mid", color=COLOURS[5], alpha=0.35, lw=0, label="all")
    axes.fill_between(
        actors, lower, upper, step="mid", color=COLOURS[0], alpha=0.5, lw=0, label="middle half"
    )
    axes.step(actors, middle, where="mid", color=COLOURS[1], lw=1, label="median")
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0.0, 1.0))


def _sizes(axes: "Axes", sizes: NDArray[np.int64]) -> None:
    from matplotlib.ticker import MaxNLocator

    actors = np.arange(len(sizes))
    if len(sizes) <= FEW_ACTORS:
        axes.bar(actors, sizes, width=0.6, color=COLOURS[0])
    else:
        axes.fill_between(actors, sizes, step="mid", color=COLOURS[0], lw=0)
    axes.set(
        xlabel="actor", ylabel="samples", xlim=(-0.7, len(sizes) - 0.3), ylim=(0, max(1.1 * sizes.max(), 1))
    )
    axes.grid(visible=False, axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(20, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:.0f}")
