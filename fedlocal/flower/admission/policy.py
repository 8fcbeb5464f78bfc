"""Admission of replies: a bad reply is that client's error, never the run's.

What is admitted at all is decided by the codec: bytes that do not parse, hold objects, or are not as many as
they claim are no reply. Flower's strategies check little of the rest: neither dtypes nor finiteness nor
weights. A policy turns such replies into errors: :class:`~fedlocal.flower.admission.strict.Strict` admits
what a `Declaration` says, :class:`~fedlocal.flower.admission.structural.Structural` all within budgets.

Each reply is judged alone, so that no verdict depends on other replies or on their order: arrays are
averaged while other clients still train, and are not taken back. Metrics that only some clients send are
no error: they are left out of what is aggregated (`fedlocal.flower.server.metrics`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from flwr.app import ArrayRecord, Error, Message

from fedlocal.actors import readable
from fedlocal.flower.compat.private import CLIENT_APP_RAISED, replacement
from fedlocal.flower.node.client_runner import partition_of

WEIGHT = "num-examples"
ARRAYS, VECTORS, METRICS = "arrays", "vectors", "metrics"  # the records of declared replies

PolicyName = Literal["strict", "structural"]


@dataclass(frozen=True)
class Declaration:
    """What a client sends back when it is asked to train.

    Parameters
    ----------
    losses : tuple of str
        Metrics that every reply has, finite and at least 0: strategies compute with them, as q-FedAvg does,
        and where a loss is not finite, training has diverged. Other metrics may be NaN.
    vectors : mapping of str to int
        Further vectors and their sizes, float32[size], in an array record ``vectors``.
    weighted_by : str
        The metric that the strategy takes for the weight of a reply: a finite number above 0.
    visits_all_rows : bool
        Whether a reply says that all rows of the partition were visited in each local epoch.
    records : bool
        Whether a reply is an array record ``arrays`` like the one sent, a metric record ``metrics`` and
        nothing else. If not, it may have any records, whose arrays are like those of any that was sent.
    policy : {"strict", "structural"}
        Whether replies are held to this declaration, or to budgets alone.
    """

    losses: tuple[str, ...] = ()
    vectors: Mapping[str, int] = field(default_factory=dict)
    weighted_by: str = WEIGHT
    visits_all_rows: bool = False
    records: bool = True
    policy: PolicyName = "strict"


AS_SENT = Declaration(records=False)
"""Of any app: arrays like those that were sent, all else within budgets."""


class Admission(Protocol):
    """Replaces bad replies by errors that say why, and leaves out replies of clients without rows."""

    @property
    def uniform(self) -> bool:
        """Whether admitted arrays are finite and like those sent: only such are averaged as they come."""

    def structure(self, replies: Sequence[Message], *sent: ArrayRecord) -> list[Message]:
        """Judge replies to training, all but the values of their arrays, by the arrays that were sent."""

    def values(self, replies: Sequence[Message]) -> list[Message]:
        """Judge the values of the arrays of replies whose structure was admitted; no reply is left out."""

    def evaluation(self, replies: Sequence[Message]) -> list[Message]:
        """Judge replies to all else than training."""


def replace_faulty(replies: Sequence[Message], fault: Callable[[Message], str | None]) -> list[Message]:
    """Return replies, each that has a fault replaced by an error that names it."""
    return [reply if reply.has_error() else _verdict(reply, fault(reply)) for reply in replies]


def _verdict(reply: Message, fault: str | None) -> Message:
    if fault is None:
        return reply
    partition = partition_of(reply.metadata.src_node_id)
    return replacement(reply, None, Error(CLIENT_APP_RAISED, readable(f"client {partition}: {fault}")))
