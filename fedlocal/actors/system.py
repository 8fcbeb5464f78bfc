"""The actor system, as its users see it: thread-safe, and gone when it is closed.

Every message ends in exactly one result, a reply or a failure, in the order in which messages were posted,
whatever the order of completion. Per actor: first in, first out, one message in flight. A worker that dies is
replaced, and the message that it handled tried again from the state that its actor had before.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from os import PathLike
from types import TracebackType

from fedlocal.actors.base import System
from fedlocal.actors.batch import Batch
from fedlocal.actors.engine.exit_causes import WorkerExit
from fedlocal.actors.engine.journal import Journal
from fedlocal.actors.engine.supervisor import Supervisor
from fedlocal.actors.messages import Behaviour
from fedlocal.actors.policy import Policy
from fedlocal.actors.spawned.behaviour import SpawnedBehaviour
from fedlocal.actors.spawned.registry import ActorRegistry
from fedlocal.actors.worker.threads import usable_cores
from fedlocal.compat.cpython import Finalize
from fedlocal.memory.buffers import Broadcast
from fedlocal.memory.parts import Buffer

STUCK = 2.0  # more seconds that the end of a system takes, unless a worker is just being started
GRACE = 5.0  # seconds that a busy worker has to finish before it is killed at an orderly stop


_DEFAULT = Policy()


def _ignore(_: WorkerExit) -> None:
    pass


class ActorSystem(System):
    """Actors run by worker processes: spawned ones, or those of one behaviour that `start` builds.

    Parameters
    ----------
    start : callable, optional
        Builds the one behaviour of actors 0, 1, 2, …, once in each worker. It must pickle by reference to an
        importable module. Without it, actors are spawned, each with a behaviour of its own.
    workers : int, optional
        Number of worker processes, at least 1; by default one for each usable core.
    method : {"forkserver", "spawn"}, optional
        How processes start; by default the first that this platform has.
    policy : Policy, optional
        Deadlines, retries and limits.
    journal : path-like, optional
        A file to which every message's and worker's fate is appended (:mod:`fedlocal.actors.engine.journal`).
    on_death : callable, optional
        Called in the supervisor's thread with each worker that ends unasked: it must return soon.

    Raises
    ------
    ActorSystemError
        If no worker can start; a traceback is in the message.

    Examples
    --------
    >>> with ActorSystem() as system:  # doctest: +SKIP
    ...     counter = system.spawn(Counter, name="counter")
    ...     counter.ask(1).result()
    1

    >>> with ActorSystem(Echo, workers=2) as system:  # doctest: +SKIP
    ...     [reply.wire.body for reply in system.ask([Envelope(0, b"hello"), Envelope(1, b"world")])]
    [b'hello', b'world']
    """

    def __init__(
        self,
        start: Callable[[], Behaviour] | None = None,
        *,
        workers: int | None = None,
        method: str | None = None,
        policy: Policy = _DEFAULT,
        journal: "str | PathLike[str] | None" = None,
        on_death: Callable[[WorkerExit], None] = _ignore,
    ) -> None:
        self.workers = _check(usable_cores() if workers is None else workers)
        self._supervisor = Supervisor(
            start or SpawnedBehaviour, self.workers, method, policy, Journal(journal), on_death
        )
        self._registry = ActorRegistry(self._supervisor) if start is None else None
        # A forgotten system ends with its last reference, or before multiprocessing waits for its processes.
        self._finalizer = Finalize(self, _stop, args=(self._supervisor, self._registry, 0.0), exitpriority=10)
        try:
            self._supervisor.ready.wait()
        except BaseException:
            self.close(grace=0)
            raise
        if self._supervisor.error:
            self.close(grace=0)
            raise self._supervisor.error

    def share(self, header: bytes, arrays: Sequence[Buffer]) -> Broadcast:
        """Make content that many messages can name; each worker receives it once."""
        return Broadcast(header, arrays)

    def release(self, content: Broadcast) -> None:
        """Give shared content back."""
        self._supervisor.release(content)

    def deliver(self, batch: Batch) -> None:
        """Hand messages to the supervisor."""
        self._supervisor.deliver(batch)

    def withdraw(self, batch: Batch, reason: str) -> None:
        """Give up on the messages that have no result yet; what their actors may still answer is dropped."""
        supervisor = self._supervisor
        if not supervisor.call(lambda: supervisor.withdraw(batch, reason)):
            batch.fail(supervisor.why_closed)
        batch.wait()

    def states(self) -> dict[int, bytes]:
        """Return the states of all actors that have one."""
        supervisor, states = self._supervisor, Future[dict[int, bytes]]()
        if not supervisor.call(lambda: states.set_result(dict(supervisor.delivery.states))):
            raise supervisor.why_closed
        return states.result()

    def restore(self, states: Mapping[int, bytes]) -> None:
        """Set the states of actors that have not handled a message yet."""
        delivery = self._supervisor.delivery
        self._supervisor.call(lambda: delivery.restore(states))

    def retire(self, actor: int) -> None:
        """Let an actor go: what waits for it fails, what it handles is finished, its state is forgotten."""
        delivery = self._supervisor.delivery
        self._supervisor.call(lambda: delivery.retire(actor))

    def resize(self, workers: int) -> None:
        """Have this many workers from now on; those that go finish what they hold, and nothing is lost."""
        self.workers, pool = _check(workers), self._supervisor.pool
        self._supervisor.call(lambda: pool.resize(workers))

    def processes(self) -> list[int]:
        """Return the process numbers of the workers that live now."""
        pool, numbers = self._supervisor.pool, Future[list[int]]()
        if not self._supervisor.call(lambda: numbers.set_result(pool.processes())):
            return []
        return numbers.result()

    def close(self, grace: float = GRACE) -> None:
        """End the workers: idle ones at once, busy ones after `grace` seconds. May be called twice."""
        self._finalizer.cancel()
        _stop(self._supervisor, self._registry, grace)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(grace=0 if error else GRACE)


def _check(workers: int) -> int:
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    return workers


def _stop(supervisor: Supervisor, registry: ActorRegistry | None, grace: float) -> None:
    supervisor.call(lambda: supervisor.stop(grace))
    supervisor.thread.join(grace + STUCK)
    if supervisor.thread.is_alive():
        supervisor.hurry()
        supervisor.thread.join()
    if registry:
        registry.close()
