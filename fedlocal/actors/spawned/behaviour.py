"""What workers run for spawned actors: live objects, their attributes as state, the context they act in."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NoReturn

from fedlocal.actors.messages import Wire
from fedlocal.actors.spawned.actor_messages import (
    MAX_MAILBOX,
    ActorMessage,
    MessageKind,
    SideEffect,
    open_origin,
    pack_message,
    pack_origin,
    with_effects,
)
from fedlocal.actors.spawned.aliasing import is_held_elsewhere, shared_with
from fedlocal.actors.spawned.refs import CHILDREN, ActorRef, acting
from fedlocal.actors.spawned.values import decode, encode, encode_state, same
from fedlocal.memory.parts import Buffer, cut, join

MAX_LIVE = 1 << 14  # objects that a worker keeps; others are made again from their state


class Context:
    """What an actor may do while it handles a message; it takes effect with the reply, or not at all.

    Parameters
    ----------
    ref : ActorRef
        The actor's reference to itself.
    sender : ActorRef, optional
        The actor that sent the message.
    number : int
        The message's number.

    Attributes
    ----------
    self : ActorRef
        The actor's reference to itself.
    sender : ActorRef or None
        The actor that sent the message, None if it came from outside.
    """

    def __init__(self, ref: ActorRef, sender: ActorRef | None, number: int) -> None:
        self.self, self.sender = ref, sender
        self.effects: list[SideEffect] = []
        self._last_address = number << CHILDREN  # the same when the message is handled again

    def spawn(
        self,
        behaviour: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        max_mailbox: int = MAX_MAILBOX,
        **kwargs: Any,
    ) -> ActorRef:
        """Create an actor; see :meth:`ActorSystem.spawn`. If its name is taken, a warning is logged."""
        made = pack_origin(behaviour, args, kwargs, name)
        self._last_address += 1
        self.effects.append(SideEffect("spawn", self._last_address, name, max_mailbox, made))
        return ActorRef(self._last_address, name)

    def find(self, name: str) -> ActorRef:
        """Return a reference to the actor that has this name when a message to it is sent."""
        return ActorRef(name, name)

    def monitor(self, ref: ActorRef) -> None:
        """Have a `Down` message sent to this actor when that one is gone, at once if it is."""
        self.effects.append(SideEffect("monitor", ref.address))

    def stop(self, ref: ActorRef | None = None) -> None:
        """Let an actor, by default this one, end after the messages that wait for it now."""
        self.effects.append(SideEffect("stop", (ref or self.self).address))

    def tell(self, ref: ActorRef, message: Any) -> None:
        """Send a message from this actor; the same as ``ref.tell(message)``."""
        self.effects.append(
            SideEffect("tell", ref.address, ref.name, content=pack_message(message, self.self))
        )

    def ask(self, ref: ActorRef, message: Any) -> Future[Any]:  # noqa: ARG002
        """Refuse: an actor never waits."""
        return _refuse(ref)


def _refuse(ref: ActorRef) -> NoReturn:
    raise RuntimeError(
        f"an actor never waits: tell {ref} what you need, and let it answer with context.sender.tell(...)"
    )


@dataclass
class _Live:
    """An actor's object, and the state that it is in."""

    receive: Callable[[Any, Context], Any]
    attributes: dict[str, Any] | None
    name: str | None
    state: bytes

    @staticmethod
    def make(packed: bytes, state: bytes) -> "_Live":
        """Make the object by its constructor, then set its attributes to the state's."""
        behaviour, args, kwargs, name = open_origin(packed)
        if not isinstance(behaviour, type):
            return _Live(behaviour, None, name, state)
        actor = behaviour(*args, **kwargs)
        attributes = actor.__dict__
        if state:
            for key in _public(attributes):
                del attributes[key]
            attributes.update(decode(cut(state), writable=True))
        return _Live(actor.receive, attributes, name, state)

    def new_state(self) -> bytes:
        """Return the state that the object is in now, ``b""`` for a function."""
        if self.attributes is None:
            return b""
        try:
            parts, mutable = encode_state(_public(self.attributes), "vars(self)")
        except TypeError as error:
            raise TypeError(f"{error}; an attribute whose name starts with _ need not be plain") from None
        state = self.state if self.state and same(parts, cut(self.state)) else join(parts)
        del parts  # they hold arrays
        self._refuse_shared(mutable)
        return state

    def _refuse_shared(self, mutable: dict[int, tuple[Any, int]]) -> None:
        """Refuse state that something else changes too: made anew elsewhere, the two would be apart."""
        if self.attributes is None or not is_held_elsewhere(mutable):
            return
        private = {key: value for key, value in self.attributes.items() if key.startswith("_")}
        kinds = type(getattr(self.receive, "__self__", None)).__mro__
        shared = {f"{kind.__name__}.{key}": value for kind in kinds for key, value in vars(kind).items()}
        if path := shared_with(mutable, private | shared):
            raise TypeError(
                f"vars(self) shares what is in {path} with it, which is made anew in each worker: there the "
                "two would come apart. Copy it, or have both in attributes that start without _, or both with"
            )


def _public(attributes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if not key.startswith("_")}


class SpawnedBehaviour:
    """The behaviour of a system whose actors are spawned, each with a behaviour of its own.

    The message's header is the actor's origin, its body an `ActorMessage`. An object stays alive in a worker
    as long as its state is the one the actor is in; after an exception it is made again.
    """

    def __init__(self) -> None:
        self._live: dict[int, _Live] = {}  # the least recent first

    def handle(self, actor: int, message: Wire, state: bytes) -> tuple[Wire, bytes]:
        """Handle one message."""
        received = ActorMessage.of(message.body)
        live = self._live.pop(actor, None)
        if received.kind is MessageKind.STOP:
            return Wire(), b""
        if live is None or live.state != state:
            live = _Live.make(message.header, state)
        content, sender = received.read()
        context = Context(ActorRef(actor, live.name), sender, received.number)
        token = acting.set(context)
        try:
            answer = live.receive(content, context)
        finally:
            acting.reset(token)
        parts: list[Buffer] = encode(answer, "reply") if received.kind is MessageKind.ASK else [b""]
        live.state = live.new_state()
        self._keep(actor, live)
        header, arrays = with_effects(context.effects, parts[1:])
        return Wire(header, bytes(parts[0]), arrays), live.state

    def _keep(self, actor: int, live: _Live) -> None:
        if len(self._live) >= MAX_LIVE:
            del self._live[next(iter(self._live))]
        self._live[actor] = live
