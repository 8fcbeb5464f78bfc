"""The study's tables: speed-ups beside the paper's, times, and accuracies with their tests."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

from experiments.figure1.arms import ACTORS, BATCH, CURVES, PAPER, all_cores, judged, points
from experiments.figure1.figures import epochs
from experiments.intervals import equivalence, mean
from experiments.outcomes import Trial, paired, values
from experiments.points import Point, sequential, speed_up
from experiments.reports import as_table, in_words, shown

MARGIN = 0.01  # of accuracy: one image in a hundred
EXPLAINED = f"""\
Alike: two one-sided t tests of the differences, paired by seed, exclude at the level of 5 % that the means
are {MARGIN} or more apart (so that the interval of 90 % lies within ±{MARGIN}); not alike: it lies outside.
The partner of an arm is the sequential scheme with as many rows an update.
"""


def as_markdown(timing: Sequence[Trial], accuracy: Sequence[Trial]) -> str:
    """Return all of ``results.md``."""
    parts = []
    if timing:
        parts += ["## Speed-up\n", _speed_ups(timing), _same_bits(timing), "## Time\n", _times(timing)]
    if accuracy:
        parts += ["## Accuracy\n", _accuracies(accuracy)]
    return "\n".join(parts)


def _speed_ups(trials: Sequence[Trial]) -> str:
    lines = {label: [speed_up(trials, of(count)) for count in ACTORS] for label, of in CURVES.items()}
    rows = [
        (count, f"{PAPER[count]:.2f}", *map(in_words, speed_ups))
        for count, *speed_ups in zip(ACTORS, *lines.values(), strict=True)
    ]
    return f"{as_table(['actors', 'the paper', *CURVES], rows)}\n{shown(ACTORS, lines)}"


def _same_bits(trials: Sequence[Trial]) -> str:
    """Say in how many trials the queue ended with the bits of the sequential scheme."""
    equal = [
        queue == partner
        for scheme in ("batch_parallel", "messages")
        for count in ACTORS[1:]
        for queue, partner in zip(*_hashes(trials, scheme, count), strict=True)
    ]
    return (
        "Runs of the batch queue, in shared memory or with copied messages, that ended with the weights of "
        f"sequential training with `accumulate=` actors, bit for bit: {sum(equal)} of {len(equal)}.\n"
    )


def _hashes(trials: Sequence[Trial], scheme: str, count: int) -> tuple[list[str], list[str]]:
    queue, partner = Point(scheme, count, BATCH), Point("accumulate", count, BATCH)
    return paired(trials, queue.name, partner.name, "hash")


def _times(trials: Sequence[Trial]) -> str:
    plain, parallel, rows = sequential(BATCH).name, all_cores(trials), []
    for point in _and_partners(points(ACTORS)):
        over = (point.partner.name, plain, parallel)
        rows.append((point.name, point.update, *_measured(trials, point.name), *_over(trials, point, over)))
    if parallel:
        rows.append((f"{parallel}: all cores", BATCH, *_measured(trials, parallel), "", "", ""))
    header = ["arm", "rows an update", "seconds an epoch", "idle", "over its partner", f"over {plain}"]
    return as_table([*header, "over all cores"], [row for row in rows if row[2]])


def _measured(trials: Sequence[Trial], arm: str) -> tuple[str, str]:
    """Return the seconds of an epoch and the idle share."""
    idle = values(trials, arm, "idle_share").values()
    return in_words(mean(epochs(trials, arm))), f"{fmean(idle):.0%}" if idle else ""


def _over(trials: Sequence[Trial], point: Point, partners: Iterable[str | None]) -> list[str]:
    return [
        in_words(speed_up(trials, point, partner)) if partner and partner != point.name else ""
        for partner in partners
    ]


def _accuracies(trials: Sequence[Trial]) -> str:
    plain, rows = sequential(BATCH), []
    for point in _and_partners(judged(ACTORS)):
        accuracy = mean(list(values(trials, point.name, "accuracy").values()))
        tests = [*_tested(trials, point, plain), *_tested(trials, point, point.partner)]
        rows.append((point.name, point.update, in_words(accuracy, 4), *tests))
    header = ["arm", "rows an update", "accuracy", f"minus {plain.name}", "p", "alike"]
    table = as_table([*header, "minus its partner", "p", "alike"], [row for row in rows if row[2]])
    return f"{table}\n{EXPLAINED}"


def _tested(trials: Sequence[Trial], point: Point, over: Point) -> tuple[str, str, str]:
    """Return the mean difference with its interval of 90 %, p, and whether the arms are alike."""
    if point == over:
        return "", "", ""
    test = equivalence(*paired(trials, point.name, over.name, "accuracy"), MARGIN)
    p = "" if math.isnan(test.p) else f"{test.p:.2g}"
    return in_words(test.difference, 4), p, test.verdict


def _and_partners(chosen: Sequence[Point]) -> list[Point]:
    return list(dict.fromkeys([*(point.partner for point in chosen), *chosen]))
