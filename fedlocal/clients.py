"""Kinds of clients by their public addresses: what ``conf/client`` names."""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.flower.client.clients import DefaultClient as DefaultClient
    from fedlocal.flower.client.clients import FlowerClient as FlowerClient
    from fedlocal.schemes.nested_client import Nested as Nested
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
