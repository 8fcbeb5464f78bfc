"""Kinds of clients by their public addresses: what ``conf/client`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.flower.client.clients import DefaultClient, FlowerClient
    from fedlocal.schemes.nested_client import Nested

__all__ = ["DefaultClient", "FlowerClient", "Nested"]

_HOMES = {
    "fedlocal.flower.client.clients": "DefaultClient FlowerClient",
    "fedlocal.schemes.nested_client": "Nested",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
