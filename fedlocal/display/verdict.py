"""The verdict on a run, in words: what its table compares, how far to trust it, and the result."""

from collections.abc import Iterable, Iterator, Sequence

from fedlocal.results.arm import Arm
from fedlocal.results.formatting import fixed, share

LEVEL = 0.05  # ratios this near to 1 are called level


def meaning(arms: Sequence[Arm]) -> list[str]:
    """Say what the ratios in the table compare, and what their marks mean, a line each."""
    return [*_ratios(arms), *_unequal(arms), *_marks(arms)]


def _ratios(arms: Sequence[Arm]) -> Iterator[str]:
    if any(arm.speed_up is not None for arm in arms):
        yield "speed-up over it: its time for a row of data / that of the first line"
    if any(arm.end_to_end is not None for arm in arms):
        yield "end to end: the same ratio of whole times, with start-up and evaluation"


def _unequal(arms: Sequence[Arm]) -> Iterator[str]:
    """Say where the arms did not do the same work."""
    for arm in arms[1:]:
        if arm.speed_up is None or arms[0].trained_rows == arm.trained_rows:
            continue
        if arm.trained_rows and arms[0].trained_rows is not None:
            part = share(arms[0].trained_rows / arm.trained_rows)
            yield f"{arms[0].name} trained on {part} of the rows of {arm.name}"
        else:
            yield f"not known: how many rows {arms[0].name} trained on; the ratios are of whole times"
        return


def _marks(arms: Sequence[Arm]) -> Iterator[str]:
    if runs := {arm.reused for arm in arms if arm.reused is not None}:
        yield f"~ trained in run {', '.join(sorted(runs))}, not in turn (sweep.baseline=each: in turn)"
    yield from doubts(arms)
    for arm in arms:
        if arm.ended is not None:
            yield f"ended: {arm.name}, in round {arm.ended}: far slower than one thread"


def doubts(arms: Iterable[Arm]) -> Iterator[str]:
    """Say what the marks mean on ratios that were measured while other work had the cores."""
    compared = [arm for arm in arms if arm.speed_up is not None]
    if any(arm.is_doubtful for arm in compared):
        yield "? others had the cores for a part of the time: the ratio may be off"
    if busy := [arm.contention or 0.0 for arm in compared if arm.is_busy]:
        yield f"busy: others had the cores for {share(max(busy))} of the time: no ratio is shown"


def verdict(arms: Sequence[Arm]) -> list[str]:
    """Say what the first arm cost and gained beside the other arms; nothing if it is alone."""
    partners = [arm for arm in arms[1:] if arm.ended is None]
    return [*_quality(arms[0], partners[0]), *_time(arms[0], partners)] if partners else []


def _quality(main: Arm, partner: Arm) -> Iterator[str]:
    if main.accuracy is not None and partner.accuracy is not None:
        points = 100 * (main.accuracy - partner.accuracy)
        yield f"accuracy: {main.name} ended {_apart(points, f'{abs(points):.1f} points')} sequential training"
        return
    name = "rmse" if main.rmse is not None and partner.rmse is not None else "loss"
    ours, theirs = getattr(main, name), getattr(partner, name)
    if ours is not None and theirs is not None:
        difference = ours - theirs
        yield f"{name}: {main.name} ended {_apart(difference, fixed(abs(difference)))} sequential training"


def _apart(difference: float, written: str) -> str:
    if float(written.split()[0]) == 0:
        return "level with"
    return f"{written} {'above' if difference > 0 else 'below'}"


def _time(main: Arm, partners: Sequence[Arm]) -> Iterator[str]:
    compared = [arm for arm in partners if arm.credible_speed_up]
    if not compared:
        if any(arm.speed_up for arm in partners):
            yield "time: not compared, as the machine was busy with other work"
        return
    where = ""
    if main.processes and main.cores:
        many = ["s" if number > 1 else "" for number in (main.processes, main.cores)]
        where = f" ({main.processes} worker{many[0]}, {main.cores} core{many[1]})"
    yield f"time: training {main.name}{where} was"
    yield from (f"  {_fast(arm.speed_up)} {_short(arm.name)}" for arm in compared)
    if whole := compared[0].end_to_end:
        yield f"  with start-up and evaluation, {_fast(whole)} {_short(compared[0].name)}"


def _fast(ratio: float | None) -> str:
    """Say a ratio in words."""
    if not ratio or abs(ratio - 1) < LEVEL:
        return "about as fast as"
    return f"{ratio:.2f} times as fast as" if ratio > 1 else f"{1 / ratio:.2f} times as slow as"


def _short(name: str) -> str:
    kind, _, which = name.partition(", ")
    return f"{kind} ({which})" if which else kind
