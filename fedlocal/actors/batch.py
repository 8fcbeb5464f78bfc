"""Messages posted together, and their results."""

import threading
from collections.abc import Sequence

from fedlocal.actors.messages import Envelope, Result


class ActorSystemError(RuntimeError):
    """The system can handle no message: no worker could start, or it is closed."""


class Batch:
    """The results of messages posted together, in the order of their envelopes.

    The supervisor settles each message once; any thread may wait for all of them.
    """

    def __init__(self, envelopes: Sequence[Envelope]) -> None:
        self.envelopes = envelopes
        self.first = 0  # the number of the first message; the others follow
        self._results: list[Result | None] = [None] * len(envelopes)
        self._missing = len(envelopes)
        self._finished = threading.Event()
        self._error: ActorSystemError | None = None
        if not envelopes:
            self._finished.set()

    def settle(self, index: int, result: Result) -> bool:
        """Note the result of one message; return False for a second one, which is dropped."""
        if self._results[index] is not None:
            return False
        self._results[index] = result
        self._missing -= 1
        if not self._missing:
            self._finished.set()
        return True

    def missing(self) -> list["Task"]:
        """Return the messages that have no result yet."""
        return [Task(self, index) for index, result in enumerate(self._results) if result is None]

    def has_result(self, index: int) -> bool:
        """Tell whether a message has its result, or nobody waits for it any more."""
        return self._results[index] is not None or self._error is not None

    def fail(self, error: ActorSystemError) -> None:
        """Give up on the whole batch."""
        if not self._finished.is_set():
            self._error = error
            self._finished.set()

    @property
    def done(self) -> bool:
        """Whether every message has its result."""
        return self._finished.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every message has its result, at most `timeout` seconds; tell whether it has."""
        return self._finished.wait(timeout)

    def results(self) -> list[Result]:
        """Return one result per envelope, once `done`.

        Raises
        ------
        ActorSystemError
            If the system failed before.
        """
        if self._error:
            raise self._error
        return [result for result in self._results if result is not None]


class Task:
    """One message of a batch, and what it has cost so far."""

    __slots__ = ("batch", "crashes", "envelope", "index", "kills", "kind", "number", "units")

    def __init__(self, batch: Batch, index: int) -> None:
        self.batch, self.index = batch, index
        self.number = batch.first + index  # in its system
        self.envelope = envelope = batch.envelopes[index]
        self.units = envelope.cost or 1.0  # messages of unknown cost count as equal
        self.kind = envelope.content.number if envelope.content else 0  # equal content, about equal work
        self.crashes = self.kills = 0
