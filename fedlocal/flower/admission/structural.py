"""The policy for any app: a reply within budgets is admitted."""

from collections.abc import Sequence
from dataclasses import dataclass

from flwr.app import Array, ArrayRecord, Message

from fedlocal.flower.admission.policy import replace_faulty
from fedlocal.flower.messages.arrays import LocalArray
from fedlocal.flower.node.client_runner import MAX_REPLY


@dataclass(frozen=True)
class Structural:
    """Admits whatever an app sends, since trees, masked sums and answers to queries have no form in common.

    That a reply parses, holds no objects, and has the bytes that it declares is the codec's promise. Values
    are the app's own business.

    Parameters
    ----------
    max_bytes : int
        The size of a reply's arrays, metrics and configuration values together.
    max_records, max_arrays, max_values : int
        How many records, arrays, and metrics or configuration values a reply may have; those in lists count.
    """

    max_bytes: int = MAX_REPLY
    max_records: int = 1000
    max_arrays: int = 100_000
    max_values: int = 1_000_000

    uniform = False

    def structure(self, replies: Sequence[Message], *sent: ArrayRecord) -> list[Message]:  # noqa: ARG002
        """Replace replies that exceed a budget."""
        return self.evaluation(replies)

    def values(self, replies: Sequence[Message]) -> list[Message]:
        """Admit all."""
        return list(replies)

    def evaluation(self, replies: Sequence[Message]) -> list[Message]:
        """Replace replies that exceed a budget."""
        return replace_faulty(replies, self._fault)

    def _fault(self, reply: Message) -> str | None:
        arrays = values = size = 0
        for record in reply.content.values():
            if isinstance(record, ArrayRecord):
                arrays += len(record)
                size += sum(map(_array_bytes, record.values()))
            else:
                items = [item for value in record.values() for item in _items(value)]
                values += len(items)
                size += sum(len(item) if isinstance(item, str | bytes) else 8 for item in items)
        for what, number, most in (
            ("records", len(reply.content), self.max_records),
            ("arrays", arrays, self.max_arrays),
            ("values", values, self.max_values),
            ("bytes", size, self.max_bytes),
        ):
            if number > most:
                return f"a reply may have {most} {what}, this one has {number}"
        return None


def _array_bytes(array: Array) -> int:
    return array.ndarray.nbytes if isinstance(array, LocalArray) else len(array.data)


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]
