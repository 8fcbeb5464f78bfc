"""What the study of partitions compares: ways to divide the data, strategies, and the grid of their rates."""

from dataclasses import dataclass

from experiments.trials import Arm


@dataclass(frozen=True)
class Division:
    """A way to divide the data among the actors, at one strength."""

    name: str
    overrides: tuple[str, ...]


IID = Division("iid", ("partition=iid",))
LABELS = (
    *(
        Division(f"dirichlet {alpha}", ("partition=dirichlet", f"partition.alpha={alpha}"))
        for alpha in ("10", "1", "0.3", "0.1", "0.03")
    ),
    Division("inner_dirichlet 0.1", ("partition=inner_dirichlet", "partition.alpha=0.1")),
    Division("mixed 0.1", ("partition=mixed", "partition.alpha=0.1")),
    Division("shards 2", ("partition=shards",)),
    Division("pathological 2", ("partition=pathological",)),
    Division("orthogonal", ("partition=orthogonal",)),
)
SIZES = (
    *(
        Division(f"quantity {sigma}", ("partition=quantity", f"partition.sigma={sigma}"))
        for sigma in ("1", "2")
    ),
    Division("square", ("partition=square",)),
    Division("exponential", ("partition=exponential",)),
)
FEATURES = (
    Division("noise 0.5", ("skew=noise", "skew.level=0.5")),
    Division("rotation 90", ("skew=rotation", "skew.max_angle=90")),
)
DIVISIONS = (IID, *LABELS, *SIZES, *FEATURES)
TIMED = (
    IID,
    Division("linear", ("partition=linear",)),
    *SIZES,
    next(division for division in LABELS if division.name == "dirichlet 0.03"),
)
"""By the sizes of the parts they make: of label skew, too."""

RATES = {
    "fedprox": ("strategy.proximal_mu", ("0.01", "0.1", "1")),
    "fedavgm": ("strategy.server_learning_rate", ("0.1", "0.3", "1")),
    "fedadam": ("strategy.eta", ("0.01", "0.03", "0.1")),
    "fedyogi": ("strategy.eta", ("0.01", "0.03", "0.1")),
}
"""The option of a strategy that is tuned, and the values that are tried."""

CHOSEN = {"fedprox": "0.1", "fedavgm": "1", "fedadam": "0.03", "fedyogi": "0.03"}
"""The best of them on average over `TUNED_ON`, as the part ``rates`` found."""

TUNED_ON = (IID, next(division for division in LABELS if division.name == "dirichlet 0.1"))
STRATEGIES = ("fedavg", "fedprox", "fedavgm", "fedadam", "fedyogi", "fedmedian")


def name(strategy: str, division: Division, value: str = "") -> str:
    """Return the name of an arm: ``fedadam=0.01_dirichlet-0.1``."""
    return f"{strategy}{value and '='}{value}_{division.name.replace(' ', '-')}"


def tuning() -> tuple[Arm, ...]:
    """Return the arms of the grid."""
    return tuple(
        Arm(name(strategy, division, value), (*_with(strategy, value), *division.overrides))
        for division in TUNED_ON
        for strategy, (_, values) in RATES.items()
        for value in values
    )


def comparing() -> tuple[Arm, ...]:
    """Return the arms of the comparison: each strategy on each division."""
    return tuple(
        Arm(name(strategy, division), (*_with(strategy, CHOSEN.get(strategy, "")), *division.overrides))
        for division in DIVISIONS
        for strategy in STRATEGIES
    )


def timing() -> tuple[Arm, ...]:
    """Return the arms whose idle time is measured, all with fedavg."""
    return tuple(Arm(name("fedavg", division), division.overrides) for division in TIMED)


def _with(strategy: str, value: str) -> tuple[str, ...]:
    chosen = (f"{RATES[strategy][0]}={value}",) if value else ()
    return (f"strategy={strategy}", *chosen)
