"""What travels between a system and its spawned actors: messages, side effects, origins.

An `ActorMessage` is the body of an envelope. The side effects of a message (what the actor sent, spawned,
watched, stopped meanwhile) come back in the header of its reply, and what belongs to them behind the arrays
of the reply. An actor's origin (behaviour, arguments, name) goes to each worker that runs it once, as shared
content. Only origins are pickles, and only workers open them.
"""

import inspect
import json
import pickle
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

from fedlocal.actors.spawned.refs import ActorRef, Address
from fedlocal.actors.spawned.values import decode, encode
from fedlocal.memory.parts import Buffer, cut, join, raw

MAX_MAILBOX = 10_000
_HEAD = struct.Struct("!QB7x")  # number, kind; as long as the alignment of parts


class MessageKind(IntEnum):
    """What the sender of a message wants."""

    TELL = 0
    ASK = 1
    STOP = 2


@dataclass(frozen=True)
class ActorMessage:
    """One message to an actor."""

    number: int  # in the system; the same when it is handled again
    kind: MessageKind
    content: Buffer = b""  # as `pack_message` packs it; nothing if the actor is to stop

    def body(self) -> bytes:
        """Return the body of the envelope."""
        return b"".join((_HEAD.pack(self.number, self.kind), raw(self.content)))

    @staticmethod
    def of(body: bytes) -> "ActorMessage":
        """Return the message that a body holds."""
        number, kind = _HEAD.unpack_from(body)
        return ActorMessage(number, MessageKind(kind), memoryview(body)[_HEAD.size :])

    def read(self) -> tuple[Any, ActorRef | None]:
        """Return message and sender; arrays are read-only views."""
        *message, sender = cut(self.content)
        return decode(message), _sender(bytes(sender))


@lru_cache(maxsize=1024)
def _sender(packed: bytes) -> ActorRef | None:
    return ActorRef(*json.loads(packed)) if packed else None


def pack_message(message: Any, sender: ActorRef | None = None) -> bytes:
    """Pack a message and who sends it.

    Raises
    ------
    TypeError
        If the message has a part that is no plain value.
    """
    packed = json.dumps((sender.address, sender.name)).encode() if sender else b""
    return join([*encode(message), packed])


@dataclass(frozen=True)
class SideEffect:
    """Something that an actor did while it handled a message, to be done when its reply counts."""

    verb: str  # tell, spawn, monitor or stop
    target: Address
    name: str | None = None  # the target's, if it is known or is to have one
    max_mailbox: int = MAX_MAILBOX  # of an actor to spawn
    content: Buffer = b""  # a message as `pack_message` packs it, or the origin of an actor to spawn


def with_effects(effects: Sequence[SideEffect], arrays: Sequence[Buffer]) -> tuple[bytes, list[Buffer]]:
    """Return header and arrays of a reply with effects."""
    described = [(effect.verb, effect.target, effect.name, effect.max_mailbox) for effect in effects]
    header = json.dumps(described).encode() if described else b""
    return header, [*arrays, *(effect.content for effect in effects)]


def without_effects(header: bytes, arrays: Sequence[Buffer]) -> tuple[list[SideEffect], Sequence[Buffer]]:
    """Return the effects in a reply, and the reply's own arrays."""
    described = json.loads(header) if header else []
    first = len(arrays) - len(described)  # behind the arrays of the reply
    effects = [
        SideEffect(verb, target, name, max_mailbox, content)
        for (verb, target, name, max_mailbox), content in zip(described, arrays[first:], strict=True)
    ]
    return effects, arrays[:first]


def pack_origin(
    behaviour: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], name: str | None
) -> bytes:
    """Pack what makes an actor: by reference what can be imported, by value what a script defines.

    Raises
    ------
    TypeError
        If it is neither a class with a method `receive` nor a function, or does not take these arguments.
    """
    import cloudpickle  # many processes never need it

    if inspect.isclass(behaviour):
        if not callable(getattr(behaviour, "receive", None)):
            raise TypeError(f"{behaviour.__qualname__} needs a method receive(self, message, context)")
        if not behaviour.__dictoffset__ or any(map(_slots, behaviour.__mro__)):
            raise TypeError(f"{behaviour.__qualname__} keeps attributes in __slots__, not in __dict__")
        inspect.signature(behaviour).bind(*args, **kwargs)
    elif not callable(behaviour):
        raise TypeError(f"an actor's behaviour is a class or a function, not {behaviour!r}")
    elif args or kwargs:
        raise TypeError("a function has no state that could take arguments: spawn a class, or a partial")
    made = cloudpickle.dumps((behaviour, tuple(args), dict(kwargs)))
    return join([json.dumps(name).encode(), made])


def _slots(kind: type) -> set[str]:
    slots = vars(kind).get("__slots__", ())
    return {slots} if isinstance(slots, str) else {*slots} - {"__dict__", "__weakref__"}


def open_origin(packed: bytes) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str | None]:
    """Return behaviour, arguments, keyword arguments and name from an origin; for workers alone."""
    name, made = cut(packed)
    return *pickle.loads(made), json.loads(bytes(name))  # noqa: S301 - made by our own code from live objects
