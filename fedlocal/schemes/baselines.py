"""The sequential baselines of a run: trained in turn with its scheme, or taken over from another run's."""

import math
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fedlocal.actors import usable_cores
from fedlocal.results import (
    Checkpoint,
    History,
    Meter,
    ResultsError,
    SharedBaseline,
    arm_folder,
    weights_hash,
)
from fedlocal.schemes.base import Arrays, Setting
from fedlocal.schemes.sequential import OverTimeError, SequentialRun

MOST_TIMES, PATIENCE = 4.0, 5.0
"""How many times as long as with one thread all cores may take, and seconds on top of that: on a busy machine
threads that wait for one another take 60 times as long, and what is measured then is the machine's load."""

ENDED = "ended"  # the round, in a baseline's part of a checkpoint


class Baselines:
    """The sequential baselines of one run, with one BLAS thread and with all cores.

    Where the gradients of several batches make an update, there is a third one, the first in line: a plain
    step over the same rows, which takes less time than their sum, and is what one would do without actors.

    Where other runs of a sweep have the same baselines, the first run trains them, beside its scheme. The
    other runs take them over; if they are not done when the scheme is, the run waits for them. In the run's
    folder, each baseline's history has a folder of its own.

    Attributes
    ----------
    histories : dict of str to History
        Of each baseline, by its name; they fill as the run goes on.
    hashes : dict of str to str
        Hash of each baseline's final weights.
    apart : str or None
        The run in which they were trained, if not in turn with this run's scheme: their times are no match.
    ended : dict of str to int
        The round in which a baseline was ended, because it took too long; it has no hash.
    """

    def __init__(self, setting: Setting, folder: Path | None, shared: SharedBaseline | None = None) -> None:
        self.histories: dict[str, History] = {}
        self.hashes: dict[str, str] = {}
        self.apart: str | None = None
        self.ended: dict[str, int] = {}
        self._setting, self._folder, self._shared = setting, folder, shared
        self._trained: list[_Baseline] = []
        self._ended: dict[str, Arrays] = {}

    def begin(self, stack: ExitStack, start: Checkpoint | None) -> None:
        """Take the baselines over from another run, or prepare to train those that no other run trains.

        The stack closes their histories; `start` is of an earlier run, to go on from.
        """
        kinds = _of_checkpoint(start) if start else self._kinds
        if not kinds:  # the earlier run had taken them over
            return
        if self._shared and not start:
            free = stack.enter_context(self._shared.claimed(wait=False))
            if self._take_over() or not free:
                return
        self._train(stack, kinds, start)

    def follow(self, number: int, meter: Meter) -> None:
        """Make the round with this number of each baseline that is trained here, in reverse order.

        A library's threads go on spinning when they are done; in reverse order, the baseline that shares the
        machine with them has one thread, and another core. The first round has the forward order, since one
        thread's time says how long all cores may take.
        """
        for baseline in list(self._trained) if number == 1 else self._trained[::-1]:
            try:
                baseline.follow(number, meter, self._limit(baseline, number))
            except OverTimeError:
                self._end(baseline.kind, number)
                self._trained.remove(baseline)

    def _end(self, kind: "BaselineKind", number: int) -> None:
        self.ended[kind.name], self._ended[kind.part] = number, {ENDED: np.array(number)}

    def _limit(self, baseline: "_Baseline", number: int) -> float:
        """Return the seconds that a round may take."""
        single = [trained.history for trained in self._trained if trained.kind == BaselineKind(1)]
        if baseline.kind.threads == 1 or not single:
            return math.inf
        rounds = max(1, sum(round_.number > 0 for round_ in single[0].rounds))
        return MOST_TIMES * single[0].seconds * number / rounds + PATIENCE - baseline.history.seconds

    def capture(self) -> dict[str, Arrays]:
        """Return the state or the last round of each baseline that is trained here, by checkpoint part."""
        return self._ended | {baseline.kind.part: baseline.run.capture() for baseline in self._trained}

    def end(self) -> None:
        """Complete all baselines: wait for those that another run trains, and train the others now."""
        with ExitStack() as stack:
            if not self._trained and not self.histories:
                if self._shared:
                    stack.enter_context(self._shared.claimed(wait=True))
                if not self._take_over():
                    self._train(stack, self._kinds, None)
                    self.apart = self._name(self._folder) if self._folder else ""
                    meter = Meter()
                    for number in range(self._setting.rounds + 1):
                        self.follow(number, meter)
            self.hashes |= {
                baseline.kind.name: weights_hash(baseline.run.model.arrays) for baseline in self._trained
            }

    @property
    def _kinds(self) -> "list[BaselineKind]":
        plain = [BaselineKind(1, plain=True)] if self._setting.training.accumulate > 1 else []
        return plain + [BaselineKind(count) for count in sorted({1, usable_cores()})]

    def _train(self, stack: ExitStack, kinds: "Sequence[BaselineKind]", start: Checkpoint | None) -> None:
        stack.callback(self._publish)  # when the histories are closed
        for kind in kinds:
            history = stack.enter_context(new_history(self._new_folder(kind.name), start))
            self.histories[kind.name] = history
            before = start.part(kind.part) if start else None
            if before and ENDED in before.arrays:
                self._end(kind, int(before.arrays[ENDED]))
                continue
            training = SequentialRun(self._setting, kind.threads, plain=kind.plain)
            if before:
                training.go_on(before)
            self._trained.append(_Baseline(kind, history, training))

    def _publish(self) -> None:
        if self._shared and self.hashes:
            self._shared.publish(self.hashes, self.ended)

    def _take_over(self) -> bool:
        """Copy the baselines of another run and return True; False if there are none that can be read."""
        names = [kind.name for kind in self._kinds]
        computed = self._shared.computed() if self._shared else None
        if not computed or computed[1].keys() | computed[2].keys() != set(names):
            return False
        lender, hashes, ended = computed
        try:
            lent = {name: History.load(arm_folder(lender, name)) for name in names}
        except ResultsError:
            return False
        for name, lent_history in lent.items():
            with History(self._new_folder(name), lent_history.rounds) as history:
                self.histories[name] = history
        self.hashes, self.ended, self.apart = hashes, ended, self._name(lender)
        return True

    def _name(self, run: Path) -> str:
        return self._shared.name_of(run) if self._shared else run.name

    def _new_folder(self, name: str) -> Path | None:
        if self._folder is None:
            return None
        folder = arm_folder(self._folder, name)
        folder.mkdir(exist_ok=True)
        return folder


