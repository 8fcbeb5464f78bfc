"""Local actors: many addressable units with state of their own, run by a few worker processes.

Spawn actors with :meth:`ActorSystem.spawn`, talk to them through an :class:`ActorRef`. Below that, an engine
runs one behaviour of bytes for all actors of a system: Flower's clients use it directly.

This room knows nothing of Flower, data or learning: it moves messages of bytes. Its guarantees and process
rules are written where they are kept: delivery in :mod:`~fedlocal.actors.engine.delivery`, workers in
:mod:`~fedlocal.actors.engine.worker_pool`, the wire format in :mod:`~fedlocal.actors.worker.frames`,
shared memory in :mod:`~fedlocal.memory.buffers`, the record of events in
:mod:`~fedlocal.actors.engine.journal`.
"""

from fedlocal.actors.base import System
from fedlocal.actors.batch import ActorSystemError, Batch
from fedlocal.actors.engine.audit import Audit, audit
from fedlocal.actors.engine.autoscaling import Autoscaler
from fedlocal.actors.engine.exit_causes import WorkerExit
from fedlocal.actors.inline import InlineSystem
from fedlocal.actors.messages import (
    ActorRequest,
    Behaviour,
    Envelope,
    Failure,
    Outcome,
    Reply,
    Result,
    Stacking,
    Wire,
)
from fedlocal.actors.policy import Policy
from fedlocal.actors.spawned.behaviour import Context
from fedlocal.actors.spawned.refs import ActorError, ActorRef, Down, MailboxFull
from fedlocal.actors.system import ActorSystem
from fedlocal.actors.text import readable
from fedlocal.actors.worker.processes import warm_up
from fedlocal.actors.worker.threads import one_thread, threads, usable_cores
from fedlocal.memory.buffers import Broadcast
from fedlocal.memory.parts import Buffer, raw
from fedlocal.memory.shared_array import SharedArray

__all__ = [
    "ActorError",
    "ActorRef",
    "ActorRequest",
    "ActorSystem",
    "ActorSystemError",
    "Audit",
    "Autoscaler",
    "Batch",
    "Behaviour",
    "Broadcast",
    "Buffer",
    "Context",
    "Down",
    "Envelope",
    "Failure",
    "InlineSystem",
    "MailboxFull",
    "Outcome",
    "Policy",
    "Reply",
    "Result",
    "SharedArray",
    "Stacking",
    "System",
    "Wire",
    "WorkerExit",
    "audit",
    "one_thread",
    "raw",
    "readable",
    "threads",
    "usable_cores",
    "warm_up",
]
