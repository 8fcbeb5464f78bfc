"""Messages that are under way while the server app goes on: pushed now, pulled later, or never.

A message's content is released as soon as it has been handled, and its reply is read then, pulled or not.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from flwr.app import Error, Message

from fedlocal.actors import Batch, Broadcast, Envelope, Result, System
from fedlocal.flower.compat.private import MESSAGE_UNAVAILABLE, replacement, unknown_message

EXPIRED = "its time to live is over"


Reader = Callable[[Message, Result], Message]
"""Makes the reply of a request and its result; called once for each message, after it was handled."""


@dataclass(frozen=True)
class PendingRequest:
    """A request under way."""

    request: Message
    batch: Batch  # of this message alone
    content: Broadcast


class Outbox:
    """Pushed messages and their replies; for any number of threads.

    Parameters
    ----------
    system : System
        Handles the messages.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._lock = threading.RLock()
        self._under_way: dict[str, PendingRequest] = {}
        self._replies: dict[str, Message] = {}
        self._uses = Counter[int]()  # of contents, by their numbers, by messages that are under way

    def push(self, requests: Sequence[Message], envelopes: Sequence[Envelope]) -> None:
        """Send requests; the outbox releases the contents of their envelopes."""
        with self._lock:
            contents = [envelope.content for envelope in envelopes if envelope.content]
            self._uses.update(content.number for content in contents)
            for request, envelope, content in zip(requests, envelopes, contents, strict=True):
                batch = self._system.post([envelope])
                self._under_way[request.metadata.message_id] = PendingRequest(request, batch, content)

    def collect(self, read: Reader) -> None:
        """Read the replies that have come.

        Raises
        ------
        ActorSystemError
            If the system failed before.
        """
        with self._lock:
            handled = {name: pending for name, pending in self._under_way.items() if pending.batch.done}
            for name, pending in handled.items():
                (result,) = pending.batch.results()
                del self._under_way[name]
                self._release(pending.content)
                self._replies[name] = read(pending.request, result)

    def pull(self, identifiers: Iterable[str], read: Reader) -> list[Message]:
        """Return the replies that are there, and an error for each identifier for which none will come."""
        with self._lock:
            wanted = dict.fromkeys(identifiers)
            for identifier in wanted.keys() & self._under_way.keys():
                self._end_if_expired(self._under_way[identifier])
            self.collect(read)
            pulled = [self._pulled(identifier) for identifier in wanted]
        return [reply for reply in pulled if reply]

    def wait(self, read: Reader, timeout: float | None = None) -> int:
        """Wait until no message is under way, at most `timeout` seconds; return how many are then."""
        until = None if timeout is None else time.monotonic() + timeout
        for pending in list(self._under_way.values()):
            patience = remaining(pending.request)
            if until is not None:
                patience = min(patience, until - time.monotonic())
            pending.batch.wait(max(0.0, patience))
            self._end_if_expired(pending)
        self.collect(read)
        return len(self._under_way)

    def close(self) -> None:
        """Drop all messages and replies, and the memory that they take."""
        with self._lock:
            self._under_way.clear()
            self._replies.clear()

    def _pulled(self, identifier: str) -> Message | None:
        if identifier in self._under_way:
            return None
        reply = self._replies.pop(identifier, None)
        if reply is None:
            return unknown_message(identifier)
        return (
            reply if remaining(reply) > 0 else replacement(reply, None, Error(MESSAGE_UNAVAILABLE, EXPIRED))
        )

    def _end_if_expired(self, pending: PendingRequest) -> None:
        if remaining(pending.request) <= 0:
            self._system.withdraw(pending.batch, EXPIRED)

    def _release(self, content: Broadcast) -> None:
        self._uses[content.number] -= 1
        if not self._uses[content.number]:
            del self._uses[content.number]
            self._system.release(content)


def remaining(message: Message) -> float:
    """Return the seconds that a message, or a reply, has to live."""
    return message.metadata.created_at + message.metadata.ttl - time.time()
