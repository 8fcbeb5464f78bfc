"""Predictions as a file: a table with a header, or arrays."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from fedlocal.results import replacing, save_arrays
from fedlocal.results.formatting import harmless

Array = NDArray[Any]

ROWS_AT_ONCE = 1024  # as text, rows take ten times the memory of their numbers


@dataclass(frozen=True)
class Predictions:
    """Predictions as they are written.

    Parameters
    ----------
    labels : ndarray, shape (n,) or (n, targets)
        Labels of classes, or real values.
    probabilities : ndarray, shape (n, classes), or None
        Of each class.
    classes : ndarray, shape (classes,), or None
        The labels, in the order of `probabilities`.
    """

    labels: Array
    probabilities: Array | None = None
    classes: Array | None = None


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions, atomically: a ``.csv`` with a header, or an ``.npz``.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    """
    if path.suffix == ".npz":
        save_arrays(path, {name: array for name, array in vars(predictions).items() if array is not None})
        return
    labels = predictions.labels.reshape(len(predictions.labels), -1)
    targets = labels.shape[1]
    header = ["prediction"] if targets == 1 else [f"prediction-{at}" for at in range(targets)]
    parts = [labels]
    if predictions.probabilities is not None and predictions.classes is not None:
        header += [f"p({label})" for label in predictions.classes]
        parts.append(predictions.probabilities)
    with replacing(path) as stream, _text(stream) as text:
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(map(harmless, header))
        for start in range(0, len(labels), ROWS_AT_ONCE):
            rows = np.hstack([part[start : start + ROWS_AT_ONCE].astype(str) for part in parts]).tolist()
            lines.writerows([map(harmless, row) for row in rows] if labels.dtype.kind in "OSUT" else rows)


@contextmanager
def _text(stream: BinaryIO) -> Iterator[TextIO]:
    """Write text to a stream of bytes, which is left open."""
    text = io.TextIOWrapper(stream, "utf-8", newline="")
    try:
        yield text
    finally:
        text.detach()
