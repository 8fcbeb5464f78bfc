"""The best round's model, written as soon as there is one: a run that is killed later still has it."""

import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fedlocal.results.atomic_files import ResultsError
from fedlocal.results.background_writer import BackgroundWriter
from fedlocal.results.model_files import MANIFESTS, Arrays, files_of, read_manifest, save_models
from fedlocal.results.rounds import Round

logger = logging.getLogger(__name__)


class BestModel:
    """Keeps the model of the first round that had the highest accuracy; where there is none, the lowest loss.

    Of several records in a row only the last may be written.

    Parameters
    ----------
    background : BackgroundWriter
        The run's writer.
    folder : Path
        The run's folder. A best model of an earlier part of the run stays until a better one comes.
    about : mapping of str to Any
        What a reader needs to use the model, as JSON values.
    """

    def __init__(self, background: BackgroundWriter, folder: Path, about: Mapping[str, Any]) -> None:
        self._background, self._folder, self._about = background, folder, about
        self._record = _record(folder)

    def note(self, round_: Round, arrays: Callable[[], Arrays]) -> None:
        """Take note of a round that is done; round 0, before any training, does not count.

        `arrays` is called only for a record: it returns the model's arrays, which must not change any more;
        none where each actor has a model of its own.
        """
        score = score_of(round_.metrics)
        if round_.number and score > self._record and (model := arrays()):
            self._record = score
            save = partial(save_models, self._folder, "best", {"model": model}, self._about)
            write = partial(save, round_.number, dict(round_.metrics))
            self._background.write_soon("best model", round_.number, write)


def score_of(metrics: Mapping[str, float]) -> float:
    """Return how good a model is: its accuracy, or else its negated loss; NaN is the worst of all."""
    score = metrics.get("accuracy", -metrics.get("loss", math.inf))
    return -math.inf if math.isnan(score) else score


def _record(folder: Path) -> float:
    """Return how good the best model is that an earlier part of the run has left."""
    path = folder / MANIFESTS["best"]
    if not path.exists():
        return -math.inf
    try:
        manifest = read_manifest(path)
        score = score_of({name: float(value) for name, value in manifest["metrics"].items()})
    except (ResultsError, KeyError, ValueError, TypeError, AttributeError) as error:
        logger.warning("the best model so far is lost: %s", str(error))
        return -math.inf
    return score if all((folder / name).is_file() for name in files_of(manifest).values()) else -math.inf
