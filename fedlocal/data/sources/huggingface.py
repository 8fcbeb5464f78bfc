"""Any data set that the Hugging Face library ``datasets`` can load: from the hub, or from a folder."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fedlocal.data.dataset import Dataset
from fedlocal.data.errors import DataError
from fedlocal.data.sources.arrow import scalars
from fedlocal.data.sources.assemble import Preparation, Raw, TargetScale, Task, assemble
from fedlocal.data.sources.columns import Roles, features_of, roles_of
from fedlocal.data.sources.holdout import HoldOut

SAVED = ("dataset_dict.json", "state.json")  # what save_to_disk writes
TEXT = 500  # of another library's message


def huggingface(
    *,
    rng: np.random.Generator,
    path: str,
    name: str | None = None,
    data_files: str | list[str] | dict[str, Any] | None = None,
    revision: str | None = None,
    train_split: str = "train",
    test_split: str | None = "auto",
    features: list[str] | None = None,
    label: str | None = None,
    group: str | None = None,
    task: Task = "auto",
    scale: Literal["auto", "unit", "standard", "none"] = "auto",
    target_scale: TargetScale = "standard",
    test_fraction: float = 0.2,
    hold_out: HoldOut = "rows",
    cache: str | None = None,
) -> Dataset:
    """Load a data set with the Hugging Face library ``datasets``.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the test rows, if there is no test split.
    path : str
        A name on the hub, a folder that ``save_to_disk`` wrote, a folder of data files, or the kind of
        `data_files`: ``csv``, ``json``, ``parquet``, …
    name : str or None
        Configuration of a data set that has several.
    data_files : str, list of str, dict or None
        Files to read; a dict of them by split.
    revision : str or None
        Branch, tag or commit on the hub.
    train_split, test_split : str, str or None
        Names of the splits. "auto": ``test`` where there is one; None: a part of the training split is held
        out.
    features : list of str or None
        Columns to learn from. None: the only column of pictures; else the only column of lists of numbers
        of one length; else all columns of numbers or classes.
    label : str or None
        Column to predict. None: ``label`` or ``labels``, else the only column of classes.
    group : str or None
        Column of natural ids, for ``partition=group``; it is no feature.
    task : {"auto", "classification", "regression"}
        "auto": floating-point labels are real-valued targets, all else are classes.
    scale
        As of `fedlocal.datasets.npz`.
    target_scale, test_fraction, hold_out
        As of `fedlocal.datasets.csv`; nothing is held out if there is a test split.
    cache : str or None
        Folder for what is downloaded or converted; None: the library's own.

    Returns
    -------
    Dataset
        Its classes are the names that the data set gives them, in its order.

    Raises
    ------
    DataError
        If the library is not installed, the data set cannot be had, or a column cannot be used; the message
        names the column, what it holds and what to do.
    """
    options = {"name": name, "data_files": data_files, "revision": revision}
    splits = _splits(path, {key: value for key, value in options.items() if value}, cache, train_split)
    title = Path(data_files).stem if isinstance(data_files, str) else Path(path).name
    train = _split(title, splits, train_split, "train_split")
    roles = roles_of(title, train.features, features, label, group)
    raw = _raw(train, roles, f"{title}, {train_split}")
    held = _test_name(splits, test_split)
    test = None
    if held:
        rows = _split(title, splits, held, "test_split")
        _check_alike(title, train.features, rows.features, roles)
        test = _raw(rows, replace(roles, group=None), f"{title}, {held}")
    how = Preparation(task, scale, target_scale, test_fraction, hold_out)
    dataset = assemble(title, raw, test, rng, how)
    names = getattr(train.features[roles.label], "names", None)
    if names is None or dataset.classes is None:
        return dataset
    return replace(dataset, classes=np.array(names)[dataset.classes])


def _library() -> Any:
    try:
        return import_module("datasets")
    except ImportError as error:
        raise DataError(
            f"dataset=huggingface needs the library datasets ({error}): pip install 'fedlocal[hf]'"
        ) from error


@contextmanager
def _progress_bars(library: Any) -> Iterator[None]:
    """Leave the library's progress bars to terminals."""
    off = not sys.stderr.isatty() and not library.are_progress_bars_disabled()
    if off:
        library.disable_progress_bars()
    try:
        yield
    finally:
        if off:
            library.enable_progress_bars()


def _splits(path: str, options: Mapping[str, Any], cache: str | None, only: str) -> Mapping[str, Any]:
    """Return the splits by their names; a data set without any is the split `only`."""
    if path == "pandas":
        raise DataError("dataset.path=pandas reads pickles, and they can run any code: save it as parquet")
    library, local = _library(), Path(path).expanduser()
    saved = any((local / name).is_file() for name in SAVED)
    if saved and options:
        raise DataError(
            f"{path}: save_to_disk wrote it, so leave out dataset.{' and dataset.'.join(options)}"
        )
    if local.is_file():
        raise DataError(
            f"{path} is a file: set dataset.path=csv (or json, parquet) dataset.data_files={path}"
        )
    try:
        with _progress_bars(library):
            if saved:
                loaded = library.load_from_disk(str(local))
            else:
                source = str(local) if local.is_dir() else path
                loaded = library.load_dataset(source, cache_dir=cache, **options)
    except Exception as error:  # whatever it raises, of very many kinds, the data set cannot be had
        reason = " ".join(str(error).split())[:TEXT].rstrip(".") or type(error).__name__
        raise DataError(f"{path}: {reason}. {_advice(error)}") from error
    return loaded if isinstance(loaded, Mapping) else {only: loaded}


def _advice(error: Exception) -> str:
    if isinstance(error, ConnectionError):
        return (
            "Without network: where there is one, load it with datasets.load_dataset and keep it with "
            "save_to_disk; then set dataset.path=FOLDER"
        )
    return (
        "dataset.path is a name on the Hugging Face hub, a folder that save_to_disk wrote or that holds data "
        "files, or the kind of dataset.data_files (csv, json, parquet)"
    )


def _test_name(splits: Mapping[str, Any], asked: str | None) -> str | None:
    if asked != "auto":
        return asked
    return "test" if "test" in splits else None


def _split(title: str, splits: Mapping[str, Any], name: str, option: str) -> Any:
    if name not in splits:
        raise DataError(f"{title}: no split {name!r}, there are {', '.join(splits)}; set dataset.{option}=…")
    return splits[name]


def _check_alike(title: str, train: Mapping[str, Any], test: Mapping[str, Any], roles: Roles) -> None:
    for column in (roles.label, *roles.features):
        if test.get(column) != train[column]:
            raise DataError(
                f"{title}: column {column!r} is {train[column]} in the training split, but "
                f"{test.get(column) or 'not there'} in the test split; bring them to one type with "
                "Dataset.cast, or set dataset.test_split=null to hold out training rows"
            )


def _raw(split: Any, roles: Roles, where: str) -> Raw:
    used = [*roles.features, roles.label, *([roles.group] if roles.group else [])]
    table = split.with_format("arrow", columns=used)[:]
    y = scalars(table[roles.label], f"{where}, label column {roles.label!r}")
    if hasattr(split.features[roles.label], "names") and (unlabelled := int((y < 0).sum())):
        raise DataError(
            f"{where}: column {roles.label!r} has no class in {unlabelled} of {len(y)} rows (-1); leave them "
            "out with Dataset.filter, or choose another split: dataset.test_split=validation, or null to "
            "hold out training rows"
        )
    groups = scalars(table[roles.group], f"{where}, group column {roles.group!r}") if roles.group else None
    x, columns = features_of(table, split.features, roles.features, where)
    return Raw(x, y, groups, columns)
