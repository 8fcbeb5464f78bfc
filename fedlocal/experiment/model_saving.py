"""What a run keeps of its models: checkpoints and the best round's while it goes on, the last at its end."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fedlocal.inference.model_spec import ModelSpec
from fedlocal.results import BackgroundWriter, BestModel, CheckpointWriter, save_models

if TYPE_CHECKING:
    from fedlocal.schemes import Trained
    from fedlocal.schemes.comparison import Comparison


class DivergedError(RuntimeError):
    """Training ended with weights that are not finite."""


@contextmanager
def save_while_training(
    comparison: "Comparison",
    spec: ModelSpec,
    about: Mapping[str, Any],
    every: int,
    done: int,
    *,
    idle: bool,
) -> Iterator[None]:
    """Have models written beside training, if the run has a folder.

    Parameters
    ----------
    about : mapping of str to Any
        What the run is, for checkpoints.
    every : int
        Rounds from one checkpoint to the next; 0: none.
    done : int
        The round from which the run goes on; 0 for a new one.
    idle : bool
        Whether to leave the disk alone until the end, as a study of speed does.
    """
    if comparison.folder is None:
        yield
        return
    with BackgroundWriter(idle=idle) as background, ExitStack() as stack:
        comparison.best = BestModel(background, comparison.folder, spec.as_json()).note
        if every:
            writer = CheckpointWriter(background, comparison.folder, about, every, done)
            comparison.keep = stack.enter_context(writer).keep
        yield


def save_final_models(trained: "Trained", comparison: "Comparison", spec: ModelSpec) -> None:
    """Write what the run ended with.

    Raises
    ------
    DivergedError
        If it is not finite.
    """
    if not all(np.isfinite(array).all() for array in trained.arrays.values()):
        raise DivergedError("the final weights are not finite; a smaller learning rate may help")
    if comparison.folder:
        last = comparison.histories[comparison.name].rounds[-1]
        about = spec.as_json()
        save_models(comparison.folder, "last", trained.models, about, last.number, last.metrics)
