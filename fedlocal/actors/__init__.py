"""Local actors: many addressable units with state of their own, run by a few worker processes.

Spawn actors with :meth:`ActorSystem.spawn`, talk to them through an :class:`ActorRef`. Below that, an engine
runs one behaviour of bytes for all actors of a system: Flower's clients use it directly.

This room knows nothing of Flower, data or learning: it moves messages of bytes. Its guarantees and process
rules are written where they are kept: delivery in :mod:`~fedlocal.actors.delivery`, workers in
:mod:`~fedlocal.actors.crew`, the wire format in :mod:`~fedlocal.actors.wire`, shared memory in
:mod:`~fedlocal.actors.memory`; what happened to whom, in :mod:`~fedlocal.actors.journal`.
"""

from fedlocal.actors.audit import Audit, audit
from fedlocal.actors.batch import ActorSystemError, Batch, System
from fedlocal.actors.deaths import Death
from fedlocal.actors.inline import InlineSystem
from fedlocal.actors.memory import Broadcast, Buffer, raw
from fedlocal.actors.messages import (
    Behaviour,
    Envelope,
    Failure,
    Outcome,
    Reply,
    Request,
    Result,
    Stacking,
    Wire,
)
from fedlocal.actors.policy import Policy
from fedlocal.actors.processes import warm_up
from fedlocal.actors.refs import ActorError, ActorRef, Down, MailboxFull
from fedlocal.actors.shared import SharedArray
from fedlocal.actors.spawned import Context
from fedlocal.actors.staffing import Staffing
from fedlocal.actors.system import ActorSystem
from fedlocal.actors.text import readable
from fedlocal.actors.threads import one_thread, threads, usable_cores

__all__ = [
    "ActorError",
    "ActorRef",
    "ActorSystem",
    "ActorSystemError",
    "Audit",
    "Batch",
    "Behaviour",
    "Broadcast",
    "Buffer",
    "Context",
    "Death",
    "Down",
    "Envelope",
    "Failure",
    "InlineSystem",
    "MailboxFull",
    "Outcome",
    "Policy",
    "Reply",
    "Request",
    "Result",
    "SharedArray",
    "Stacking",
    "Staffing",
    "System",
    "Wire",
    "audit",
    "one_thread",
    "raw",
    "readable",
    "threads",
    "usable_cores",
    "warm_up",
]
