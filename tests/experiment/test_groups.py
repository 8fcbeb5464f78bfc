"""Each group of a configuration is built once a run."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate

import fedlocal
from fedlocal import compose, run
from fedlocal.config.schema import GROUPS, Config
from fedlocal.experiment.resume import run_or_resume
from tests.schemes.test_bits import SMALL

OPTIONS = [*SMALL, "model.hidden=[8]", "backend=inline", "rounds=2"]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is instantiated, by the group that names it."""
    counts: Counter[str] = Counter()

    def count(node: Any, **options: Any) -> Any:
        counts[node._key()] += 1
        return instantiate(node, **options)

    monkeypatch.setattr("fedlocal.config.build.instantiate", count)
    return counts


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["actors=auto"],
        ["actors=auto", "scheme=batch_parallel"],
        ["attack=sign_flip", "attack.share=0.4", "availability=dropout", "skew=noise", "baseline=true"],
    ],
    ids=str,
)
def test_a_run_builds_each_group_once(tmp_path: Path, built: Counter[str], more: list[str]) -> None:
    run(compose(*OPTIONS, *more), tmp_path)
    assert built == dict.fromkeys([*GROUPS, "tracker"], 1)


def test_what_a_scheme_makes_no_use_of_is_not_built(built: Counter[str]) -> None:
    run(compose(*OPTIONS, "scheme=sequential"))
    assert built == dict.fromkeys({*GROUPS, "tracker"} - {"strategy", "client"}, 1)


def test_a_run_that_goes_on_builds_each_group_once(tmp_path: Path, built: Counter[str]) -> None:
    run(compose(*OPTIONS), tmp_path)
    built.clear()
    fedlocal.resume(tmp_path, "rounds=3")
    assert built == dict.fromkeys([*GROUPS, "tracker"], 1)


def test_a_job_of_a_sweep_builds_each_group_once(tmp_path: Path, built: Counter[str]) -> None:
    (tmp_path / "multirun.yaml").touch()
    job: Config = compose(*OPTIONS, "sweep.resume=true", "baseline=true")
    for folder in ("0", "1"):
        (tmp_path / folder).mkdir()
        built.clear()
        run_or_resume(job, tmp_path / folder, [], tmp_path)
        assert built == dict.fromkeys([*GROUPS, "tracker"], 1)
    built.clear()
    run_or_resume(job, tmp_path / "1", [], tmp_path)  # it has completed
    assert not built
