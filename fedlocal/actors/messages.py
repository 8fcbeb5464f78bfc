"""The plain values that actors exchange, and the interface of their behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from fedlocal.memory.buffers import Broadcast
from fedlocal.memory.parts import Buffer


@dataclass(frozen=True)
class Wire:
    """A message as it travels: bytes and buffers, never pickles.

    Parameters
    ----------
    header : bytes
        What many messages have in common; sent to a worker once.
    body : bytes
        What belongs to this message alone.
    arrays : sequence of buffers
        Raw C-contiguous bytes, out of band. Their names, shapes and dtypes are the sender's business and
        stand in the header or the body.
    """

    header: bytes = b""
    body: bytes = b""
    arrays: Sequence[Buffer] = ()


@dataclass(frozen=True)
class Envelope:
    """A message addressed to an actor.

    Parameters
    ----------
    actor : int
        The actor's address.
    body : bytes
        What belongs to this message alone.
    content : Broadcast, optional
        What this message shares with others, from :meth:`ActorSystem.share`.
    cost : float
        Expected work in any unit; the longest goes first.
    reply_bytes : int
        Expected size of the reply's arrays in bytes, for which a slot of shared memory is set aside.
    """

    actor: int
    body: bytes = b""
    content: Broadcast | None = None
    cost: float = 0.0
    reply_bytes: int = 0


@dataclass(frozen=True)
class Reply:
    """An actor's answer, with the times of its handling (``time.perf_counter`` seconds) and its worker."""

    actor: int
    wire: Wire
    started: float
    ended: float
    worker: int


@dataclass(frozen=True)
class Failure:
    """Why a message has no answer.

    Parameters
    ----------
    actor : int
        The actor's address.
    cause : str
        ``exception`` (the actor raised), ``timeout`` (nobody waits any more), ``crash`` and ``deadline``
        (it brought its worker down, or to a halt, too often), ``killed`` (somebody else killed its workers
        too often), ``size`` and ``mailbox`` (too large, or one too many), ``stopped`` (the actor is no more),
        ``unavailable`` (no worker can start).
    reason : str
        One line for people.
    traceback : str
        The actor's traceback, if it raised.
    """

    actor: int
    cause: str
    reason: str
    traceback: str = field(default="", repr=False)


Result = Reply | Failure
Outcome = tuple[Wire, bytes]
"""A reply and the actor's new state."""


class Behaviour(Protocol):
    """What the actors of a system do; one object per worker serves all actors that run there."""

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        """Handle one message.

        Parameters
        ----------
        actor : int
            The actor it is for.
        message : Wire
            The message; its arrays are read-only views of memory that may vanish after the reply.
        state : bytes
            The actor's state as its last handled message left it, ``b""`` at first.

        Returns
        -------
        tuple of Wire and bytes
            The reply and the actor's new state. They take effect together.
        """
        ...


@dataclass(frozen=True)
class ActorRequest:
    """One message, as the actor it is for receives it: the arguments of :meth:`Behaviour.handle`."""

    actor: int
    message: Wire
    state: bytes


@runtime_checkable
class Stacking(Behaviour, Protocol):
    """A behaviour that is faster with several messages at once, and replies to each as if it were alone."""

    def stack_size(self, requests: Sequence[ActorRequest]) -> int:
        """Return how many of these waiting messages, from the first on, are to be handled at once."""
        ...

    def handle_stack(self, requests: Sequence[ActorRequest]) -> Sequence[Outcome]:
        """Handle messages for different actors; return a reply and a new state for each.

        If it raises, each message is handled alone.
        """
        ...
