"""The specification of a model, without which its arrays mean nothing: architecture, features, classes."""

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from hydra.utils import get_object
from numpy.typing import NDArray
from omegaconf import OmegaConf

from fedlocal.config.build import build
from fedlocal.config.dotted_keys import as_plain
from fedlocal.config.old_addresses import with_public_addresses
from fedlocal.config.schema import Config
from fedlocal.config.signatures import target_problems
from fedlocal.config.trust import check_stored
from fedlocal.data import Column, Dataset, FeatureScaling, Fingerprint
from fedlocal.inference import InferenceError
from fedlocal.inference.worker import ModelMaker
from fedlocal.models import ModelFactory, make
from fedlocal.results import ResultsError, versions

FACTORY_ARGUMENTS = {"inputs", "outputs", "classes", "rng"}
"""Arguments that every factory of models takes."""


@dataclass(frozen=True, eq=False)
class ModelSpec:
    """A model without its arrays.

    Parameters
    ----------
    config : mapping of str to Any
        The run's configuration, resolved; of it, ``model`` names what makes the model.
    dataset : str
        The name of what it was trained on.
    inputs, outputs : int
        Features as the model sees them; classes or real targets.
    classes : ndarray of shape (outputs,) or None
        The labels, index = class code; None for real targets.
    shape : tuple of int
        Of one raw example.
    scaling : FeatureScaling or None
        From raw features to those that the model sees; None: as they are.
    columns : tuple of Column
        Of a raw table; empty where features have no names.
    data : Fingerprint
        Of what it was trained on; empty where an earlier fedlocal did not say.
    origin : Path or None
        The file that says so, if it is not to be trusted: then what it names is built only if it is known.
    target_scaling : FeatureScaling or None
        From real targets in their own units to what the model gives; None: it gives those.
    """

    config: Mapping[str, Any]
    dataset: str
    inputs: int
    outputs: int
    classes: NDArray[Any] | None
    shape: tuple[int, ...]
    scaling: FeatureScaling | None
    columns: tuple[Column, ...]
    data: Fingerprint = field(default_factory=dict)
    origin: Path | None = None
    target_scaling: FeatureScaling | None = None

    @classmethod
    def of_run(cls, config: Config, dataset: Dataset, data: Fingerprint) -> "ModelSpec":
        """Return the specification of a run's model."""
        return cls(
            config=as_plain(config),
            dataset=dataset.name,
            inputs=dataset.inputs,
            outputs=dataset.outputs,
            classes=dataset.classes,
            shape=dataset.shape,
            scaling=dataset.scaling,
            columns=dataset.columns,
            data=data,
            target_scaling=dataset.target_scaling,
        )

    @classmethod
    def read(cls, manifest: Mapping[str, Any], path: Path, *, trust: bool = False) -> "ModelSpec":
        """Return the specification that `as_json` wrote into a manifest, which was read at `path`.

        With `trust`, whatever it names may be imported and called.

        Raises
        ------
        ResultsError
            If the manifest does not say all of it.
        """
        try:
            architecture, features, classes = (manifest[key] for key in ("model", "features", "classes"))
            return cls(
                config=with_public_addresses({**manifest["config"], "model": dict(architecture["config"])}),
                dataset=str(manifest["dataset"]),
                inputs=int(architecture["inputs"]),
                outputs=int(architecture["outputs"]),
                classes=np.array(classes["labels"], classes["dtype"]) if classes else None,
                shape=tuple(map(int, features["shape"])),
                scaling=_scaling(features["scaling"]),
                columns=tuple(map(_column, features["columns"])),
                data=dict(manifest.get("data") or {}),
                origin=None if trust else path,
                target_scaling=_scaling(manifest.get("targets")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ResultsError(
                f"the manifest does not say what its model is ({type(error).__name__}: {error})"
            ) from error

    def as_json(self) -> dict[str, Any]:
        """Return the specification as JSON, with the versions of what trained the model."""
        return {
            "model": {"config": self.config["model"], "inputs": self.inputs, "outputs": self.outputs},
            "classes": None if self.classes is None else _labels(self.classes),
            "features": {
                "shape": self.shape,
                "scaling": _numbers(self.scaling),
                "columns": [asdict(column) for column in self.columns],
            },
            "targets": _numbers(self.target_scaling),
            "dataset": self.dataset,
            "data": self.data,
            "config": self.config,
            "versions": versions(),
        }

    def new_model(self) -> ModelMaker:
        """Return what makes the model.

        Raises
        ------
        TrustError
            If the configuration names code that is to be trusted first.
        InferenceError
            If what the configuration names is not there, is no model, or refuses its options.
        """
        self.check("model")
        try:
            factory, classes = _factory(self.config["model"]), self.classes is not None
            sizes = {"inputs": self.inputs, "outputs": self.outputs}
            maker = partial(make, factory, **sizes, classes=classes, shape=self.shape, rng=0)
            maker()
        except Exception as error:
            raise InferenceError(
                f"the model cannot be built again ({' '.join(str(error).split())}): what made it must be "
                "importable here, in the version that trained it"
            ) from error
        return maker

    def check(self, group: str) -> None:
        """Raise TrustError if building a group of the configuration takes more trust than there is."""
        if self.origin:
            check_stored({group: self.config[group]}, self.origin)


def _factory(options: Mapping[str, Any]) -> ModelFactory:
    """Return what makes models; whatever else could be named is not called."""
    if problems := target_problems("model", OmegaConf.create(dict(options))):
        raise InferenceError("; ".join(problems))
    target = get_object(options["_target_"])
    if options.get("_partial_") is not True:  # then it is the class of what makes them
        target = target.__call__ if inspect.isclass(target) else None
    parameters = inspect.signature(target).parameters if target else {}
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if not takes_any and (lacking := FACTORY_ARGUMENTS - parameters.keys()):
        takes = f"does not take {', '.join(sorted(lacking))}, as a model does"
        raise InferenceError(f"model._target_={options['_target_']} {takes}")
    factory: ModelFactory = build(cast(Config, {"model": options}), "model")
    return factory


def _labels(classes: NDArray[Any]) -> dict[str, Any]:
    plain = classes if classes.dtype.kind in "biufU" else classes.astype(str)
    return {"dtype": plain.dtype.str, "labels": plain}


def _numbers(scaling: FeatureScaling | None) -> dict[str, Any] | None:
    return {"shift": scaling.shift, "factor": scaling.factor} if scaling else None


def _scaling(described: Mapping[str, Any] | None) -> FeatureScaling | None:
    if described is None:
        return None
    shift, factor = (np.array(described[key], np.float64) for key in ("shift", "factor"))
    return FeatureScaling(shift, factor)


def _column(described: Mapping[str, Any]) -> Column:
    categories = described["categories"]
    values = None if categories is None else tuple(map(str, categories))
    fill = described.get("fill")  # earlier manifests have none
    return Column(
        str(described["name"]), values, bool(described["onehot"]), None if fill is None else float(fill)
    )
