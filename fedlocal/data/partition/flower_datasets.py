"""Any partitioner of Flower Datasets as a strategy: it divides row numbers, and its division is checked."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import PartitionError
from fedlocal.data.partition.apportionment import Ints, pour
from fedlocal.data.partition.base import OwnerRule, Traits
from fedlocal.data.partition.checks import check_choice

NOBODY = -1


@dataclass(frozen=True)
class FlowerDatasets(OwnerRule):
    """The parts are those of a partitioner of ``flwr_datasets``, or of a user's that is written like them.

    It is given a `datasets.Dataset` of three columns: ``row``, the number of the row; ``label``, the class
    code or real-valued target; and ``group``, the natural id, where the data set has one.

    Parameters
    ----------
    partitioner : callable
        Makes the partitioner, anew for each division. Of its parameters, those that are not set are filled
        in: ``num_partitions`` with the number of actors, ``partition_by`` with ``label``, ``seed`` with a
        number that the run's seed decides.
    leftover : {"error", "spread"}
        What happens to rows that the partitioner gives to nobody, as some do with what does not divide
        evenly: refused; or dealt out at random, always to the actor that has fewest.
    shuffle : bool
        Bring the rows into random order first, as Flower's ``FederatedDataset`` does: several partitioners
        cut them as they come.

    References
    ----------
    .. [1] ``flwr_datasets.partitioner`` of Flower Datasets.
    """

    partitioner: Callable[..., Any]
    leftover: Literal["error", "spread"] = "error"
    shuffle: bool = True

    def __post_init__(self) -> None:
        check_choice("flower_datasets", ("error", "spread"), leftover=self.leftover)
        if not callable(self.partitioner):
            raise PartitionError(
                f"flower_datasets: partitioner={self.partitioner!r}, expected what makes one: set "
                "partition.partitioner._target_=flwr_datasets.partitioner.… and leave its _partial_=true"
            )

    def owners(self, traits: Traits, actors: int, rng: np.random.Generator) -> Ints:
        """Return the owner of each row."""
        partitioner = self._new_partitioner(actors, int(rng.integers(1 << 31)))
        order = rng.permutation(len(traits)) if self.shuffle else np.arange(len(traits))
        parts = self._parts(partitioner, _table(traits, order), actors)
        rows, numbers = np.concatenate(parts), np.repeat(np.arange(actors), list(map(len, parts)))
        counts = np.bincount(rows, minlength=len(traits))
        if len(twice := np.flatnonzero(counts > 1)):
            raise PartitionError(
                f"{self._name}: row {twice[0]} is in partitions {numbers[rows == twice[0]].tolist()} "
                f"({len(twice)} such rows), but a row can belong to one actor only"
            )
        owner = np.full(len(traits), NOBODY, np.int64)
        owner[rows] = numbers
        return self._with_leftover(owner, actors, rng)

    @property
    def _name(self) -> str:
        partitioner = self.partitioner.func if isinstance(self.partitioner, partial) else self.partitioner
        return str(getattr(partitioner, "__name__", partitioner))

    def _new_partitioner(self, actors: int, seed: int) -> Any:
        defaults = {"num_partitions": actors, "partition_by": "label", "seed": seed}
        takes = inspect.signature(self.partitioner).parameters
        bound = self.partitioner.keywords if isinstance(self.partitioner, partial) else {}
        missing = {key: value for key, value in defaults.items() if key in takes and key not in bound}
        lacking = [
            key
            for key, parameter in takes.items()
            if parameter.default is parameter.empty
            and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            and key not in missing
        ]
        if lacking:
            settings = " ".join(f"+partition.partitioner.{key}=…" for key in lacking)
            raise PartitionError(f"{self._name}: lacks {', '.join(lacking)}; set {settings}")
        try:
            return self.partitioner(**missing)
        except Exception as error:
            raise self._refusal(error) from error

    def _parts(self, partitioner: Any, table: Any, actors: int) -> list[NDArray[np.int64]]:
        try:
            partitioner.dataset = table
            count = int(partitioner.num_partitions)
            parts = [partitioner.load_partition(number) for number in range(count if count == actors else 0)]
        except Exception as error:
            raise self._refusal(error) from error
        if count != actors:
            raise PartitionError(f"{self._name} makes {count} partitions of these data: set actors={count}")
        return [self._rows(number, part) for number, part in enumerate(parts)]

    def _rows(self, number: int, part: Any) -> NDArray[np.int64]:
        if "row" not in getattr(part, "column_names", ()):
            raise PartitionError(
                f"{self._name}: partition {number} lacks the column 'row'; it must divide rows, not columns"
            )
        rows: NDArray[np.int64] = part.with_format("arrow", columns=["row"])[:]["row"].to_numpy()
        return rows

    def _with_leftover(self, owner: Ints, actors: int, rng: np.random.Generator) -> Ints:
        left = np.flatnonzero(owner == NOBODY)
        if len(left) and self.leftover == "error":
            raise PartitionError(
                f"{self._name}: {len(left)} of {len(owner)} rows are in no partition, such as row {left[0]}; "
                "change its options, or deal them out: partition.leftover=spread"
            )
        sizes = np.bincount(owner[owner != NOBODY], minlength=actors)
        received = pour(sizes, np.full(actors, len(owner)), len(left))
        owner[rng.permutation(left)] = np.repeat(np.arange(actors), received)
        return owner

    def _refusal(self, error: Exception) -> PartitionError:
        return PartitionError(f"{self._name}: {' '.join(str(error).split()) or type(error).__name__}")


def _table(traits: Traits, order: NDArray[np.int64]) -> Any:
    """Return the data set that a partitioner divides, in this order of the rows."""
    try:
        datasets = import_module("datasets")
    except ImportError as error:
        raise PartitionError(f"flower_datasets: {error}; pip install 'fedlocal[hf]'") from error
    columns = {"row": order, "label": traits.labels[order]}
    if traits.groups is not None:
        columns["group"] = traits.groups[order]
    return datasets.Dataset.from_dict(columns)
