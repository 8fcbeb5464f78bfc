"""Spawned actors, as the users of a system see them."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from fedlocal.actors.spawned.actor_messages import MAX_MAILBOX
from fedlocal.actors.spawned.refs import ActorRef, Down
from fedlocal.actors.spawned.registry import ActorRegistry


class Spawner:
    """What every system offers that was made without a behaviour for all its actors."""

    _registry: ActorRegistry | None

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
