"""What a server app ends with: its arrays, and the history that those of the older API have."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

from flwr.app import ArrayRecord, Context
from flwr.common import parameters_to_ndarrays
from flwr.server import History, Server
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from fedlocal.flower.arrays import ndarrays

OlderHistory = History


class Final:
    """The model that a strategy, or an older server, ended with last, and that server's history."""

    record: ArrayRecord | None = None
    history: History | None = None

    def arrays(self, context: Context) -> Mapping[str, NDArray[Any]]:
        """Return the final arrays by name; if no strategy has any, those in the server app's state.

        Raises
        ------
        ArrayError
            If they are not arrays of NumPy's.
        """
        if self.record is not None:
            return ndarrays(self.record)
        kept = context.state.array_records.items()
        return {f"{key}/{name}": array for key, record in kept for name, array in ndarrays(record).items()}


@contextmanager
def final_arrays() -> Iterator[Final]:
    """Take note of what strategies and older servers return in the block."""
    final, start, fit = Final(), Strategy.start, Server.fit

    @wraps(start)
    def started(self: Strategy, *args: Any, **kwargs: Any) -> Any:
        result = start(self, *args, **kwargs)
        final.record = result.arrays
        return result

    @wraps(fit)
    def fitted(self: Server, *args: Any, **kwargs: Any) -> Any:
        result = fit(self, *args, **kwargs)
        final.history = result[0]
        final.record = ArrayRecord(parameters_to_ndarrays(self.parameters))
        return result

    Strategy.start, Server.fit = started, fitted  # type: ignore[method-assign]
    try:
        yield final
    finally:
        Strategy.start, Server.fit = start, fit  # type: ignore[method-assign]
