"""What a worker of the study starts with: no import of the server side."""

from collections.abc import Callable

from flwr.clientapp import ClientApp

from fedlocal.flower.host import Host
from fedlocal.flower.private import RUN_ID


def start_host(app: Callable[[], ClientApp], clients: int) -> Host:
    """Make what runs a client app for any of its clients."""
    return Host(app(), clients, 1, RUN_ID)
