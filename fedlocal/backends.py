"""Backends by their public addresses: what ``conf/backend`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.flower.grid.backends import Actors, Elastic, Inline
    from fedlocal.runtimes.engine_backends import Ray

__all__ = ["Actors", "Elastic", "Inline", "Ray"]

_HOMES = {
    "fedlocal.flower.grid.backends": "Actors Elastic Inline",
    "fedlocal.runtimes.engine_backends": "Ray",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
