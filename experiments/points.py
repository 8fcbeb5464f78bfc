"""What the studies of speed compare: a scheme with a number of actors and a batch size, and its partner.

The partner of a point is the sequential run that makes the same updates' worth of work: batches of the same
size for the federated scheme, and for the schemes that make one update of a batch of each actor, batches of
as many rows as that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments import outcomes
from experiments.intervals import Interval
from experiments.outcomes import Trial
from experiments.trials import Arm

OPTIONS = {
    "sequential": ("scheme=sequential",),
    "accumulate": ("scheme=sequential", "accumulate=${actors}"),
    "federated": ("scheme=federated",),
    "batch_parallel": ("scheme=batch_parallel",),
    "messages": (
        "scheme=batch_parallel",
        "scheme._target_=experiments.figure1.copied_messages.copied_messages",
    ),
}
WAVES = ("accumulate", "batch_parallel", "messages")
"""Whose updates are of a batch of each actor."""


@dataclass(frozen=True)
class Point:
    """One of the settings compared: a key of `OPTIONS`, actors, and rows of an actor's batch.

    ``accumulate`` is the sequential scheme that makes one update of as many batches as actors, ``messages``
    the batch queue whose messages are copied, as in the paper.
    """

    scheme: str
    actors: int
    batch: int

    @property
    def name(self) -> str:
        """Of the arm: ``batch_parallel-4x128``."""
        return f"{self.scheme}-{self.actors}x{self.batch}"

    @property
    def arm(self) -> Arm:
        """The arm of a study."""
        options = (*OPTIONS[self.scheme], f"actors={self.actors}", f"batch_size={self.batch}")
        return Arm(self.name, options, group=str(self.update))

    @property
    def update(self) -> int:
        """Rows that make one update."""
        return self.batch * (self.actors if self.scheme in WAVES else 1)

    @property
    def partner(self) -> "Point":
        """The sequential scheme with as many rows an update."""
        return sequential(self.update)


def sequential(batch: int) -> Point:
    """Return the sequential scheme."""
    return Point("sequential", 1, batch)


def with_partners(points: Iterable[Point]) -> tuple[Arm, ...]:
    """Return the arms of points and of their partners, each once."""
    both = (arm for point in points for arm in (point, point.partner))
    return tuple(point.arm for point in dict.fromkeys(both))


def speed_up(trials: Sequence[Trial], point: Point, over: str | None = None) -> Interval:
    """Return how many times faster a point trains than its partner, or than another arm."""
    return outcomes.speed_up(trials, point.name, over or point.partner.name)
