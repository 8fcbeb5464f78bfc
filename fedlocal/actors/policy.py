"""How a system supervises its workers: what it waits for, what it forgives, and what it protects."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Policy:
    """The limits of a system.

    Parameters
    ----------
    deadline : float, optional
        Seconds that an actor has for one message; then its worker is killed, and the message tried again.
    start_deadline : float, optional
        Seconds that a worker has to start.
    max_crashes : int
        How often a message may take its worker with it (an exit, a fatal signal, the deadline, no memory)
        before it fails.
    max_kills : int
        How often a message is tried again after somebody else killed its worker (SIGKILL, SIGTERM).
    max_starts : int
        How often in a row every worker may fail to start, with no message handled in between, before the
        system gives up.
    max_mailbox : int
        Messages that may wait for one actor.
    max_message : int
        Bytes of a message or a reply, without what travels in shared memory.
    memory_limit : int, optional
        Mebibytes of address space of a worker; beyond it, an actor's allocations raise ``MemoryError``.
    memory_watermark : int, optional
        Mebibytes of resident memory at which a worker is replaced, between two messages.
    """

    deadline: float | None = 3600.0
    start_deadline: float | None = 300.0
    max_crashes: int = 2
    max_kills: int = 100
    max_starts: int = 3
    max_mailbox: int = 1_000_000
    max_message: int = 1 << 30
    memory_limit: int | None = None
    memory_watermark: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_crashes", "max_kills", "max_starts", "max_mailbox", "max_message"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("deadline", "start_deadline", "memory_limit", "memory_watermark"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, or None for no limit, got {value}")
