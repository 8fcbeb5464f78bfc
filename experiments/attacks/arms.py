"""What the study of attacks compares: attacks, strategies that know nothing of them, and robust ones."""

from dataclasses import dataclass

from experiments.trials import Arm

ACTORS = 11
ATTACKS = ("none", "label_flip", "sign_flip", "scaling", "noise", "nans", "colluding")

AVERAGES = ("fedavg", "fedprox", "fedavgm", "fedadam", "fedyogi", "fedadagrad", "qfedavg")
"""Strategies that have every actor's update in their mean."""

ROBUST = ("norm_clipping", "fedmedian", "fedtrimmedavg", "krum", "multikrum", "bulyan")
"""Strategies made for malicious actors."""

STRATEGIES = (*AVERAGES, *ROBUST)


@dataclass(frozen=True)
class Part:
    """A federation that is attacked: so many actors are malicious, which robust strategies are told."""

    name: str
    title: str
    malicious: int
    overrides: tuple[str, ...]
    strategies: tuple[str, ...]


PARTS = (
    Part("iid", "2 of 11 malicious, IID", 2, ("partition=iid",), STRATEGIES),
    Part(
        "dirichlet",
        "2 of 11 malicious, Dirichlet 0.3",
        2,
        ("partition=dirichlet", "partition.alpha=0.3"),
        ("fedavg", *ROBUST),
    ),
    Part("many", "4 of 11 malicious, IID", 4, ("partition=iid",), ("fedavg", *ROBUST[:-1])),
)
"""Bulyan takes 4 * malicious + 3 replies: with 4, those of 19 actors."""


def name(strategy: str, attack: str) -> str:
    """Return the name of an arm: ``krum_sign_flip``."""
    return f"{strategy}_{attack}"


def comparing(part: Part, strategies: tuple[str, ...] = STRATEGIES) -> tuple[Arm, ...]:
    """Return an arm for each of a part's strategies under each attack."""
    return tuple(
        Arm(
            name(strategy, attack),
            (f"strategy={strategy}", *_assumed(strategy, part), *_attacked(attack, part)),
        )
        for strategy in part.strategies
        if strategy in strategies
        for attack in ATTACKS
        if (strategy, attack) != ("bulyan", "nans")  # those whose replies are refused are missing
    )


def _attacked(attack: str, part: Part) -> tuple[str, ...]:
    share = () if attack == "none" else (f"attack.share={part.malicious / ACTORS:.2f}",)
    return (f"attack={attack}", *share)


def _assumed(strategy: str, part: Part) -> tuple[str, ...]:
    """Return the options that tell a strategy how many are malicious."""
    malicious = f"strategy.num_malicious_nodes={part.malicious}"
    return {
        "fedtrimmedavg": (f"strategy.beta={part.malicious / ACTORS + 0.01:.2f}",),
        "krum": (malicious,),
        "multikrum": (malicious, f"strategy.num_nodes_to_select={ACTORS - part.malicious}"),
        "bulyan": (malicious,),
    }.get(strategy, ())
