"""The settings in which the number of actors makes a difference, each for a reason of its own."""

from dataclasses import dataclass

SERIES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""As `fedlocal.autotune.choose_actors` tries them; where there are more than 16 workers, it tries more."""


@dataclass(frozen=True)
class Setting:
    """Data, a model and a scheme; the numbers that ``actors=auto`` chooses from, and what makes it quick."""

    name: str
    title: str
    overrides: tuple[str, ...]
    numbers: tuple[int, ...] = SERIES
    smaller: tuple[str, ...] = ("dataset=digits", "batch_size=16")


DIGITS = (*SERIES[:-2], 44)  # 1437 rows have 44 whole batches of 32

SETTINGS = (
    Setting(
        "workers",
        "the paper's network, Fashion-MNIST: one actor leaves workers idle",
        ("dataset=fashion_mnist", "model=paper", "batch_size=128"),
    ),
    Setting(
        "exchange",
        "2.3 million parameters, 1437 digits: many actors exchange much",
        ("dataset=digits", "model.hidden=[2048,1024]"),
        DIGITS,
        (),
    ),
    Setting(
        "imbalance",
        "partition=square, Fashion-MNIST: few actors differ much",
        ("dataset=fashion_mnist", "partition=square", "batch_size=128"),
    ),
    Setting(
        "waves",
        "the batch queue, 1437 digits: small waves wait for messages",
        ("dataset=digits", "scheme=batch_parallel"),
        DIGITS,
        (),
    ),
)
