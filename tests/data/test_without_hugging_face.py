"""Where the libraries of Hugging Face and Flower Datasets are not installed, it is said what to install."""

import sys

import numpy as np
import pytest

from fedlocal.data import DataError, PartitionError
from fedlocal.data.partition import Traits
from fedlocal.datasets import huggingface
from fedlocal.partitions import FlowerDatasets

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)


def test_the_source_says_what_to_install() -> None:
    with pytest.raises(DataError, match=r"dataset=huggingface needs .*pip install 'fedlocal\[hf\]'"):
        huggingface(rng=RNG, path="mine")


def test_the_strategy_says_what_to_install() -> None:
    with pytest.raises(PartitionError, match=r"flower_datasets: .*pip install 'fedlocal\[hf\]'"):
        FlowerDatasets(object)(Traits(np.arange(4)), 2, RNG)


def test_the_strategy_wants_what_makes_partitioners() -> None:
    with pytest.raises(PartitionError, match=r"partitioner='iid', expected .* leave its _partial_=true"):
        FlowerDatasets("iid")  # type: ignore[arg-type]


def test_the_strategy_knows_what_becomes_of_leftovers() -> None:
    with pytest.raises(PartitionError, match="leftover='drop', expected one of error, spread"):
        FlowerDatasets(object, leftover="drop")  # type: ignore[arg-type]
