"""Addresses that earlier versions wrote into files, and the public ones that stand for the same today.

What a run's folder, a sweep's or a model's manifest names goes through here when it is read, and so does what
is composed: an old address in somebody's own YAML, or typed, goes on to work.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fedlocal.config.dotted_keys import as_plain, flat_items

_MOVED = {
    ("flower.attacks", "attacks"): "Attack Colluding LabelFlip NaN Noise Scaling SignFlip",
    ("flower.backends", "backends"): "Actors Elastic Inline",
    ("apps.engines", "backends"): "Ray",
    ("schemes.nested", "clients"): "Nested",
    ("data.sources", "datasets"): "cifar10 csv digits fashion_mnist huggingface mnist npz openml synthetic",
    ("data.partition", "partitions"): "Continuous Dirichlet Distribution Exponential ExtendedDirichlet "
    "FlowerDatasets Group Iid InnerDirichlet LabelShards Linear Mixed Orthogonal Pathological Quantity Sizes "
    "Square",
    ("data.skew", "partitions"): "GaussianNoise NoSkew Rotation",
    ("flower.fedavg", "strategies"): "FedAvg",
    ("flower.norm_clipping", "strategies"): "NormClipping",
    ("flower.qfedavg", "strategies"): "QFedAvg",
    ("results.trackers.mlflow", "trackers"): "MLflow",
    ("results.trackers.tensorboard", "trackers"): "TensorBoard",
}
"""The module, the public one, and the names that moved from the one to the other."""

_RENAMED = {
    ("flower.clients", "AnyApp"): ("clients", "FlowerClient"),
    ("flower.clients", "Own"): ("clients", "DefaultClient"),
    ("models.keras_modules", "mlp"): ("models", "keras_mlp"),
    ("models.torch_modules", "cnn"): ("models", "torch_cnn"),
    ("models.torch_modules", "mlp"): ("models", "torch_mlp"),
    ("schemes.batch_parallel", "batch_parallel"): ("schemes", "BatchParallel"),
    ("schemes.federated", "federated"): ("schemes", "Federated"),
    ("schemes.local", "local"): ("schemes", "Local"),
    ("schemes.pipeline", "pipeline"): ("schemes", "Pipeline"),
    ("schemes.sequential", "sequential"): ("schemes", "Sequential"),
}
_OF_FLOWER = "Bulyan FedAdagrad FedAdam FedAvgM FedMedian FedProx FedTrimmedAvg FedYogi Krum MultiKrum"


def _addresses() -> Iterator[tuple[str, str]]:
    """Yield old addresses with the public ones; the first old one is that of a configuration."""
    for (old, public), names in _MOVED.items():
        yield from ((f"fedlocal.{old}.{name}", f"fedlocal.{public}.{name}") for name in names.split())
    for before, after in _RENAMED.items():
        yield ".".join(("fedlocal", *before)), ".".join(("fedlocal", *after))
    for module in ("flwr.serverapp.strategy.{0}", "flwr.serverapp.strategy.{1}.{0}"):  # preset, checkpoint
        for name in _OF_FLOWER.split():
            yield module.format(name, name.lower()), f"fedlocal.strategies.{name}"


_PUBLIC = dict(_addresses())
_FIRST = {public: old for old, public in reversed(_PUBLIC.items())}


def with_public_addresses(stored: Any) -> Any:
    """Return what was stored with the public addresses in place of old ones.

    Parameters
    ----------
    stored : Any
        Mappings, lists, strings and whatever else stands in them.

    Examples
    --------
    >>> with_public_addresses({"strategy": {"_target_": "flwr.serverapp.strategy.FedAdam", "eta": 0.1}})
    {'strategy': {'_target_': 'fedlocal.strategies.FedAdam', 'eta': 0.1}}
    """
    return _replaced(stored, _PUBLIC)


def with_first_addresses(current: Any) -> Any:
    """Return a configuration, or a part of it, with the addresses that the first version wrote."""
    return _replaced(current, _FIRST)


def replace_old_addresses(config: Any) -> None:
    """Replace the old addresses in a configuration as OmegaConf holds it."""
    from omegaconf import OmegaConf  # imported late: what reads plain files needs none

    for key, value in flat_items(as_plain(config, resolve=False)):
        if (public := with_public_addresses(value)) != value:
            OmegaConf.update(config, key, public)


def _replaced(value: Any, addresses: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        replaced = {key: _replaced(inner, addresses) for key, inner in value.items()}
        if (
            replaced.get("_target_") == "fedlocal.schemes.BatchParallel"
            and replaced.get("transport") == "memory"
        ):
            del replaced["transport"]  # the only way that there is today
        return replaced
    if isinstance(value, list | tuple):
        return [_replaced(inner, addresses) for inner in value]
    return addresses.get(value, value) if isinstance(value, str) else value
