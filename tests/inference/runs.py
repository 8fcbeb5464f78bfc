"""What tests of saved models ask about: small trained runs, and the data they were trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fedlocal import Config, Run
from fedlocal.config.build import build
from fedlocal.data import Dataset
from fedlocal.seeds import Stream, generator


@dataclass(frozen=True)
class TrainedRun:
    """A run, where its files lie, and what it was asked for."""

    run: Run
    folder: Path
    config: Config

    @property
    def data(self) -> Dataset:
        """What it was trained on."""
        built: Dataset = build(self.config, "dataset", rng=generator(self.config.seed, Stream.DATASET))
        return built


Train = Callable[..., TrainedRun]
