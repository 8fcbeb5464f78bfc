"""What a strategy does in a round, with all that it draws from seeded, and what it gives checked."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from fedlocal.flower.admission.policy import AS_SENT, Admission
from fedlocal.flower.admission.strict import Strict, is_finite
from fedlocal.flower.messages.arrays import ndarrays
from fedlocal.flower.node.seeding import seeded
from fedlocal.flower.server.metrics import is_useful, numbers, with_common_metrics
from fedlocal.flower.server.reply_mean import ReplyMean
from fedlocal.flower.server.untrained_arrays import separate_untrained, with_dtypes
from fedlocal.seeds import Stream, generator

Arrays = Mapping[str, NDArray[Any]]
Phase = Literal["train", "evaluate"]

STEPS = "configure_train", "configure_evaluate", "aggregate_train", "aggregate_evaluate"
"""What a strategy does in a round. The order is part of every result: never change it."""


class QuorumError(RuntimeError):
    """A round gives no model: too few clients replied, or the strategy makes none of their replies."""


@dataclass(frozen=True)
class StrategySteps:
    """A strategy in its rounds.

    Parameters
    ----------
    strategy : Strategy
        Any of Flower's message-API strategies.
    seed : int
        Of all that it draws from global generators: nodes from Python's, noise from NumPy's.
    admission : Admission
        Has judged the replies.
    untrained : collection of str
        Arrays that no gradient moves (`fedlocal.flower.server.untrained_arrays`).
    """

    strategy: Strategy
    seed: int
    admission: Admission
    untrained: Collection[str]

    def configure(
        self, phase: Phase, number: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> list[Message]:
        """Return what the strategy asks clients in a phase of a round."""
        configure = getattr(self.strategy, f"configure_{phase}")
        with self._seeded(f"configure_{phase}", number):
            return list(configure(number, arrays, config, grid))  # it may draw as it is read

    def aggregate_train(
        self, number: int, replies: Sequence[Message], sent: ArrayRecord, mean: ReplyMean | None
    ) -> tuple[dict[str, NDArray[Any]], MetricRecord | None]:
        """Aggregate replies to training, at least one of them good.

        Parameters
        ----------
        number : int
            The round's number.
        replies : sequence of Message
            Replies and errors, sorted by node.
        sent : ArrayRecord
            The global model that clients were sent.
        mean : ReplyMean, optional
            Has the arrays of the replies, if it was taken while clients trained.

        Returns
        -------
        arrays : dict of str to NDArray
            The model, with its dtypes, all finite.
        metrics : MetricRecord, optional
            The clients' metrics.

        Raises
        ------
        QuorumError
            If the strategy gives no such model.
        """
        replies, apart = with_common_metrics(replies), dict[str, NDArray[Any]]()
        record: ArrayRecord | None
        metrics: MetricRecord | None
        with self._explained(number), self._seeded("aggregate_train", number):
            if mean:
                record, metrics = mean.result(replies)
            else:
                self._require_as_sent(replies, sent)
                replies, apart = separate_untrained(self.strategy, replies, sent, self.untrained)
                record, metrics = self.strategy.aggregate_train(number, replies)
        if record is None or list(record) != list(sent):
            gave = list(record) if record else "no model"
            raise QuorumError(f"{self._named(number)} gave {gave}; its options or warnings may say why")
        arrays = with_dtypes({**ndarrays(record), **apart}, ndarrays(sent))
        if bad := [key for key, array in arrays.items() if not is_finite(array)]:
            contrast = ", from replies that were" if self.admission.uniform else ""
            raise QuorumError(
                f"{self._named(number)} gave arrays that are not finite ({', '.join(bad)}){contrast}"
            )
        return arrays, metrics

    def aggregate_evaluate(self, number: int, replies: Sequence[Message]) -> dict[str, float]:
        """Return the metrics that the strategy makes of replies to evaluation, those that are numbers."""
        useful = with_common_metrics([reply for reply in replies if is_useful(reply)])
        if not useful:
            return {}
        with self._explained(number), self._seeded("aggregate_evaluate", number):
            return numbers(self.strategy.aggregate_evaluate(number, useful))

    def _seeded(self, step: str, number: int) -> AbstractContextManager[None]:
        return seeded(int(generator(self.seed, Stream.SAMPLING, STEPS.index(step), number).integers(2**63)))

    def _named(self, number: int) -> str:
        return f"round {number}: {type(self.strategy).__name__}"

    @contextmanager
    def _explained(self, number: int) -> Iterator[None]:
        """Say why a strategy fails where replies need not be alike."""
        try:
            yield
        except Exception as error:
            if self.admission.uniform:
                raise
            why = "cannot aggregate these replies, of which client.admission=structural admits any"
            raise QuorumError(f"{self._named(number)} {why}: {error}") from error

    def _require_as_sent(self, replies: Sequence[Message], sent: ArrayRecord) -> None:
        """Refuse replies that a strategy of Flower's or of fedlocal's would aggregate to a wrong result."""
        foreign = not type(self.strategy).aggregate_train.__module__.startswith(("flwr.", "fedlocal."))
        if foreign or self.admission.uniform:
            return
        strict, good = Strict(declaration=AS_SENT), [reply for reply in replies if reply.has_content()]
        for reply in strict.values(strict.structure(good, sent)):
            if reply.has_error():
                raise ValueError(reply.error.reason)
