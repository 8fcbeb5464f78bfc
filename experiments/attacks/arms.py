"""What the study of attacks compares: attacks, strategies that know nothing of them, and robust ones."""

from trials import Arm

ATTACKS = ("none", "label_flip", "sign_flip", "scaling", "noise", "nan", "colluding")

AVERAGES = ("fedavg", "fedprox", "fedavgm", "fedadam", "fedyogi", "fedadagrad", "qfedavg")
"""Strategies that have every actor's update in their mean."""

MALICIOUS = 2
ROBUST = {
    "norm_clipping": (),
    "fedmedian": (),
    "fedtrimmedavg": (),
    "krum": (f"strategy.num_malicious_nodes={MALICIOUS}",),
    "multikrum": (f"strategy.num_malicious_nodes={MALICIOUS}", "strategy.num_nodes_to_select=9"),
    "bulyan": (f"strategy.num_malicious_nodes={MALICIOUS}",),
}
"""Strategies made for malicious actors, told how many there are where they ask for it."""

STRATEGIES = (*AVERAGES, *ROBUST)
ON_SKEWED = ("fedavg", *ROBUST)
CANNOT = (("bulyan", "nan"),)
"""Bulyan takes 4 * 2 + 3 = 11 replies, and those of two actors are refused."""

PARTITIONS = {"iid": ("partition=iid",), "dirichlet": ("partition=dirichlet", "partition.alpha=0.3")}


def name(strategy: str, attack: str) -> str:
    """Return the name of an arm: ``krum_sign_flip``."""
    return f"{strategy}_{attack}"


def comparing(strategies: tuple[str, ...]) -> tuple[Arm, ...]:
    """Return an arm for each of some strategies under each attack."""
    return tuple(
        Arm(name(strategy, attack), (f"strategy={strategy}", *ROBUST.get(strategy, ()), f"attack={attack}"))
        for strategy in strategies
        for attack in ATTACKS
        if (strategy, attack) not in CANNOT
    )
