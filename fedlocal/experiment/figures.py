"""The figures of a run, drawn after its last round by actors: one for each figure, at the same time."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fedlocal import figures
from fedlocal.actors import ActorSystemError, Behaviour, Envelope, Failure, System, Wire
from fedlocal.results import History

logger = logging.getLogger(__name__)

Draw = Callable[[], None]
PRELOAD = ("fedlocal.experiment.figures", "matplotlib.backends.backend_agg", "matplotlib.figure")
"""What drawing needs: most of its time is their import, which can be over before it begins."""

DRAWING = 2  # actors at the same time


class FigureActor:
    """The behaviour of actors that draw: actor i draws figure i.

    Parameters
    ----------
    tasks : sequence of callable
        Each draws one figure.
    """

    def __init__(self, tasks: Sequence[Draw]) -> None:
        self._tasks = tasks

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        """Draw; there is nothing to say about it."""
        del message, state
        self._tasks[actor]()
        return Wire(), b""


def draw(
    folder: Path,
    histories: Mapping[str, History],
    summary: Mapping[str, Any],
    open_system: Callable[[Callable[[], Behaviour], int], System],
) -> None:
    """Draw the run's figures; a figure that fails does not take the run with it.

    Parameters
    ----------
    folder : Path
        Of the run.
    histories : mapping of str to History
        By the names of the arms, the main one first.
    summary : mapping
        Of the partition, as of `summarize_partition`.
    open_system : callable
        Opens a system of actors, given their behaviour and a number of workers.
    """
    try:
        tasks = _tasks(folder, histories, summary)
        with closing(open_system(partial(FigureActor, tasks), min(len(tasks), DRAWING))) as system:
            results = system.ask([Envelope(figure) for figure in range(len(tasks))])
    except ActorSystemError as error:
        logger.error("the figures could not be drawn: %s", error)  # noqa: TRY400 - there is no more to know
        return
    except Exception:
        logger.exception("the figures could not be drawn")
        return
    for result in results:
        if isinstance(result, Failure):
            logger.error("a figure could not be drawn: %s\n%s", result.reason, result.traceback)


def _tasks(folder: Path, histories: Mapping[str, History], summary: Mapping[str, Any]) -> list[Draw]:
    """Return how to draw each figure that the main arm has anything for."""
    rounds = next(iter(histories.values()), History()).rounds
    tasks: list[Draw] = [
        partial(figures.learning_curves, _without_actors(histories), folder / "learning_curves.png"),
        partial(figures.partition, summary, folder / "partition.png"),
    ]
    if worked := figures.representative_rounds(rounds):
        tasks.append(partial(figures.timeline, worked, folder / "timeline.png"))
    states = figures.actor_states(rounds, summary["actors"])
    if states is not None:
        tasks.append(partial(figures.availability, states, folder / "availability.png"))
    return tasks


def _without_actors(histories: Mapping[str, History]) -> dict[str, History]:
    """Return the histories without what each actor did in each round: that is most of them."""
    bare = {name: History() for name in histories}
    for name, history in histories.items():
        bare[name].rounds = [replace(round_, actors={}, errors=(), work=()) for round_ in history.rounds]
    return bare
