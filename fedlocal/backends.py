"""Backends by their public addresses: what ``conf/backend`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.apps.engines import Ray
    from fedlocal.flower.backends import Actors, Elastic, Inline

__all__ = [
    "Actors",
    "Elastic",
    "Inline",
    "Ray",
]

_HOMES = {
    "Ray": "fedlocal.apps.engines",
    "Actors": "fedlocal.flower.backends",
    "Elastic": "fedlocal.flower.backends",
    "Inline": "fedlocal.flower.backends",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
