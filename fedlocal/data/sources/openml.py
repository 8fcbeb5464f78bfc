"""Any data set of openml.org, by name or id."""

from typing import Any, Literal

import numpy as np

from fedlocal.data.dataset import Dataset
from fedlocal.data.errors import DataError
from fedlocal.data.sources.assemble import Preparation, TargetScale, Task, assemble
from fedlocal.data.sources.download import fetch
from fedlocal.data.sources.feature_scaling import Scale
from fedlocal.data.sources.holdout import HoldOut
from fedlocal.data.sources.imputation import Impute
from fedlocal.data.sources.table import Encoding, Table, assign_roles


def openml(
    *,
    rng: np.random.Generator,
    name: str | None = None,
    version: int | None = None,
    data_id: int | None = None,
    target: str | None = None,
    group: str | None = None,
    task: Task = "auto",
    encoding: Encoding = "onehot",
    missing: Literal["error", "drop"] = "error",
    impute: Impute | None = None,
    scale: Scale = "standard",
    target_scale: TargetScale = "standard",
    test_fraction: float = 0.2,
    hold_out: HoldOut = "rows",
    cache: str | None = None,
) -> Dataset:
    """Load a table from openml.org, downloaded once.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the test rows.
    name, version : str or None, int or None
        Name and version of the data set; without version, the oldest active one.
    data_id : int or None
        Or its number; give either `name` or `data_id`.
    target : str or None
        Column to predict; None: the one that OpenML names.
    group : str or None
        Column of natural group ids; it is no feature.
    task : {"auto", "classification", "regression"}
        "auto": a nominal target is a class, a numeric one is real-valued.
    encoding, missing, impute, scale, target_scale, test_fraction, hold_out
        As of `fedlocal.datasets.csv`.
    cache : str or None
        Folder for the download; None: scikit-learn's ``data_home``.

    Raises
    ------
    DataError
        If the data set cannot be had or used; the message says why.
    """
    if (name is None) == (data_id is None):
        raise DataError("openml: give either dataset.name=NAME or dataset.data_id=NUMBER")
    chosen = {"data_id": data_id} if name is None else {"name": name, "version": version or "active"}
    title = str(name or data_id)
    otherwise = "Run once where it can be reached, or save your own arrays and use dataset=npz."
    # all columns are asked for as features: only so are nominal ones encoded without pandas
    bunch = fetch(
        f"openml {title}", otherwise, **chosen, target_column=None, parser="liac-arff", data_home=cache
    )
    cells = bunch.data.toarray() if hasattr(bunch.data, "toarray") else np.asarray(bunch.data)
    names, nominal = list(bunch.feature_names), dict(bunch.categories or {})
    table = Table(f"openml {title}", names, cells.astype(np.float64), nominal)
    targets = _targets(title, target, bunch)
    features = [column for column in names if column not in (*targets, group)]
    raw = assign_roles(table, features, targets, group, encoding=encoding, missing=missing, impute=impute)
    how = Preparation(task, scale, target_scale, test_fraction, hold_out, impute, white=0)
    return assemble(title, raw, None, rng, how)


def _targets(title: str, target: str | None, bunch: Any) -> list[str]:
    if target is not None:
        return [target]
    named = bunch.details.get("default_target_attribute") or ""
    if not named:
        raise DataError(
            f"openml {title}: OpenML names no target; give dataset.target=COLUMN, one of "
            f"{', '.join(bunch.feature_names)}"
        )
    return [column.strip() for column in named.split(",")]
