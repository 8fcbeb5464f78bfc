"""The study of ``actors=auto``: what it reads from runs, and what it says about the choice."""

from pathlib import Path

import pytest

from experiments.best_actors import figures, settings, sweeps
from experiments.best_actors.__main__ import AUTO, parts
from experiments.runner import Options, make
from experiments.trials import Arm, Comparison
from fedlocal.autotune.choose_actors import SERIES

TINY = (
    "dataset=synthetic",
    "dataset.train=60",
    "dataset.test=20",
    "dataset.shape=[4]",
    "model.hidden=[4]",
    "rounds=2",
    "evaluate_every=2",
    "batch_size=15",
    "scheme=batch_parallel",
    "backend=inline",
)


def sweep(choices: list[int]) -> sweeps.Sweep:
    seconds = {1: [2.0, 2.2, 2.1], 2: [1.0, 1.1, 1.0], 4: [1.05, 1.1, 1.04]}
    return sweeps.Sweep(
        {actors: dict(enumerate(trials)) for actors, trials in seconds.items()},
        {at: 1.1 * seconds[actors][at] for at, actors in enumerate(choices)},
        dict(enumerate(choices)),
        {actors: trials[:2] for actors, trials in seconds.items()},
    )


def test_a_choice_is_judged_by_its_ratio_to_the_best() -> None:
    good, bad = sweep([2, 4, 2]), sweep([1, 1, 1])
    assert (good.best, good.worst) == (2, 1)
    assert good.contrast == pytest.approx(6.3 / 3.1)
    assert (good.as_good.verdict, good.passing) == ("yes", [2, 4])
    assert bad.as_good.verdict == "no"
    assert bad.over_best.estimate == pytest.approx(2.03, abs=0.02)
    assert good.over_given.estimate == pytest.approx(1.1)  # which is not the number's fault
    assert sweep([2]).as_good.verdict == ""


def test_few_scattered_trials_do_not_show_that_a_choice_is_as_good() -> None:
    seconds = {1: [1.0, 2.0, 1.5], 2: [1.3, 1.6, 1.4]}
    sweep = sweeps.Sweep(
        {actors: dict(enumerate(trials)) for actors, trials in seconds.items()},
        dict.fromkeys(range(3), 1.0),
        dict.fromkeys(range(3), 1),
        {},
    )
    assert sweep.best == 2
    assert sweep.over_best.low < 1 < sweep.over_best.high  # which does not make it as good
    assert (sweep.as_good.verdict, sweep.passing) == ("not shown", [2])


@pytest.mark.slow
def test_the_report_reads_the_runs_alone_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedlocal.experiment.summary.draw", lambda *_: None)
    setting, options = settings.SETTINGS[0], Options(tmp_path, tmp_path)
    arms = (Arm("1", ("actors=1",)), Arm("2", ("actors=2",)), AUTO)
    tiny = Comparison("tiny", "best_actors", arms, 2, TINY)
    assert make(list(tiny.tasks(options)), "tiny") == 0
    assert list(tiny.tasks(options)) == []  # what was chosen is no other configuration
    sweep = sweeps.sweep_of(tiny.records(tmp_path))
    assert sweep
    assert list(sweep.seconds) == [1, 2]
    assert set(sweep.choices) == set(sweep.chosen) == {0, 1}
    assert sorted(sweep.predictions) == [1, 2, 3, 4]
    text = sweeps.as_markdown([(setting, sweep)])
    assert setting.title in text
    assert "| 2 |" in text
    figures.sweeps([(setting, sweep)], tmp_path / "sweeps.png")
    assert (tmp_path / "sweeps.png").stat().st_size > 10_000


def test_a_sweep_is_over_the_numbers_that_can_be_chosen() -> None:
    assert settings.SERIES == SERIES
    for quick in (True, False):
        for part in parts(quick):
            assert part.arms[-1].overrides == ("actors=auto",)
            assert len(part.arms) >= 4


def test_without_runs_there_is_no_sweep() -> None:
    assert sweeps.sweep_of([]) is None
