"""The parent's side of spawned actors: who lives where under which name, and what waits for them.

It hands their messages to the engine and, when one has its result, does in one go what the actor did
meanwhile: the engine commits the actor's new state at the same moment. It knows nothing of workers.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from fedlocal.actors.batch import ActorSystemError
from fedlocal.actors.messages import Envelope, Failure, Reply, Result
from fedlocal.actors.spawned.actor_messages import (
    ActorMessage,
    MessageKind,
    SideEffect,
    pack_message,
    pack_origin,
    without_effects,
)
from fedlocal.actors.spawned.refs import CHILDREN, ActorError, ActorRef, Address, Down, MailboxFull, describe
from fedlocal.actors.spawned.transport import PostedMessage, Transport, settle
from fedlocal.actors.spawned.values import decode
from fedlocal.memory.buffers import Broadcast
from fedlocal.memory.parts import Buffer

MAX_LOGGED = 100  # lost messages of one system
_log = logging.getLogger("fedlocal.actors")


@dataclass
class _Actor:
    """What the registry knows of an actor; watchers are futures, and addresses of actors."""

    address: int
    ref: ActorRef
    origin: Broadcast
    max_mailbox: int
    waiting: int = 0
    stopping: bool = False
    watchers: list[Future[Down] | int] = field(default_factory=list)


class ActorRegistry:
    """The spawned actors of one system; for any thread."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.RLock()  # a transport that is closed settles at once
        self._actors: dict[int, _Actor] = {}
        self._names: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._dead_letters = 0
        self._undelivered = 0
        self._closed = False

    def spawn(
        self,
        behaviour: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        name: str | None,
        max_mailbox: int,
    ) -> ActorRef:
        """Create an actor."""
        if max_mailbox < 1:
            raise ValueError(f"max_mailbox must be at least 1, got {max_mailbox}")
        made = pack_origin(behaviour, args, kwargs, name)
        try:
            return self._add(next(self._numbers) << CHILDREN, name, max_mailbox, made)
        except ActorError as error:
            raise ValueError(str(error)) from None

    def find(self, name: str) -> ActorRef:
        """Return the actor of this name."""
        with self._lock:
            if name not in self._names:
                names = ", ".join(map(repr, self._names)) or "none"
                raise LookupError(f"no actor is named {name!r}; names are {names}")
            return self._actors[self._names[name]].ref

    def monitor(self, ref: ActorRef) -> Future[Down]:
        """Return the future of an actor's end."""
        news: Future[Down] = Future()
        self._watch(ref.address, news)
        return news

    def tell(self, ref: ActorRef, message: Any) -> None:
        """Send a message that nobody waits for."""
        self._from_outside(ref, MessageKind.TELL, message, None)

    def ask(self, ref: ActorRef, message: Any) -> Future[Any]:
        """Send a message and return the future of its answer."""
        answer: Future[Any] = Future()
        self._from_outside(ref, MessageKind.ASK, message, answer)
        return answer

    def stop(self, ref: ActorRef) -> None:
        """Let an actor end after the messages that wait for it."""
        self._check_open()
        self._stop(ref.address)
        self._transport.carry_on()

    def close(self) -> None:
        """Tell those who watch actors that these are gone; the engine has ended before."""
        with self._lock:
            self._closed = True
            gone, self._actors = self._actors, {}
            self._names.clear()
            undelivered, self._undelivered = self._undelivered, 0
        if undelivered:
            _log.warning("%d messages waited for actors when their system ended", undelivered)
        for actor in gone.values():
            for watcher in actor.watchers:
                if isinstance(watcher, Future):
                    settle(watcher, Down(actor.ref, "closed"))

    # Actors --------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise ActorSystemError("the actor system is closed")

    def _living(self, address: Address) -> _Actor | None:
        number = self._names.get(address) if isinstance(address, str) else address
        return self._actors.get(number) if number is not None else None

    def _add(self, address: int, name: str | None, max_mailbox: int, made: bytes) -> ActorRef:
        with self._lock:
            self._check_open()
            if name is not None:
                if name in self._names:
                    raise ActorError(describe(name), "name", "another actor has this name")
                self._names[name] = address
            ref = ActorRef(address, name, self)
            self._actors[address] = _Actor(address, ref, Broadcast(made, ()), max_mailbox)
        return ref

    def _stop(self, address: Address) -> None:
        with self._lock:
            actor = self._living(address)
            if actor is None or actor.stopping:
                return
            actor.stopping = True
            if actor.ref.name is not None:
                del self._names[actor.ref.name]
            self._send(actor, MessageKind.STOP, ActorMessage(next(self._numbers), MessageKind.STOP).body())

    def _forget(self, actor: _Actor) -> None:
        with self._lock:
            self._actors.pop(actor.address, None)
        self._transport.release(actor.origin)
        for watcher in actor.watchers:
            self._inform(watcher, Down(actor.ref, "stopped"))

    def _watch(self, address: Address, watcher: Future[Down] | int) -> None:
        with self._lock:
            actor = self._living(address)
            if actor:
                actor.watchers.append(watcher)
                return
        ref = ActorRef(address, messenger=self)
        self._inform(watcher, Down(ref, "closed" if self._closed else "stopped"))

    def _inform(self, watcher: Future[Down] | int, news: Down) -> None:
        if isinstance(watcher, Future):
            settle(watcher, news)
        elif watcher in self._actors:
            self._do(SideEffect("tell", watcher, content=pack_message(news)))

    # Messages ------------------------------------------------------------------------------------------

    def _from_outside(
        self, ref: ActorRef, kind: MessageKind, message: Any, answer: Future[Any] | None
    ) -> None:
        content = pack_message(message)
        try:
            self._post(ref, kind, content, answer)
        except MailboxFull:
            raise
        except ActorError as error:
            self._failed(answer, error.with_traceback(None))  # its frames would hold the answer, and that it
        self._transport.carry_on()

    def _post(
        self, ref: ActorRef, kind: MessageKind, content: Buffer, answer: Future[Any] | None = None
    ) -> None:
        body = ActorMessage(next(self._numbers), kind, content).body()
        with self._lock:
            self._check_open()
            actor = self._living(ref.address)
            if actor is None or actor.stopping:
                raise ActorError(str(ref), "stopped", "there is no such actor, or no longer")
            if actor.waiting >= actor.max_mailbox:
                raise MailboxFull(str(ref), "mailbox", f"{actor.waiting} messages wait for it already")
            self._send(actor, kind, body, answer)

    def _send(self, actor: _Actor, kind: MessageKind, body: bytes, answer: Future[Any] | None = None) -> None:
        actor.waiting += 1
        envelope = Envelope(actor.address, body, actor.origin)
        self._transport.deliver(
            PostedMessage(envelope, lambda result: self._settled(actor, kind, answer, result))
        )

    def _settled(
        self, actor: _Actor, kind: MessageKind, answer: Future[Any] | None, result: Result | ActorSystemError
    ) -> None:
        """Do what follows from a message's result, in the engine's thread."""
        with self._lock:
            actor.waiting -= 1
        error: Exception | None = None
        if isinstance(result, Reply):
            error = self._replied(actor, answer, result)
        elif isinstance(result, Failure):
            error = ActorError(str(actor.ref), result.cause, result.reason, result.traceback)
        else:
            error = result
        if error:
            self._failed(answer, error)
        if kind is MessageKind.STOP and not isinstance(result, ActorSystemError):
            self._forget(actor)

    def _replied(self, actor: _Actor, answer: Future[Any] | None, reply: Reply) -> ActorError | None:
        try:  # what a worker sends is data, and may be anything
            effects, arrays = without_effects(reply.wire.header, reply.wire.arrays)
            value = decode([reply.wire.body, *arrays], messenger=self) if answer else None
            for effect in effects:
                self._do(effect, actor.address)
        except Exception as error:  # noqa: BLE001
            return ActorError(str(actor.ref), "protocol", f"its worker sent no valid reply: {error!r}")
        if answer:
            settle(answer, value)
        return None

    def _failed(self, answer: Future[Any] | None, error: Exception) -> None:
        if answer:
            settle(answer, error)
        elif isinstance(error, ActorError):
            self._dead_letter(error)
        else:
            self._undelivered += 1

    def _do(self, effect: SideEffect, actor: int = 0) -> None:
        """Do what an actor did while it handled a message; nobody waits who could be told of an error."""
        try:
            if effect.verb == "tell":
                self._post(ActorRef(effect.target, effect.name), MessageKind.TELL, effect.content)
            elif effect.verb == "spawn" and isinstance(effect.target, int):
                self._add(effect.target, effect.name, effect.max_mailbox, bytes(effect.content))
            elif effect.verb == "monitor":
                self._watch(effect.target, actor)
            elif effect.verb == "stop":
                self._stop(effect.target)
        except ActorError as error:
            self._dead_letter(error)
        except ActorSystemError:
            self._undelivered += 1

    def _dead_letter(self, error: ActorError) -> None:
        self._dead_letters += 1
        if self._dead_letters <= MAX_LOGGED:
            _log.warning("a message was lost: %s", str(error))  # a handler may keep it; not its frames
        if self._dead_letters == MAX_LOGGED:
            _log.warning("further lost messages are not logged")
