"""Attacks by their public addresses: what ``conf/attack`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.attacks.attacks import Attack as Attack
    from fedlocal.attacks.attacks import Colluding as Colluding
    from fedlocal.attacks.attacks import LabelFlip as LabelFlip
    from fedlocal.attacks.attacks import NaN as NaN
    from fedlocal.attacks.attacks import Noise as Noise
    from fedlocal.attacks.attacks import Scaling as Scaling
    from fedlocal.attacks.attacks import SignFlip as SignFlip
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
