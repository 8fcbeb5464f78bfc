"""A person's own arrays."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.dataset import Dataset
from fedlocal.data.errors import DataError
from fedlocal.data.features import Column
from fedlocal.data.sources.assemble import Preparation, Raw, TargetScale, Task, assemble
from fedlocal.data.sources.holdout import HoldOut
from fedlocal.data.sources.npz_reader import read_npz


def npz(
    *,
    rng: np.random.Generator,
    path: str,
    task: Task = "auto",
    scale: Literal["auto", "unit", "standard", "none"] = "auto",
    target_scale: TargetScale = "standard",
    test_fraction: float = 0.2,
    hold_out: HoldOut = "rows",
) -> Dataset:
    """Load arrays from an npz file: ``x``, ``y``; optionally ``x_test``, ``y_test``, ``groups``, ``columns``.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the test rows, if the file has none.
    path : str
        The file, as `numpy.savez` writes it. ``x`` is [n, d], or images [n, h, w] or [n, h, w, channels];
        ``y`` is labels [n] of any type but object, or real-valued targets [n] or [n, t]; ``groups`` is a
        natural id [n]; ``columns`` is the features' names [d].
    task : {"auto", "classification", "regression"}
        What ``y`` means; "auto": floating-point numbers are real-valued targets, all else are class labels.
    scale : {"auto", "unit", "standard", "none"}
        "unit": bytes are divided by 255, of other numbers each column is brought to [0, 1]; "standard": each
        column to mean 0 and deviation 1, by the training rows; "auto": "unit" for bytes, else "standard".
    target_scale, test_fraction, hold_out
        As of `fedlocal.datasets.csv`; nothing is held out if the file has a test set.

    Raises
    ------
    DataError
        If the file is missing, not an npz file, holds pickled objects, or its arrays make no data set.
    """
    arrays = _read(Path(path).expanduser())
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise DataError(f"{path}: x_test and y_test go together, only one of them is there")
    columns = tuple(Column(str(name)) for name in arrays.get("columns", np.empty(0)).ravel())
    raw = Raw(arrays["x"], arrays["y"], arrays.get("groups"), columns)
    test = Raw(arrays["x_test"], arrays["y_test"]) if "x_test" in arrays else None
    how = Preparation(task, scale, target_scale, test_fraction, hold_out)
    return assemble(Path(path).stem, raw, test, rng, how)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    arrays = read_npz(path, "dataset.path=FILE.npz takes what numpy.savez writes of x and y")
    missing = [name for name in ("x", "y") if name not in arrays]
    if missing:
        raise DataError(f"{path}: holds {sorted(arrays)}, lacks {' and '.join(missing)}")
    return arrays
