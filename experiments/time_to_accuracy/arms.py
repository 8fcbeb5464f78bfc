"""What the study compares, with which learning rates, and up to which accuracies."""

from dataclasses import dataclass

from experiments.trials import Arm

TARGETS = (0.85, 0.87, 0.88)
PASSES, TUNING_PASSES = 40, 20
GRID = (0.25, 0.5, 0.7)
"""Learning rates that are tried; with 1.0 each method diverges for some of the seeds of the trials."""

DIVERGING = ("federated", 8)
"""Diverges for one of these seeds with the highest rate of the grid already: it may not be chosen there."""


@dataclass(frozen=True)
class Method:
    """A way to train: a scheme, actors, rows of an actor's batch, and local epochs of a round."""

    scheme: str
    actors: int
    batch: int
    epochs: int = 1

    @property
    def name(self) -> str:
        """Of its arm: ``batch_parallel-2x64``, ``federated-8x128-epochs-4``."""
        size = f"{self.scheme}-{self.actors}x{self.batch}"
        return f"{size}-epochs-{self.epochs}" if self.scheme == "federated" else size

    @property
    def label(self) -> str:
        """In a figure."""
        if self.scheme == "sequential":
            return f"sequential, batches of {self.batch}"
        if self.scheme == "federated":
            return f"federated, {self.actors} actors, {self.epochs} local epoch{'s' * (self.epochs > 1)}"
        return f"batch_parallel, {self.actors} actors x {self.batch} rows"

    def arm(self, passes: int, rate: float, name: str | None = None) -> Arm:
        """Return the arm that trains for so many passes with a learning rate."""
        options = {
            "scheme": self.scheme,
            "actors": self.actors,
            "batch_size": self.batch,
            "local_epochs": self.epochs,
            "rounds": passes // self.epochs,
            "model.learning_rate": rate,
        }
        return Arm(name or self.name, tuple(f"{option}={value}" for option, value in options.items()))

    @property
    def tuned_as(self) -> "Method":
        """Whose tuning counts: a batch queue with updates of the same rows learns as `BASE` does."""
        as_base = self.scheme == "batch_parallel" and self.actors * self.batch == BASE.batch
        return BASE if as_base else self

    def tried(self, rate: float) -> str:
        """Return the name of the arm that tries a learning rate."""
        return f"{self.tuned_as.name}-rate-{rate}"


BASE = Method("sequential", 1, 128)
METHODS = (
    BASE,
    Method("batch_parallel", 2, 64),
    Method("batch_parallel", 8, 16),
    Method("batch_parallel", 2, 128),
    Method("batch_parallel", 8, 128),
    Method("federated", 2, 128),
    Method("federated", 8, 128),
    Method("federated", 2, 128, epochs=4),
    Method("federated", 8, 128, epochs=4),
)

RATES = {method.name: 0.5 if (method.scheme, method.actors) == DIVERGING else 0.7 for method in METHODS}
"""What the tuning chose; the report says where it would choose otherwise."""


def eligible(method: Method) -> list[float]:
    """Return the learning rates that may be chosen."""
    return [rate for rate in GRID if (method.scheme, method.actors) != DIVERGING or rate < GRID[-1]]


def timed(passes: int = PASSES) -> tuple[Arm, ...]:
    """Return the arms whose time to the targets is measured."""
    return tuple(method.arm(passes, RATES[method.name]) for method in METHODS)


def tuned(passes: int = TUNING_PASSES) -> tuple[Arm, ...]:
    """Return the arms that try the learning rates."""
    tuned_alone = [method for method in METHODS if method.tuned_as == method]
    return tuple(method.arm(passes, rate, method.tried(rate)) for method in tuned_alone for rate in GRID)
