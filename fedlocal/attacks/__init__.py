"""Attacks by their public addresses: what ``conf/attack`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.attacks.attacks import Attack, Colluding, LabelFlip, NaN, Noise, Scaling, SignFlip

__all__ = [
    "Attack",
    "Colluding",
    "LabelFlip",
    "NaN",
    "Noise",
    "Scaling",
    "SignFlip",
]

_HOMES = {
    "Attack": "fedlocal.attacks.attacks",
    "Colluding": "fedlocal.attacks.attacks",
    "LabelFlip": "fedlocal.attacks.attacks",
    "NaN": "fedlocal.attacks.attacks",
    "Noise": "fedlocal.attacks.attacks",
    "Scaling": "fedlocal.attacks.attacks",
    "SignFlip": "fedlocal.attacks.attacks",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
