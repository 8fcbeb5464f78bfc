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

__all__ = ["cifar10", "csv", "digits", "fashion_mnist", "huggingface", "mnist", "npz", "openml", "synthetic"]

_HOMES = {
    "fedlocal.data.sources.bundled": "digits",
    "fedlocal.data.sources.cifar": "cifar10",
    "fedlocal.data.sources.generated": "synthetic",
    "fedlocal.data.sources.huggingface": "huggingface",
    "fedlocal.data.sources.images": "fashion_mnist mnist",
    "fedlocal.data.sources.npz": "npz",
    "fedlocal.data.sources.openml": "openml",
    "fedlocal.data.sources.text": "csv",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
