"""Backends by their public addresses: what ``conf/backend`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.flower.grid.backends import Actors as Actors
    from fedlocal.flower.grid.backends import Elastic as Elastic
    from fedlocal.flower.grid.backends import Inline as Inline
    from fedlocal.runtimes.engine_backends import Ray as Ray
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
