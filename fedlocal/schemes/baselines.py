"""The sequential baselines of a run: trained in turn with its scheme, or taken over from another run's."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedlocal.actors import usable_cores
from fedlocal.results import (
    Checkpoint,
    History,
    ResultsError,
    SharedBaseline,
    arm_folder,
    weights_hash,
)
from fedlocal.schemes.sequential import SequentialRun
from fedlocal.schemes.setting import Arrays, Setting

PART = "sequential-"  # and the number of threads: the part of a checkpoint that is a baseline's


class Baselines:
    """The sequential baselines of one run, with one BLAS thread and with all cores.

    Where other runs of a sweep have the same ones, the first run trains them, beside its scheme. The others
    take them over; if they are not done when the scheme is, the run waits for them.

    Parameters
    ----------
    setting : Setting
        What the scheme is given.
    folder : Path, optional
        Of the run; each baseline's history has a folder of its own in it.
    shared : SharedBaseline, optional
        Through which runs of a sweep find each other.

    Attributes
    ----------
    histories : dict of str to History
        Of each baseline, by its name; they fill as the run goes on.
    hashes : dict of str to str
        Of the final weights.
    apart : str or None
        The run in which they were trained, if not in turn with this run's scheme: their times are no match.
    """

    def __init__(self, setting: Setting, folder: Path | None, shared: SharedBaseline | None = None) -> None:
        self.histories: dict[str, History] = {}
        self.hashes: dict[str, str] = {}
        self.apart: str | None = None
        self._setting, self._folder, self._shared = setting, folder, shared
        self._trained: list[_Baseline] = []

    def begin(self, stack: ExitStack, start: Checkpoint | None) -> None:
        """Take them over, or get ready to train those that nobody else trains.

        Parameters
        ----------
        stack : ExitStack
            Closes their histories.
        start : Checkpoint, optional
            Of an earlier run, to go on from.
        """
        counts = _threads(start) if start else _all_threads()
        if not counts:  # in the earlier run they were somebody else's
            return
        if self._shared and not start:
            free = stack.enter_context(self._shared.claimed(wait=False))
            if self._take_over() or not free:
                return
        self._train(stack, counts, start)

    def follow(self, number: int) -> None:
        """Make the round with this number, if they are trained here.

        They take turns in the reverse order: a library's threads go on spinning when they are done, and then
        it is the baseline with one thread that shares the machine with them, on another core.
        """
        for baseline in reversed(self._trained):
            baseline.follow(number)

    def capture(self) -> dict[str, Arrays]:
        """Return where those that are trained here stand, by their parts of a checkpoint."""
        return {baseline.part: baseline.run.capture() for baseline in self._trained}

    def end(self) -> None:
        """Have them all: what is missing is waited for or, if nobody trains it, trained now."""
        if not self._trained and not self.histories:
            with ExitStack() as stack:
                if self._shared:
                    stack.enter_context(self._shared.claimed(wait=True))
                if not self._take_over():
                    self._train(stack, _all_threads(), None)
                    self.apart = self._name(self._folder) if self._folder else ""
                    for number in range(self._setting.rounds + 1):
                        self.follow(number)
                self._take_note()
        else:
            self._take_note()

    def _take_note(self) -> None:
        self.hashes |= {each.name: weights_hash(each.run.model.arrays) for each in self._trained}

    def _train(self, stack: ExitStack, counts: list[int], start: Checkpoint | None) -> None:
        stack.callback(self._publish)  # when the histories are closed
        self._trained += [stack.enter_context(self._baseline(count, start)) for count in counts]

    def _publish(self) -> None:
        if self._shared and self.hashes:
            self._shared.publish(self.hashes)

    def _take_over(self) -> bool:
        """Copy what another run has computed, if one has; what cannot be read is computed again."""
        known = self._shared.computed() if self._shared else None
        if not known:
            return False
        lender, hashes = known
        if hashes.keys() != set(map(_arm_name, _all_threads())):
            return False
        try:
            lent = {name: History.load(arm_folder(lender, name)) for name in hashes}
        except ResultsError:
            return False
        for name, history in lent.items():
            with History(self._new_folder(name), history.rounds) as own:
                self.histories[name] = own
        self.hashes, self.apart = hashes, self._name(lender)
        return True

    def _name(self, run: Path) -> str:
        return self._shared.name_of(run) if self._shared else run.name

    @contextmanager
    def _baseline(self, threads: int, start: Checkpoint | None) -> Iterator["_Baseline"]:
        name, part = _arm_name(threads), f"{PART}{threads}"
        run = SequentialRun(self._setting, threads)
        if start:
            run.go_on(start.part(part))
        with new_history(self._new_folder(name), start) as history:
            self.histories[name] = history
            yield _Baseline(name, part, history, run)

    def _new_folder(self, name: str) -> Path | None:
        if self._folder is None:
            return None
        own = arm_folder(self._folder, name)
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


def new_history(folder: Path | None, start: Checkpoint | None) -> History:
    """Return the history of an arm: a new one, or that of an earlier run up to a checkpoint."""
    return History.resumed(folder, start.round) if folder and start else History(folder)


def _arm_name(threads: int) -> str:
    return f"sequential, {threads} thread{'s' if threads > 1 else ''}"


def _all_threads() -> list[int]:
    """Return the number of BLAS threads of each baseline."""
    return sorted({1, usable_cores()})


def _threads(start: Checkpoint) -> list[int]:
    """Return the number of BLAS threads of each baseline that an earlier run trained."""
    parts = {name.partition("/")[0] for name in start.arrays}
    return sorted(int(part.removeprefix(PART)) for part in parts if part.startswith(PART))
