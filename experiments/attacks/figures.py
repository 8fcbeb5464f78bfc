"""The figure of the study of attacks: a heat map of accuracies for each part."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.attacks.arms import ATTACKS, ROBUST, STRATEGIES
from experiments.attacks.tables import accuracy
from experiments.outcomes import Trial
from fedlocal.figures.canvas import sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

DARK = 45  # percent below which a cell is so dark that its number must be white


def draw_accuracies(parts: Mapping[str, Sequence[Trial]], path: Path) -> None:
    """Draw the median accuracy of each strategy under each attack, one map below the other."""
    shown = {
        title: [strategy for strategy in STRATEGIES if accuracy(trials, strategy, "none").trials]
        for title, trials in parts.items()
        if trials
    }
    heights = [len(strategies) for strategies in shown.values()]
    with sheet(path, 7.4, 1.6 + 0.36 * sum(heights)) as figure:
        maps = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (title, strategies) in zip(maps, shown.items(), strict=True):
            image = _draw(axes, parts[title], strategies)
            axes.set_title(title, fontsize=10)
        figure.suptitle("Accuracy with malicious actors")
        figure.colorbar(image, ax=list(maps), label="percent, median of the trials", shrink=0.7)


def _draw(axes: "Axes", trials: Sequence[Trial], strategies: Sequence[str]) -> "AxesImage":
    percents = np.array(
        [[accuracy(trials, strategy, attack).estimate for attack in ATTACKS] for strategy in strategies]
    )
    image = axes.imshow(percents, aspect="auto", cmap="viridis", vmin=0, vmax=90)
    axes.grid(visible=False)
    for (row, column), value in np.ndenumerate(percents):
        text, colour = (
            ("", "black") if np.isnan(value) else (f"{value:.0f}", "white" if value < DARK else "black")
        )
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(ATTACKS)), ATTACKS, fontsize=8)
    axes.set_yticks(range(len(strategies)), strategies, fontsize=8)
    axes.axhline(sum(strategy not in ROBUST for strategy in strategies) - 0.5, color="white", linewidth=1.5)
    return image
