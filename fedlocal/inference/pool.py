"""A pool of actors for a saved model.

Rows are cut into batches, and each is one message: whichever worker is idle takes the next. The model's
arrays lie in shared memory, from where each worker loads them as it starts, and so do the rows. An actor has
no state: a worker that is killed is replaced, and its batch computed again.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial

from fedlocal.actors import ActorSystem, Batch, Broadcast, Envelope, Reply, warm_up
from fedlocal.actors.spawned.values import decode, encode
from fedlocal.data import FeatureScaling
from fedlocal.inference import InferenceError
from fedlocal.inference.worker import RANGE, Array, Block, ModelBehaviour, ModelMaker, Weights

BLOCK = 1 << 26  # bytes of rows that are shared at once; two such blocks are on their way
PRELOAD = (
    "fedlocal.inference.worker",
    "fedlocal.models.numpy.blas",
    "fedlocal.models.numpy.mlp",
    "fedlocal.models.frameworks.sklearn",
)


class Pool:
    """Workers that hold a model, as `ModelBehaviour` does, for as many questions as come."""

    def __init__(
        self, new_model: ModelMaker, arrays: Mapping[str, Array], scaling: FeatureScaling | None, workers: int
    ) -> None:
        self._weights, self._outputs = Weights(arrays), int(new_model.keywords["outputs"])
        warm_up((*PRELOAD, *getattr(new_model.args[0], "preload", ())))
        try:
            self._system = ActorSystem(
                partial(ModelBehaviour, new_model, self._weights, scaling), workers=workers
            )
        except BaseException:
            self._weights.close()
            raise

    def outputs(self, block: Block, batch_size: int) -> Iterator[Array]:
        """Yield the outputs for the rows, batch by batch, in their order."""
        waiting: deque[tuple[Batch, Broadcast]] = deque()
        try:
            for part in _blocks(block, batch_size, self._system.workers):
                waiting.append(self._ask(part, batch_size))
                if len(waiting) > 1:
                    yield from self._collected(waiting)
            while waiting:
                yield from self._collected(waiting)
        except (Exception, GeneratorExit):  # after an interrupt, the whole pool goes
            for batch, content in waiting:
                self._system.withdraw(batch, "nobody waits any more")
                self._system.release(content)
            raise

    def close(self, *, gently: bool = True) -> None:
        """End the workers."""
        self._system.close(**({} if gently else {"grace": 0.0}))
        self._weights.close()

    def _ask(self, block: Block, batch_size: int) -> tuple[Batch, Broadcast]:
        rows = block.rows
        header, *arrays = encode([rows, block.raw])
        content = self._system.share(bytes(header), arrays)
        ranges = [(start, min(start + batch_size, len(rows))) for start in range(0, len(rows), batch_size)]
        envelopes = [
            Envelope(
                actor,
                RANGE.pack(start, stop),
                content,
                cost=stop - start,
                reply_bytes=(stop - start) * self._outputs * 8,
            )
            for actor, (start, stop) in enumerate(ranges)
        ]
        return self._system.post(envelopes), content

    def _collected(self, waiting: deque[tuple[Batch, Broadcast]]) -> Iterator[Array]:
        batch, content = waiting[0]
        batch.wait()
        for result in batch.results():
            if not isinstance(result, Reply):
                problem = InferenceError(f"the model failed ({result.cause}): {result.reason}")
                if result.traceback:
                    problem.add_note(result.traceback)
                raise problem
            yield decode([result.wire.body, *result.wire.arrays]).copy()
        waiting.popleft()
        self._system.release(content)


def _blocks(block: Block, batch_size: int, workers: int) -> Iterator[Block]:
    """Cut rows into what is shared at once: whole batches, several for each worker."""
    row = max(block.rows[:1].nbytes, 1)
    batches = max(BLOCK // (row * batch_size), 4 * workers)
    height = batches * batch_size
    for start in range(0, len(block.rows), height):
        yield block.part(start, start + height)