@dataclass(frozen=True)
class BaselineKind:
    """A kind of baseline: its number of BLAS threads, and whether its updates are plain steps."""

    threads: int
    plain: bool = False

    @property
    def name(self) -> str:
        """Name of the arm."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"sequential, {'plain step' if self.plain else threads}"

    @property
    def part(self) -> str:
        """Name of its part of a checkpoint."""
        return f"{'plain' if self.plain else 'sequential'}-{self.threads}"


@dataclass(frozen=True)
class _Baseline:
    """A sequential run that takes turns with the scheme."""

    kind: BaselineKind
    history: History
    run: SequentialRun

    def follow(self, number: int, meter: Meter, limit: float) -> None:
        if not number:
            self.history.record(self.run.start())
            return
        meter.lap()
        round_ = self.run.step(limit)
        self.history.record(replace(round_, seconds={**round_.seconds, **meter.lap(self.kind.threads)}))


def new_history(folder: Path | None, start: Checkpoint | None) -> History:
    """Return the history of an arm: a new one, or that of an earlier run up to a checkpoint."""
    return History.resumed(folder, start.round) if folder and start else History(folder)


def _of_checkpoint(start: Checkpoint) -> list[BaselineKind]:
    """Return the baselines that an earlier run trained, in their order."""
    parts = {name.partition("/")[0] for name in start.arrays}
    matches = [re.fullmatch(r"(plain|sequential)-(\d+)", part) for part in sorted(parts)]
    kinds = [BaselineKind(int(match[2]), plain=match[1] == "plain") for match in matches if match]
    return sorted(kinds, key=lambda kind: (not kind.plain, kind.threads))
