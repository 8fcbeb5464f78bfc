"""The labels that each actor holds."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedlocal.figures.canvas import COLOURS, sheet, tick_step
from fedlocal.results.atomic_files import ResultsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

FEW_ACTORS, FEW_CLASSES = 24, 16
"""Up to here each cell has room for its number."""

MOST_ACTORS = 200
"""Beyond, actors are left out at even distances: a mean over neighbours would hide their skew."""


def label_distribution(
    counts: NDArray[np.int64],
    class_names: Sequence[str],
    path: str | os.PathLike[str],
    title: str = "Labels per actor",
) -> None:
    """Draw a partition's labels as a heat map, one line an actor, with the actors' sizes beside it.

    The colour says which part of an actor's samples has a label, so that small actors are as visible as large
    ones. Where there is room each cell holds its count.

    Parameters
    ----------
    counts : NDArray[int64], shape (actors, classes)
        Samples of each label that each actor holds.
    class_names : sequence of str
        One for each class.
    path : path-like
        The PNG to write.
    title : str
        Above the figure.

    Raises
    ------
    ResultsError
        If the shapes do not match, or the file cannot be written.
    """
    if counts.ndim != 2 or counts.shape[1] != len(class_names) or counts.size == 0:
        msg = f"counts of shape {counts.shape} for {len(class_names)} class names: expected (actors, classes)"
        raise ResultsError(msg)
    shown = np.arange(0, len(counts), -(-len(counts) // MOST_ACTORS))
    if len(shown) < len(counts):
        title += f" ({len(shown)} of {len(counts)} actors, at even distances)"
    few = len(shown) <= FEW_ACTORS
    height = max(3.0, 1.8 + 0.32 * len(shown)) if few else 7.0
    with sheet(path, 8.5 if len(class_names) <= FEW_CLASSES else 11.0, height) as figure:
        figure.suptitle(title)
        heat, sizes = figure.subplots(1, 2, sharey=True, width_ratios=[5, 1])
        image = _heat_map(heat, counts[shown], numbered=few and len(class_names) <= FEW_CLASSES)
        _name_axes(heat, shown, class_names)
        _sizes(sizes, counts[shown].sum(axis=1), numbered=few)
        figure.colorbar(image, ax=[heat, sizes], label="part of the actor's samples", format="{x:.0%}")


def _heat_map(axes: "Axes", counts: NDArray[np.int64], *, numbered: bool) -> "AxesImage":
    from matplotlib.colors import PowerNorm

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # The root shows rare labels; the floor keeps the noise of an even partition from looking like skew.
    norm = PowerNorm(0.5, vmin=0.0, vmax=min(1.0, max(shares.max(), 3 / counts.shape[1])))
    image = axes.imshow(shares, aspect="auto", cmap="Blues", norm=norm)
    axes.grid(visible=False)
    if numbered:
        dark = np.asarray(norm(shares)) > 0.7
        for (actor, label), count in np.ndenumerate(counts):
            colour = "white" if dark[actor, label] else "black"
            axes.text(label, actor, _short(count), ha="center", va="center", color=colour, fontsize=8)
    return image


def _name_axes(axes: "Axes", actors: NDArray[np.int64], class_names: Sequence[str]) -> None:
    names = [name if len(name) <= 14 else f"{name[:7]}…{name[-6:]}" for name in map(str, class_names)]
    labels = range(0, len(names), tick_step(len(names), 25))
    upright = sum(len(names[label]) + 2 for label in labels) <= 75
    axes.set_xticks(labels, [names[label] for label in labels], rotation=0 if upright else 90)
    lines = range(0, len(actors), tick_step(len(actors), FEW_ACTORS))
    axes.set_yticks(lines, [str(actors[line]) for line in lines])
    axes.set(xlabel="label", ylabel="actor")


def _sizes(axes: "Axes", sizes: NDArray[np.int64], *, numbered: bool) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    positions = np.arange(len(sizes))
    axes.barh(positions, sizes, height=0.7 if numbered else 1.0, color=COLOURS[0])
    axes.set_xlabel("samples")
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, max(sizes.max(), 1) * (1.6 if numbered else 1.05))
    if not numbered:
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        return
    axes.set_xticks([])
    for position, size in zip(positions, sizes, strict=True):
        axes.annotate(f" {size}", (size, position), va="center", fontsize=8)


def _short(count: np.int64) -> str:
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"
