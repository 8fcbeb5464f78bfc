"""Sources of data by their public addresses: what ``conf/dataset`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.data.sources.bundled import digits
    from fedlocal.data.sources.cifar import cifar10
    from fedlocal.data.sources.generated import synthetic
    from fedlocal.data.sources.huggingface import huggingface
    from fedlocal.data.sources.images import fashion_mnist, mnist
    from fedlocal.data.sources.npz import npz
    from fedlocal.data.sources.openml import openml
    from fedlocal.data.sources.text import csv

__all__ = [
    "cifar10",
    "csv",
    "digits",
    "fashion_mnist",
    "huggingface",
    "mnist",
    "npz",
    "openml",
    "synthetic",
]

_HOMES = {
    "digits": "fedlocal.data.sources.bundled",
    "cifar10": "fedlocal.data.sources.cifar",
    "npz": "fedlocal.data.sources.npz",
    "synthetic": "fedlocal.data.sources.generated",
    "huggingface": "fedlocal.data.sources.huggingface",
    "fashion_mnist": "fedlocal.data.sources.images",
    "mnist": "fedlocal.data.sources.images",
    "openml": "fedlocal.data.sources.openml",
    "csv": "fedlocal.data.sources.text",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
