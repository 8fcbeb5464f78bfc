"""The sections of the study, one file each: ``measure(options)`` yields rows as they are measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from experiments.performance.rows import Row


@dataclass(frozen=True)
class Options:
    """What every section is given.

    Parameters
    ----------
    quick : bool
        Fewer turns and smaller cases: all sections of the short form together take under two minutes.
    peers : Path, optional
        The folder of the peers' environments; without it no peer is measured.
    seed : int
        Of data and of the order of turns.
    folder : Path
        Where results are written.
    workers : int
        The most worker processes, for the scaling curve; all else runs with 2.
    """

    quick: bool
    peers: Path | None
    seed: int
    folder: Path
    workers: int = 2


class Section(Protocol):
    """A module of this package."""

    def measure(self, options: Options) -> Iterator[Row]:
        """Yield rows as they are measured."""
        ...
