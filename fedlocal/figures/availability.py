"""Availability: which actors were there in which round, and which took part."""

import os
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedlocal.figures.canvas import COLOURS, sheet, spaced, tick_step
from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.phases import AVAILABLE
from fedlocal.results.rounds import MOST_LISTED, Round

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ACTORS = 200
"""Beyond, actors are left out at even distances."""


class State(IntEnum):
    """An actor's part in a round."""

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


def actor_states(rounds: Sequence[Round], actors: int) -> NDArray[np.int8] | None:
    """Return each actor's part in each round, a `State`; int8, shape (actors, rounds).

    None where all actors were always there, or there are too many to list. Round 0, before any training, is
    left out.
    """
    observed = [round_ for round_ in rounds if AVAILABLE in round_.metrics]
    if not observed or actors > MOST_LISTED:
        return None
    states = np.full((actors, observed[-1].number), State.THERE, np.int8)
    for round_ in observed:
        column = states[:, round_.number - 1]
        column[list(round_.actors)] = State.TOOK_PART
        column[[error.actor for error in round_.errors]] = State.FAILED
        for actor, how in round_.absent.items():
            column[actor] = State.LEFT if how == "left" else State.AWAY
    return states


def availability(
    states: NDArray[np.int8], path: str | os.PathLike[str], title: str = "Who was there"
) -> None:
    """Draw the parts of actors in rounds as a map, and how many took part in each round.

    Parameters
    ----------
    states : NDArray[int8], shape (actors, rounds)
        As `actor_states` returns them.
    path : path-like
        The PNG to write.
    title : str
        Above the figure.

    Raises
    ------
    ResultsError
        If there is nothing to draw, or the file cannot be written.
    """
    if states.ndim != 2 or states.size == 0:
        msg = f"states of shape {states.shape}: expected (actors, rounds), and at least one of each"
        raise ResultsError(msg)
    shown = np.array(spaced(len(states), MOST_ACTORS))
    if len(shown) < len(states):
        title += f" ({len(shown)} of {len(states)} actors, at even distances)"
    with sheet(path, 8.5, 3.2 + 0.16 * min(len(shown), 24)) as figure:
        figure.suptitle(title)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _map(above, states[shown], shown)
        _counts(below, states)
        from matplotlib.patches import Patch

        seen = [LOOKS[state] for state in State if (states == state).any()]
        handles = [Patch(color=colour, label=label) for colour, label in seen]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _map(axes: "Axes", states: NDArray[np.int8], actors: NDArray[np.int64]) -> None:
    from matplotlib.colors import ListedColormap

    colours = ListedColormap([LOOKS[state][0] for state in State])
    extent = (0.5, states.shape[1] + 0.5, len(states) - 0.5, -0.5)
    image = axes.imshow(states, aspect="auto", cmap=colours, extent=extent, interpolation="nearest")
    image.set_clim(0, len(State) - 1)
    axes.grid(visible=False)
    lines = range(0, len(actors), tick_step(len(actors), 12))
    axes.set_yticks(lines, [str(actors[line]) for line in lines])
    axes.set_ylabel("actor")


def _counts(axes: "Axes", states: NDArray[np.int8]) -> None:
    from matplotlib.ticker import MaxNLocator

    rounds = np.arange(1, states.shape[1] + 1)
    axes.bar(rounds, (states == State.TOOK_PART).sum(axis=0), width=1.0, color=LOOKS[State.TOOK_PART][0])
    axes.set(xlabel="round", ylabel="took part", ylim=(0, len(states)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
