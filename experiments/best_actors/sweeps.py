"""What a sweep says about the best number of actors, and about the choice: read from the runs' folders."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from experiments.best_actors.settings import Setting
from experiments.intervals import Equivalence, Interval, equivalence, mean, ratio
from experiments.outcomes import Trial

HEADER = "setting|best|worst ÷ best|chosen (trials)|chosen ÷ best|within 10 %|numbers that pass|chose ÷ told"
MARGIN = 1.1  # times the best: what takes less is as good
WARM_UP = 1  # rounds in which memory is touched for the first time; round 0 has no training
EXPLAINED = """\
Best: the number whose mean is least in these trials, which flatters it. Within 10 %: two one-sided t tests of
the ratios, trial by trial, show at the level of 5 % that the chosen number takes as long as the best; few
trials show that of hardly any number. Numbers that pass: of how many the trials would show it; the best is
one of them."""


@dataclass(frozen=True)
class Sweep:
    """The rounds of a setting.

    ``seconds[actors][trial]`` are those of a round, ``chosen[trial]`` the same of the runs that chose
    themselves, ``choices[trial]`` what they chose, ``predictions[actors]`` what they predicted.
    """

    seconds: Mapping[int, Mapping[int, float]]
    chosen: Mapping[int, float]
    choices: Mapping[int, int]
    predictions: Mapping[int, Sequence[float]]

    def measured(self, actors: int) -> Interval:
        """Return the mean seconds of a round."""
        return mean(list(self.seconds[actors].values()))

    @property
    def best(self) -> int:
        """The number of actors with the least mean."""
        return min(self.seconds, key=lambda actors: fmean(self.seconds[actors].values()))

    @property
    def worst(self) -> int:
        """The number of actors with the largest mean."""
        return max(self.seconds, key=lambda actors: fmean(self.seconds[actors].values()))

    @property
    def contrast(self) -> float:
        """How many times as long the worst takes as the best."""
        return self.measured(self.worst).estimate / self.measured(self.best).estimate

    @property
    def over_best(self) -> Interval:
        """The sweep's runs of the chosen numbers over those of the best number, trial by trial."""
        best, chosen = self.seconds[self.best], self._seconds_of_chosen()
        common = sorted(best.keys() & chosen.keys())
        return ratio([chosen[at] for at in common], [best[at] for at in common])

    @property
    def over_given(self) -> Interval:
        """Runs that chose themselves over those that were told the same number, trial by trial."""
        chosen = self._seconds_of_chosen()
        return ratio([self.chosen[at] for at in chosen], list(chosen.values()))

    def _seconds_of_chosen(self) -> dict[int, float]:
        """Return what the sweep's run of the chosen number took, by trial; its own, if there is none."""
        return {
            at: self.seconds.get(actors, {}).get(at, self.chosen[at])
            for at, actors in sorted(self.choices.items())
        }

    @property
    def as_good(self) -> Equivalence:
        """Whether the chosen numbers take as long as the best one, within the margin."""
        return self._within_margin(self._seconds_of_chosen())

    @property
    def passing(self) -> list[int]:
        """The numbers of actors of which the trials would show the same; the best is one of them."""
        return [actors for actors, seconds in self.seconds.items() if self._within_margin(seconds).shown]

    def _within_margin(self, seconds: Mapping[int, float]) -> Equivalence:
        best = self.seconds[self.best]
        common = sorted(best.keys() & seconds.keys())
        of, over = ([math.log(arm[at]) for at in common] for arm in (seconds, best))
        return equivalence(of, over, math.log(MARGIN))


def sweep_of(trials: Sequence[Trial]) -> Sweep | None:
    """Gather the trials of a setting; None if some numbers or the choice are not there yet."""
    seconds: dict[int, dict[int, float]] = {}
    chosen, choices = dict[int, float](), dict[int, int]()
    predictions: dict[int, list[float]] = {}
    for trial in trials:
        if trial.arm != "auto":
            seconds.setdefault(int(trial.arm), {})[trial.number] = round_seconds(trial)
            continue
        stored = json.loads((trial.folder / "actors.json").read_bytes())
        chosen[trial.number], choices[trial.number] = round_seconds(trial), stored["actors"]
        for prediction in stored["predictions"]:
            predictions.setdefault(prediction["actors"], []).append(prediction["seconds"])
    return Sweep(dict(sorted(seconds.items())), chosen, choices, predictions) if seconds and chosen else None


def round_seconds(trial: Trial) -> float:
    """Return the mean seconds of a trial's rounds after those that warm up."""
    return fmean(round_.timed for round_ in trial.history().rounds if round_.number > WARM_UP)


def as_markdown(results: Iterable[tuple[Setting, Sweep]]) -> str:
    """Return ``results.md``: a line for each setting, then a table of each sweep."""
    results = list(results)
    lines = [
        f"|{HEADER}|",
        "|---|---:|---:|---:|---:|---|---:|---:|",
        *(_line(setting, sweep) for setting, sweep in results),
        "",
        EXPLAINED,
    ]
    for setting, sweep in results:
        lines += [
            "",
            f"## {setting.title[0].upper()}{setting.title[1:]}",
            "",
            f"`{' '.join(setting.overrides)}`",
            "",
            "| actors | seconds a round | predicted |",
            "|---:|---:|---:|",
        ]
        for actors in sweep.seconds:
            predicted = f"{fmean(seconds):.3g}" if (seconds := sweep.predictions.get(actors)) else ""
            lines.append(f"| {actors} | {in_words(sweep.measured(actors))} | {predicted} |")
    return "\n".join(lines) + "\n"


def _line(setting: Setting, sweep: Sweep) -> str:
    times = Counter(sweep.choices.values()).most_common()
    chosen = ", ".join(f"{actors} ({count})" for actors, count in times)
    same = set(sweep.choices.values()) == {sweep.best}
    ratios, verdict = ("1", "the best") if same else (in_words(sweep.over_best), sweep.as_good.verdict)
    passing = f"{len(sweep.passing)} of {len(sweep.seconds)}"
    return (
        f"| {setting.title} | {sweep.best} | {sweep.contrast:.2f} | {chosen} | {ratios} "
        f"| {verdict} | {passing} | {in_words(sweep.over_given)} |"
    )


def in_words(interval: Interval) -> str:
    """Return ``1.02 (0.98 to 1.05)``, without the ends if there was one trial."""
    if interval.trials < 2:
        return f"{interval.estimate:.3g}"
    return f"{interval.estimate:.3g} ({interval.low:.3g} to {interval.high:.3g})"
