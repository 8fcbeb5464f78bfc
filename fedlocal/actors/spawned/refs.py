"""What actors and those who talk to them hold of one another: references, news of an end, errors.

A reference says where a message goes; a `Messenger` takes it there. Outside of actors that is the system; in
an actor it is the actor's own context, so that what it sends takes effect together with its reply.
"""

from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

CHILDREN = 20  # bits of an address that count the actors which one message spawned

Address = int | str
"""Where an actor lives, or the name by which the system will look it up when a message is sent."""


def describe(address: Address, name: str | None = None) -> str:
    """Say in words which actor lives at an address."""
    if name is not None or isinstance(address, str):
        return f"actor {name or address!r}"
    number, child = divmod(address, 1 << CHILDREN)
    return f"actor {number}.{child}" if child else f"actor {number}"


class ActorError(RuntimeError):
    """A message has no answer.

    Parameters
    ----------
    actor : str
        The actor it was for, in words.
    cause : str
        ``"exception"`` if the actor raised (it lives on, as it was before the message), ``"stopped"`` if it
        is gone, ``"mailbox"`` if too many messages wait for it; or what else can go wrong with a message, see
        `Failure`.
    reason : str
        One line for people.
    traceback : str
        The actor's traceback, if it raised; also shown below this error's own.
    """

    def __init__(self, actor: str, cause: str, reason: str, traceback: str = "") -> None:
        super().__init__(f"{actor}: {reason}")
        self.actor, self.cause, self.reason, self.traceback = actor, cause, reason, traceback
        if traceback:
            self.add_note(f"In {actor}:\n{traceback}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.actor, self.cause, self.reason, self.traceback)


class MailboxFull(ActorError):  # noqa: N818 - as queue.Full
    """So many messages wait for an actor that it takes no more for now."""


class Messenger(Protocol):
    """What takes messages to actors."""

    def tell(self, ref: "ActorRef", message: Any) -> None:
        """Send a message that nobody waits for."""
        ...

    def ask(self, ref: "ActorRef", message: Any) -> Future[Any]:
        """Send a message and return what will be its answer."""
        ...

    def stop(self, ref: "ActorRef") -> None:
        """Let an actor end after the messages that wait for it."""
        ...


acting: ContextVar[Messenger | None] = ContextVar("acting", default=None)
"""The context of the actor that handles a message here and now."""


@dataclass(frozen=True)
class ActorRef:
    """A reference to an actor; a plain value, that may be part of messages and attributes.

    Two are equal if they have the same address. A reference does not keep its system alive.

    Parameters
    ----------
    address : int or str
        The actor's address in its system, or the name by which to look it up when a message is sent.
    name : str, optional
        The actor's name.
    messenger : Messenger, optional
        What takes messages there when no actor sends them.
    """

    address: Address
    name: str | None = field(default=None, compare=False)
    messenger: Messenger | None = field(default=None, compare=False, repr=False)

    def tell(self, message: Any) -> None:
        """Send a message and go on; if it fails, a warning is logged.

        Raises
        ------
        TypeError
            If the message has a part that is no plain value.
        MailboxFull
            If too many messages wait for the actor (not in actors: there a warning is logged).
        """
        self._messenger().tell(self, message)

    def ask(self, message: Any) -> Future[Any]:
        """Send a message and return the future of its answer; not in an actor, which never waits.

        The future fails with an `ActorError` if the actor raises (it lives on) or is stopped, with an
        `ActorSystemError` if the system is closed before. Its callbacks must not wait for other answers.

        Raises
        ------
        TypeError
            If the message has a part that is no plain value.
        MailboxFull
            If too many messages wait for the actor.
        """
        return self._messenger().ask(self, message)

    def stop(self) -> None:
        """Let the actor end after the messages that wait for it now; it takes no other."""
        self._messenger().stop(self)

    def _messenger(self) -> Messenger:
        messenger = acting.get() or self.messenger
        if messenger is None:
            raise RuntimeError(
                f"{self} can only be reached from its system, or while an actor handles a message"
            )
        return messenger

    def __reduce__(self) -> tuple[Any, ...]:
        return ActorRef, (self.address, self.name)

    def __str__(self) -> str:
        return describe(self.address, self.name)


@dataclass(frozen=True)
class Down:
    """News that an actor is gone.

    Parameters
    ----------
    ref : ActorRef
        The actor.
    reason : str
        ``"stopped"``, or ``"closed"`` if it went with its system.
    """

    ref: ActorRef
    reason: str
