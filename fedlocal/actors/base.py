"""What every system of actors offers, whether worker processes run them or this process itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from fedlocal.actors.batch import Batch
from fedlocal.actors.messages import Envelope, Result
from fedlocal.actors.spawned.actor_messages import MAX_MAILBOX
from fedlocal.actors.spawned.refs import ActorRef, Down
from fedlocal.actors.spawned.registry import ActorRegistry
from fedlocal.actors.spawned.transport import with_future
from fedlocal.memory.buffers import Broadcast
from fedlocal.memory.parts import Buffer


class System(ABC):
    """Runs actors: spawned ones, or those of one behaviour, numbered from 0."""

    workers: int
    _registry: ActorRegistry | None

    @abstractmethod
    def share(self, header: bytes, arrays: Sequence[Buffer]) -> Broadcast:
        """Make content that many messages can name; each worker receives it once. `release` gives it back."""

    @abstractmethod
    def release(self, content: Broadcast) -> None:
        """Give shared content back, when every message that names it has its result."""

    @abstractmethod
    def deliver(self, batch: Batch) -> None:
        """Take messages, without handling them in this call."""

    def post(self, envelopes: Sequence[Envelope]) -> Batch:
        """Send messages; they may be handled later than this returns."""
        batch = Batch(envelopes)
        self.deliver(batch)
        return batch

    def submit(self, envelope: Envelope) -> Future[Result]:
        """Send one message and return the future of its result.

        The future fails with an `ActorSystemError` if the system is closed before. Its callbacks run in the
        thread that handles results: they must return soon, and may submit more.
        """
        posted, future = with_future(envelope)
        self.deliver(posted)
        return future

    @abstractmethod
    def withdraw(self, batch: Batch, reason: str) -> None:
        """Give up on the messages that have no result yet: they fail, with cause ``"timeout"``.

        What their actors may still answer is dropped.
        """

    def ask(self, envelopes: Sequence[Envelope], timeout: float | None = None) -> list[Result]:
        """Send messages, wait, and return one result per envelope, in their order.

        Parameters
        ----------
        envelopes : sequence of Envelope
            The messages.
        timeout : float, optional
            Seconds to wait; a message without a result by then is withdrawn.

        Raises
        ------
        ActorSystemError
            If the system was closed before every message had its result.
        """
        batch = self.post(envelopes)
        if not batch.wait(timeout):
            self.withdraw(batch, f"no reply within {timeout:g} s")
        return batch.results()

    @abstractmethod
    def states(self) -> dict[int, bytes]:
        """Return the states of all actors that have one, as their last results left them.

        Raises
        ------
        ActorSystemError
            If the system is closed.
        """

    @abstractmethod
    def restore(self, states: Mapping[int, bytes]) -> None:
        """Set the states, as `states` returned them, of actors that have not handled a message yet."""

    @abstractmethod
    def close(self) -> None:
        """End the system and give back what it holds. May be called twice."""

    def spawn(
        self,
        behaviour: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        max_mailbox: int = MAX_MAILBOX,
        **kwargs: Any,
    ) -> ActorRef:
        """Create an actor and return at once.

        A worker makes the object when the first message arrives. After each message, the object's attributes
        are its state, and commit together with the reply: an exception leaves the actor as it was before.
        Messages, replies and attributes are plain values: None, bool, int, float, str, bytes, list, tuple,
        dict, set, NumPy arrays and scalars, references to actors. The arrays of a message are read-only.
        Attributes whose names start with an underscore are no state, and may be anything: ``__init__`` makes
        them anew in each worker, and after an exception.

        Parameters
        ----------
        behaviour : class or function
            A class with a method ``receive(self, message, context)``, or a function of message and context.
            What it returns is the answer to `ask`. It travels by reference if it can be imported, else by
            value.
        *args, **kwargs
            For the class. They may be anything that pickles.
        name : str, optional
            By which `find` finds the actor, as long as it lives.
        max_mailbox : int
            How many messages may wait for it.

        Raises
        ------
        TypeError
            If `behaviour` is neither a class nor a function, or does not take these arguments.
        ValueError
            If a living actor has this name.
        ActorSystemError
            If the system is closed.
        """
        return self._open_registry().spawn(behaviour, args, kwargs, name, max_mailbox)

    def find(self, name: str) -> ActorRef:
        """Return the actor that has this name.

        Raises
        ------
        LookupError
            If no living actor has this name.
        """
        return self._open_registry().find(name)

    def monitor(self, ref: ActorRef) -> Future[Down]:
        """Return a future that tells when an actor is gone: stopped, or closed with its system."""
        return self._open_registry().monitor(ref)

    def _open_registry(self) -> ActorRegistry:
        if self._registry is None:
            raise TypeError("this system runs one behaviour for all actors; to spawn some, use ActorSystem()")
        return self._registry

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
