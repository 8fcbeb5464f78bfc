"""Sources of data by their public addresses: what ``conf/dataset`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.data.sources.bundled import digits as digits
    from fedlocal.data.sources.cifar import cifar10 as cifar10
    from fedlocal.data.sources.generated import synthetic as synthetic
    from fedlocal.data.sources.huggingface import huggingface as huggingface
    from fedlocal.data.sources.images import fashion_mnist as fashion_mnist
    from fedlocal.data.sources.images import mnist as mnist
    from fedlocal.data.sources.npz import npz as npz
    from fedlocal.data.sources.openml import openml as openml
    from fedlocal.data.sources.text import csv as csv
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
