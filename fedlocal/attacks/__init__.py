"""Attacks by their public addresses: what ``conf/attack`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.flower.attacks import Attack, Colluding, LabelFlip, NaN, Noise, Scaling, SignFlip

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
    "Attack": "fedlocal.flower.attacks",
    "Colluding": "fedlocal.flower.attacks",
    "LabelFlip": "fedlocal.flower.attacks",
    "NaN": "fedlocal.flower.attacks",
    "Noise": "fedlocal.flower.attacks",
    "Scaling": "fedlocal.flower.attacks",
    "SignFlip": "fedlocal.flower.attacks",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
