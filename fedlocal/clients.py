"""Kinds of clients by their public addresses: what ``conf/client`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.flower.clients import AnyApp as FlowerClient
    from fedlocal.flower.clients import Own as DefaultClient
    from fedlocal.schemes.nested import Nested

__all__ = [
    "DefaultClient",
    "FlowerClient",
    "Nested",
]

_HOMES = {
    "FlowerClient": "fedlocal.flower.clients:AnyApp",
    "DefaultClient": "fedlocal.flower.clients:Own",
    "Nested": "fedlocal.schemes.nested",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
