"""Who was there in which round, and who took part."""

import os
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedlocal.figures.canvas import COLOURS, every, sheet
from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.phases import AVAILABLE
from fedlocal.results.rounds import MOST_LISTED, Round

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ACTORS = 200
"""Beyond, actors are left out at even distances."""


class State(IntEnum):
    """What a round was to an actor."""

    AWAY = 0
    THERE = 1
    TOOK_PART = 2
    LEFT = 3
    FAILED = 4


LOOKS = {
    State.AWAY: ("#e8e8e8", "away"),
    State.THERE: (COLOURS[5], "there, not asked"),
    State.TOOK_PART: (COLOURS[0], "took part"),
    State.LEFT: (COLOURS[4], "left in mid-round"),
    State.FAILED: (COLOURS[1], "error"),
}


def states(rounds: Sequence[Round], actors: int) -> NDArray[np.int8] | None:
    """Return what each round was to each actor, a `State`; int8, shape (actors, rounds).

    None where all were always there, or there are too many to tell. Round 0, before any training, has none.
    """
    known = [one for one in rounds if AVAILABLE in one.metrics]
    if not known or actors > MOST_LISTED:
        return None
    found = np.full((actors, known[-1].number), State.THERE, np.int8)
    for one in known:
        column = found[:, one.number - 1]
        column[list(one.actors)] = State.TOOK_PART
        column[[error.actor for error in one.errors]] = State.FAILED
        for actor, how in one.absent.items():
            column[actor] = State.LEFT if how == "left" else State.AWAY
    return found


def availability(found: NDArray[np.int8], path: str | os.PathLike[str], title: str = "Who was there") -> None:
    """Draw actors against rounds by what a round was to them, and how many took part.

    Parameters
    ----------
    found : NDArray[int8], shape (actors, rounds)
        As `states` returns them.
    path : path-like
        The PNG to write.
    title : str
        Above the figure.

    Raises
    ------
    ResultsError
        If there is nothing to draw, or the file cannot be written.
    """
    if found.ndim != 2 or found.size == 0:
        msg = f"states of shape {found.shape}: expected (actors, rounds), and at least one of each"
        raise ResultsError(msg)
    shown = np.arange(0, len(found), -(-len(found) // MOST_ACTORS))
    if len(shown) < len(found):
        title += f" ({len(shown)} of {len(found)} actors, at even distances)"
    with sheet(path, 8.5, 3.2 + 0.16 * min(len(shown), 24)) as figure:
        figure.suptitle(title)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _map(above, found[shown], shown)
        _counts(below, found)
        from matplotlib.patches import Patch

        seen = [LOOKS[state] for state in State if (found == state).any()]
        handles = [Patch(color=colour, label=label) for colour, label in seen]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _map(axes: "Axes", found: NDArray[np.int8], actors: NDArray[np.int64]) -> None:
    from matplotlib.colors import ListedColormap

    colours = ListedColormap([LOOKS[state][0] for state in State])
    extent = (0.5, found.shape[1] + 0.5, len(found) - 0.5, -0.5)
    image = axes.imshow(found, aspect="auto", cmap=colours, extent=extent, interpolation="nearest")
    image.set_clim(0, len(State) - 1)
    axes.grid(visible=False)
    lines = range(0, len(actors), every(len(actors), 12))
    axes.set_yticks(lines, [str(actors[line]) for line in lines])
    axes.set_ylabel("actor")


def _counts(axes: "Axes", found: NDArray[np.int8]) -> None:
    from matplotlib.ticker import MaxNLocator

    rounds = np.arange(1, found.shape[1] + 1)
    axes.bar(rounds, (found == State.TOOK_PART).sum(axis=0), width=1.0, color=LOOKS[State.TOOK_PART][0])
    axes.set(xlabel="round", ylabel="took part", ylim=(0, len(found)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
