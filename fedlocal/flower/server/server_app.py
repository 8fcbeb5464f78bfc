"""Runs a server app in this process."""

from collections.abc import Mapping
from typing import Any

from flwr.app import Context, RecordDict
from flwr.serverapp import Grid, ServerApp

from fedlocal.flower.compat.private import RUN_ID, SERVER_NODE


def run_server(app: ServerApp, grid: Grid, run_config: Mapping[str, Any] | None = None) -> Context:
    """Run a server app on a grid of this process; return its context, with what it put into its state."""
    context = Context(RUN_ID, SERVER_NODE, {}, RecordDict(), dict(run_config or {}))
    try:
        app(grid, context)
    except SystemExit as leaving:  # ``sys.exit()`` at the end of a main function ends it, not the run
        if leaving.code:
            raise
    return context
