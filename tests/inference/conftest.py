from functools import cache

import pytest

from fedlocal import compose, run
from tests.inference.runs import Train, TrainedRun

SMALL = ["rounds=3", "display=off", "baseline=false", "backend=inline"]
SYNTHETIC = ["dataset=synthetic", "dataset.train=200", "dataset.test=50", "dataset.shape=[4,4]"]


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Train a small model in a folder of its own, the same one for the same overrides: do not change it."""

    @cache
    def trained(*overrides: str) -> TrainedRun:
        given = [] if any(override.startswith("dataset=") for override in overrides) else SYNTHETIC
        hidden = [] if any(override.startswith("model=") for override in overrides) else ["model.hidden=[8]"]
        config = compose(*SMALL, *given, *hidden, *overrides)
        folder = tmp_path_factory.mktemp("run")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("fedlocal.experiment.summary.draw", lambda *_: None)  # most of the time
            return TrainedRun(run(config, folder), folder, config)

    return trained
