"""How the rows were divided, in few numbers: what ``partition.json`` holds for readers of a run's folder.

``actors``, ``rows`` and ``size_quantiles`` (least, lower quartile, median, upper quartile, most) are of
all actors. ``shown`` lists at most 200 of them, at even distances, and ``sizes`` their rows; ``counts``
has a line for each of them with its rows of each of ``classes`` (at most 100, at even distances;
``classes_in_all`` is their number). Where targets are real numbers, ``quantiles`` takes the place of
``counts``: the same five of the first target, ``"nan"`` for an actor that owns nothing.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedlocal.data import Dataset, Partition

MOST_ACTORS, MOST_CLASSES = 200, 100
FIVE = (0.0, 0.25, 0.5, 0.75, 1.0)


def summarize_partition(dataset: Dataset, partition: Partition) -> dict[str, Any]:
    """Say who owns what, in JSON's words, as the module describes; bounded whatever the number of actors."""
    shown = _spaced(len(partition), MOST_ACTORS)
    owned = [dataset.train.y[partition.indices(actor)] for actor in shown]
    summary = {
        "actors": len(partition),
        "rows": len(partition.order),
        "size_quantiles": np.quantile(partition.sizes, FIVE),
        "shown": list(shown),
        "sizes": [len(labels) for labels in owned],
    }
    if dataset.classes is None:
        return {**summary, "quantiles": [_quantiles(targets[:, 0]) for targets in owned]}
    classes = _spaced(len(dataset.classes), MOST_CLASSES)
    counts = [np.bincount(labels, minlength=len(dataset.classes))[classes] for labels in owned]
    names = [str(dataset.classes[label]) for label in classes]
    return {**summary, "classes": names, "classes_in_all": len(dataset.classes), "counts": counts}


def _spaced(length: int, most: int) -> range:
    return range(0, length, -(-length // most))


def _quantiles(targets: NDArray[Any]) -> NDArray[np.float64]:
    return np.quantile(targets.astype(np.float64), FIVE) if len(targets) else np.full(len(FIVE), np.nan)
