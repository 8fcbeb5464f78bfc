"""Attacks by their public addresses: what ``conf/attack`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.attacks.attacks import Attack, Colluding, LabelFlip, NaN, Noise, Scaling, SignFlip

__all__ = ["Attack", "Colluding", "LabelFlip", "NaN", "Noise", "Scaling", "SignFlip"]

_HOMES = {
    "fedlocal.attacks.attacks": "Attack Colluding LabelFlip NaN Noise Scaling SignFlip",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
