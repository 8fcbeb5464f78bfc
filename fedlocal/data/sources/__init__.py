"""Sources of data: each is called as ``source(rng=generator, **options)``, returns a `Dataset`.

The groups of ``conf/dataset`` bear the names of these functions.
"""

from fedlocal.data.sources.bundled import digits
from fedlocal.data.sources.cifar import cifar10
from fedlocal.data.sources.generated import synthetic
from fedlocal.data.sources.huggingface import huggingface
from fedlocal.data.sources.images import fashion_mnist, mnist
from fedlocal.data.sources.npz import npz
from fedlocal.data.sources.openml import openml
from fedlocal.data.sources.text import csv

__all__ = ["cifar10", "csv", "digits", "fashion_mnist", "huggingface", "mnist", "npz", "openml", "synthetic"]
