"""A scheme beside the sequential baselines: they take turns, round by round, and never run at the same time.

So whatever else the machine does, it does to all of them alike, and the ratio of their times means something.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fedlocal.actors import usable_cores
from fedlocal.results import Arm, Checkpoint, History, Round, arm_folder, below, joined, usage, weights_hash
from fedlocal.schemes.sequential import SequentialRun
from fedlocal.schemes.setting import Arrays, Capture, Scheme, Setting, Trained

PART = "sequential-"  # and the number of threads: the part of a checkpoint that is a baseline's


@dataclass
class Comparison:
    """Histories and models of a scheme and its baselines, which fill as the run goes on.

    Parameters
    ----------
    name : str
        Of the scheme.
    setting : Setting
        What all of them are given.
    folder : Path, optional
        Of the run; each baseline's history has a folder of its own in it.
    baselines : bool
        Whether to run any.
    keep : callable, optional
        Takes note of where the run stands after each round.
    best : callable, optional
        Takes note of each round of the scheme, and of how to get its model.
    """

    name: str
    setting: Setting
    folder: Path | None
    baselines: bool
    keep: Callable[[Checkpoint], None] | None = None
    best: Callable[[Round, Callable[[], Arrays]], None] | None = None
    histories: dict[str, History] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def run(self, scheme: Scheme, show: Callable[[Round], None], start: Checkpoint | None = None) -> Trained:
        """Train with `scheme`, each of its rounds followed by one of each baseline.

        Parameters
        ----------
        scheme : Scheme
            What the run is about.
        show : callable
            Told of the scheme's rounds.
        start : Checkpoint, optional
            Of an earlier run, to go on from.
        """
        with ExitStack() as stack:
            history = stack.enter_context(self._history(self.name, self.folder, start))
            baselines = [stack.enter_context(self._baseline(count, start)) for count in self._threads(start)]

            def on_round(one: Round, capture: Capture) -> None:
                history.record(one)
                show(one)
                for baseline in reversed(baselines):
                    baseline.follow(one.number)
                captured = cache(capture)
                if self.best:  # first: a checkpoint is not to be of a later round than what is best before
                    self.best(one, lambda: below("model", captured()))
                if self.keep and one.number:
                    parts = {baseline.part: baseline.run.capture() for baseline in baselines}
                    self.keep(Checkpoint(one.number, joined({"scheme": captured(), **parts})))

            trained = scheme(self.setting, on_round, start.part("scheme") if start else None)
            self.hashes[self.name] = weights_hash(trained.arrays)
            self.hashes |= {each.name: weights_hash(each.run.model.arrays) for each in baselines}
        return trained

    def arms(self) -> list[Arm]:
        """Return one line of the final table for each, the scheme's first."""
        main = self.histories.get(self.name)
        if main is None:
            return []
        return [
            _arm(self.name, main, None),
            *(_arm(n, h, main) for n, h in self.histories.items() if h is not main),
        ]

    def _threads(self, start: Checkpoint | None) -> list[int]:
        """Return the number of BLAS threads of each baseline; of an earlier run, those that it had.

        They take turns in the reverse order: a library's threads go on spinning when they are done, and then
        it is the baseline with one thread that shares the machine with them, on another core.
        """
        if start:
            parts = {name.partition("/")[0] for name in start.arrays}
            return sorted(int(part.removeprefix(PART)) for part in parts if part.startswith(PART))
        return sorted({1, usable_cores()}) if self.baselines else []

    @contextmanager
    def _baseline(self, threads: int, start: Checkpoint | None) -> Iterator["_Baseline"]:
        name, part = f"sequential, {threads} thread{'s' if threads > 1 else ''}", f"{PART}{threads}"
        run = SequentialRun(self.setting, threads)
        if start:
            run.go_on(start.part(part))
        with self._history(name, self._new_folder(name), start) as history:
            yield _Baseline(name, part, history, run)

    def _history(self, name: str, folder: Path | None, start: Checkpoint | None) -> History:
        self.histories[name] = History.resumed(folder, start.round) if folder and start else History(folder)
        return self.histories[name]

    def _new_folder(self, name: str) -> Path | None:
        if self.folder is None:
            return None
        own = arm_folder(self.folder, name)
        own.mkdir(exist_ok=True)
        return own


@dataclass(frozen=True)
class _Baseline:
    """A sequential run that takes its turns; `part` is its part of a checkpoint."""

    name: str
    part: str
    history: History
    run: SequentialRun

    def follow(self, number: int) -> None:
        self.history.record(self.run.step() if number else self.run.start())


def _arm(name: str, history: History, main: History | None) -> Arm:
    used = usage(history.rounds)
    return Arm(
        name=name,
        accuracy=history.final("accuracy"),
        loss=history.final("loss"),
        seconds=history.seconds,
        speed_up=_ratio(history.seconds, main.seconds) if main else None,
        end_to_end=_ratio(_whole(history), _whole(main)) if main else None,
        idle_share=history.idle_share,
        efficiency=used.efficiency if used else None,
        communication_share=used.communication_share if used else None,
        critical_path=used.path if used else None,
    )


def _ratio(own: float, other: float) -> float | None:
    return own / other if own and other else None


def _whole(history: History) -> float:
    """Return the seconds from the start of workers to the last evaluation."""
    return history.total("start-up") + history.seconds + history.total("evaluation")
