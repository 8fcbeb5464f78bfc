"""fedlocal's own server app: a round loop over a strategy that reports each round."""

from collections.abc import Callable, Mapping
from typing import Any

from flwr.app import Context, RecordDict
from flwr.serverapp import Grid, ServerApp

from fedlocal.flower.compat.private import RUN_ID, SERVER_NODE
from fedlocal.flower.server.round_loop import Arrays, FederatedRound, RoundLoop


def server_app(
    loop: RoundLoop, initial: Arrays, on_round: Callable[[FederatedRound], None], after: int = 0
) -> ServerApp:
    """Make the server app.

    Parameters
    ----------
    loop : RoundLoop
        The strategy and its rounds.
    initial : mapping of str to NDArray
        The global model at the start.
    on_round : callable
        Called with round 0 before training and with each round when it is done; its time is not counted.
    after : int
        The round that gave `initial`, where an earlier run goes on.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:  # noqa: ARG001 - Flower's signature
        for round_ in loop.run(grid, initial, after):
            on_round(round_)

    return app


def run_server(app: ServerApp, grid: Grid, run_config: Mapping[str, Any] | None = None) -> Context:
    """Run a server app on a grid of this process; return its context, with what it put into its state."""
    context = Context(RUN_ID, SERVER_NODE, {}, RecordDict(), dict(run_config or {}))
    try:
        app(grid, context)
    except SystemExit as leaving:  # ``sys.exit()`` at the end of a main function ends it, not the run
        if leaving.code:
            raise
    return context
