"""What is trained in the study, and what happens to its workers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from experiments.faults.nemesis import Menace

OUTSIDE = Menace("outside", {"kill": 5, "terminate": 2, "delay": 2, "forkserver": 0.5})
"""What is nobody's fault: every message has to survive it."""

ALL = Menace("all", {**OUTSIDE.weights, "crash": 2, "stop": 0.5})
"""With crashes and hangs, which are charged: two of them on one message, and it ends in an error."""

HANGS = Menace("stops", {"stop": 1}, pause=(0.5, 2.0))
"""Rare enough for the deadline to find who stands still before the next fault."""

HUNDRED = Menace("hundred kills", {"kill": 1}, pause=(0.05, 0.2))
ON_RAY = Menace("outside", {"kill": 5, "terminate": 2, "delay": 2})  # there is no forkserver
ONE_KILL = Menace("one kill", {"kill": 1}, most=1)
NOTHING = Menace("none", {"kill": 1}, most=0)

FEDLOCAL, FLOWER = "fedlocal", "Flower on Ray"
PRESET = ("experiment=faults", "workers=2", "display=off")
DEADLINES = ("backend.deadline=2", "backend.start_deadline=10")
PATIENT = ("backend.deadline=1", "backend.start_deadline=10", "backend.max_crashes=100")
TINY = (  # 3000 clients of 20 rows, stacked
    "~partition.alpha",
    "partition=iid",
    "actors=3000",
    "rounds=6",
    "evaluate_every=6",
    "optimizer_state=reset",
    "model.momentum=0",
    "batch_size=20",
)
QUICK = ("dataset=digits", "rounds=40", "evaluate_every=40", "batch_size=4")


@dataclass(frozen=True)
class Arm:
    """A training run and what happens to it; ``at_most`` limits its trials."""

    name: str
    menace: Menace
    overrides: tuple[str, ...] = ()
    system: str = FEDLOCAL
    at_most: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others in the table."""
        return self.system, self.name, self.menace.name

    @property
    def training(self) -> tuple[str, str]:
        """What has one fault-free twin."""
        return self.system, self.name

    @property
    def command_line(self) -> list[str]:
        """All that the training run is asked for."""
        return [*PRESET, *self.overrides]


ARMS = (
    Arm("client state", OUTSIDE),
    Arm("client state", ALL, DEADLINES),
    Arm("client state", HANGS, PATIENT),
    Arm("FedAdam", OUTSIDE, ("strategy=fedadam",)),
    Arm("FedAdam", ALL, ("strategy=fedadam", *DEADLINES)),
    Arm("3000 tiny clients", OUTSIDE, TINY),
    Arm("3000 tiny clients", ALL, (*TINY, *DEADLINES)),
    Arm("client state, 60 rounds", HUNDRED, ("rounds=60", "evaluate_every=60"), at_most=2),
)
QUICK_ARMS = tuple(replace(arm, overrides=(*QUICK, *arm.overrides)) for arm in ARMS[:2])
PEERS = (
    Arm("client state", NOTHING, system=FLOWER, at_most=1),
    Arm("client state", ONE_KILL, system=FLOWER),
    Arm("client state", ON_RAY, system=FLOWER),
)


def in_words(tried: Mapping[str, int]) -> str:
    """Return how often which fault was tried: ``kill 12, delay 3``."""
    return ", ".join(f"{name} {count}" for name, count in sorted(tried.items(), key=lambda item: -item[1]))
