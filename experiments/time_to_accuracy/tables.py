"""The study's tables: time, passes and speed to each target, and how the learning rates were chosen."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from experiments.intervals import mean, ratio
from experiments.outcomes import Trial
from experiments.reports import as_table, in_words
from experiments.time_to_accuracy.arms import BASE, GRID, METHODS, RATES, TARGETS, Method, eligible
from experiments.time_to_accuracy.reaching import Moment, course, reached

Runs = Mapping[int, Sequence[Moment]]
Courses = Mapping[Method, Runs]

HEADER = [f"to {target}" for target in TARGETS]


def as_markdown(courses: Courses, tuning: Sequence[Trial]) -> str:
    """Return all of ``results.md``."""
    parts = []
    if courses:
        parts += ["## Seconds of training\n", _times(courses), "## Passes over the data\n", _passes(courses)]
        parts += [f"## Times as fast as {BASE.label}\n", _ratios(courses)]
    if tuning:
        parts += ["## Learning rates\n", _rates(tuning)]
    return "\n".join(parts)


def _times(courses: Courses) -> str:
    rows = [
        (method.label, RATES[method.name], _a_pass(runs), *_to_targets(runs, lambda moment: moment.seconds))
        for method, runs in courses.items()
    ]
    return as_table(["method", "learning rate", "a pass", *HEADER], rows)


def _passes(courses: Courses) -> str:
    rows = [
        (method.label, *_to_targets(runs, lambda moment: moment.passes)) for method, runs in courses.items()
    ]
    return as_table(["method", *HEADER], rows)


def _ratios(courses: Courses) -> str:
    base = courses.get(BASE, {})
    rows = [
        (method.label, *(_ratio(base, runs, target) for target in TARGETS))
        for method, runs in courses.items()
        if method != BASE
    ]
    return as_table(["method", *HEADER], rows)


def _a_pass(runs: Runs) -> str:
    return in_words(mean([run[-1].seconds / run[-1].passes for run in runs.values()]))


def _to_targets(runs: Runs, measure: Callable[[Moment], float]) -> list[str]:
    cells = []
    for target in TARGETS:
        moments = [reached(run, target) for run in runs.values()]
        measured = [measure(moment) for moment in moments if moment]
        some = (
            f"{len(measured)} of {len(moments)} trials" if measured else f"not in {_length(runs):.0f} passes"
        )
        cells.append(in_words(mean(measured), 1) if len(measured) == len(moments) else some)
    return cells


def _length(runs: Runs) -> float:
    return max(run[-1].passes for run in runs.values())


def _ratio(base: Runs, runs: Runs, target: float) -> str:
    """Compare the trials in which both reached it; if one did not in any trial, there is nothing to say."""
    pairs = [(reached(base[number], target), reached(runs[number], target)) for number in base.keys() & runs]
    both = [(first.seconds, second.seconds) for first, second in pairs if first and second]
    if len(both) < len(pairs) or not both:
        return ""
    return in_words(ratio([first for first, _ in both], [second for _, second in both]))


def _rates(tuning: Sequence[Trial]) -> str:
    by_arm = {trial.arm: trial for trial in tuning}
    rows = []
    for method in METHODS:
        courses_at = {
            rate: course(by_arm[method.tried(rate)].history(), method.epochs)
            for rate in GRID
            if method.tried(rate) in by_arm
        }
        best = max(
            courses_at.keys() & set(eligible(method)), key=lambda rate: merit(courses_at[rate]), default=None
        )
        rows.append(
            (method.label, *(_tried(courses_at.get(rate)) for rate in GRID), RATES[method.name], best)
        )
    header = [f"rate {rate}" for rate in GRID]
    return as_table(["method", *header, "used", "best"], rows)


def merit(moments: Sequence[Moment]) -> tuple[float, ...]:
    """Return what a learning rate is judged by, more is better: the fewest passes to the hardest target.

    Rates that do not reach a target are worse than those that do; if none reaches any, the accuracy of the
    last quarter of the run counts.
    """
    passes = [reached(moments, target) for target in reversed(TARGETS)]
    last = moments[-max(1, len(moments) // 4) :]
    return (
        *(-moment.passes if moment else float("-inf") for moment in passes),
        fmean(m.accuracy for m in last),
    )


def _tried(moments: Sequence[Moment] | None) -> str:
    if not moments:
        return ""
    for target in reversed(TARGETS):
        if moment := reached(moments, target):
            return f"{target} after {moment.passes:.1f}"
    return f"{moments[-1].accuracy:.4f} at the end"
