"""A scheme beside the sequential baselines: they take turns, round by round, and never run at the same time.

So whatever else the machine does, it does to all of them alike, and the ratio of their times means something.
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from fedlocal.actors import usable_cores
from fedlocal.results import Arm, History, Round, weights_hash
from fedlocal.schemes.sequential import SequentialRun
from fedlocal.schemes.setting import OnRound, Scheme, Setting, Trained


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
    """

    name: str
    setting: Setting
    folder: Path | None
    baselines: bool
    histories: dict[str, History] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def run(self, scheme: Scheme, show: OnRound) -> Trained:
        """Train with `scheme`, each of its rounds followed by one of each baseline.

        Parameters
        ----------
        scheme : Scheme
            What the run is about.
        show : callable
            Told of the scheme's rounds.
        """
        with ExitStack() as stack:
            history = stack.enter_context(self._history(self.name, self.folder))
            runs = {}
            for name, threads in self._baseline_threads().items():
                own = self._new_folder(name)
                runs[name] = (
                    stack.enter_context(self._history(name, own)),
                    SequentialRun(self.setting, threads),
                )

            def on_round(one: Round) -> None:
                history.record(one)
                show(one)
                for baseline, run in reversed(runs.values()):
                    baseline.record(run.start() if one.number == 0 else run.step())

            trained = scheme(self.setting, on_round)
            self.hashes[self.name] = weights_hash(trained.arrays)
            self.hashes |= {name: weights_hash(run.model.arrays) for name, (_, run) in runs.items()}
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

    def _baseline_threads(self) -> dict[str, int]:
        """Return the number of BLAS threads of each baseline.

        They take turns in the reverse order: a library's threads go on spinning when they are done, and then
        it is the baseline with one thread that shares the machine with them, on another core.
        """
        if not self.baselines:
            return {}
        counts = sorted({1, usable_cores()})
        return {f"sequential, {count} thread{'s' if count > 1 else ''}": count for count in counts}

    def _history(self, name: str, folder: Path | None) -> History:
        self.histories[name] = History(folder)
        return self.histories[name]

    def _new_folder(self, name: str) -> Path | None:
        if self.folder is None:
            return None
        own = self.folder / name.replace(", ", "-").replace(" ", "-")
        own.mkdir(exist_ok=True)
        return own


def _arm(name: str, history: History, main: History | None) -> Arm:
    return Arm(
        name=name,
        accuracy=history.final("accuracy"),
        loss=history.final("loss"),
        seconds=history.seconds,
        speed_up=_ratio(history.seconds, main.seconds) if main else None,
        end_to_end=_ratio(_whole(history), _whole(main)) if main else None,
        idle_share=history.idle_share,
    )


def _ratio(own: float, other: float) -> float | None:
    return own / other if own and other else None


def _whole(history: History) -> float:
    """Return the seconds from the start of workers to the last evaluation."""
    return history.total("start-up") + history.seconds + history.total("evaluation")
