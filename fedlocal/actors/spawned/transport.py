"""The seam between spawned actors and the engine that runs them."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from fedlocal.actors.batch import ActorSystemError, Batch
from fedlocal.actors.messages import Envelope, Result
from fedlocal.memory.buffers import Broadcast

_log = logging.getLogger("fedlocal.actors")


class Transport(Protocol):
    """What the engine does for an actor registry."""

    def deliver(self, batch: Batch) -> None:
        """Take messages, without handling them yet; settle each once, or fail."""
        ...

    def carry_on(self) -> None:
        """Handle what was delivered, if that is to happen in this thread."""
        ...

    def release(self, content: Broadcast) -> None:
        """Forget a content that no message will name again."""
        ...


class PostedMessage(Batch):
    """One message under way, which says when it has its result."""

    def __init__(self, envelope: Envelope, settled: Callable[[Result | ActorSystemError], None]) -> None:
        super().__init__([envelope])
        self._settled = settled

    def settle(self, index: int, result: Result) -> bool:
        """Note the result, and say so; return False for a second one, or if the system has failed."""
        if self.done:
            return False
        super().settle(index, result)
        self._settled(result)
        return True

    def fail(self, error: ActorSystemError) -> None:
        """Give up, and say so."""
        if not self.done:
            super().fail(error)
            self._settled(error)


def settle(future: Future[Any], outcome: Any) -> None:
    """Give a future its outcome, a result or an exception; what its callbacks raise is only logged."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except BaseException as error:  # exceptions it logs by itself; SystemExit gets through
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise
        _log.exception("a callback of an answer raised")


def with_future(envelope: Envelope) -> tuple[PostedMessage, Future[Result]]:
    """Return a message to deliver, and the future of its result."""
    future: Future[Result] = Future()
    return PostedMessage(envelope, lambda result: settle(future, result)), future
