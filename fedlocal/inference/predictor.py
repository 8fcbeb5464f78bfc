"""A trained model, ready for rows as they were before training: in this process, or in a pool of workers."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fedlocal.actors import one_thread, usable_cores
from fedlocal.data import DataError
from fedlocal.inference import InferenceError
from fedlocal.inference.model_spec import ModelSpec
from fedlocal.inference.pool import Pool
from fedlocal.inference.rows import checked_rows
from fedlocal.inference.worker import Block, answer
from fedlocal.models import ModelError, gives_probabilities
from fedlocal.results import Which, load_saved

Array = NDArray[Any]

BATCH_SIZE = 1024
POOL_WORTH = 1.0  # seconds of work for which workers are started


class Predictor:
    """A model that answers for new rows.

    Rows are handed over raw, in the numbers that the training set was in before it was scaled, and answered
    in batches: outputs depend on `batch_size` (in their last bits) and on nothing else, not on `workers`.
    Workers start when they are needed, and live until `close`, or the end of a ``with`` block.

    Parameters
    ----------
    spec : ModelSpec
        What the model is.
    arrays : mapping of str to NDArray
        Its parameters.
    workers : int or "auto"
        Processes that compute. "auto": this one, and when more than a second of work is left after a batch,
        as many as there are usable cores. 1: this one.
    batch_size : int
        Rows that a worker takes at a time.

    Attributes
    ----------
    classes : ndarray of shape (outputs,) or None
        The labels, in the order of `predict_proba`'s columns; None for real targets.

    Raises
    ------
    InferenceError
        If the model cannot be built, or its arrays do not fit it.
    ValueError
        If `workers` or `batch_size` is not at least 1.
    """

    def __init__(
        self,
        spec: ModelSpec,
        arrays: Mapping[str, Array],
        *,
        workers: int | Literal["auto"] = "auto",
        batch_size: int = BATCH_SIZE,
    ) -> None:
        for name, number in (("workers", workers), ("batch_size", batch_size)):
            if number != "auto" and number < 1:
                raise ValueError(f"{name}={number}: must be at least 1")
        self.spec, self.classes = spec, spec.classes
        self._workers, self._batch_size = workers, batch_size
        self._arrays, self._new_model = arrays, spec.new_model()
        self._model = self._new_model()
        try:
            self._model.load(arrays)
        except ModelError as error:
            raise InferenceError(f"the arrays are not those of the model described: {error}") from error
        self._pool: Pool | None = None

    def predict(self, x: ArrayLike, *, prepared: bool = False) -> Array:
        """Return the likeliest class of each row by its label, [n], or real values, float [n, outputs].

        Parameters
        ----------
        x : array-like of numbers, shape (n, d) or (n, ...)
            Raw rows; images may have their shape.
        prepared : bool
            Whether the rows are a `Dataset`'s, and scaled already.

        Raises
        ------
        DataError
            If the rows are not such as the model was trained on, or not finite.
        InferenceError
            If the model fails.
        """
        return self.named(self.outputs(x, prepared=prepared))

    def predict_proba(self, x: ArrayLike, *, prepared: bool = False) -> Array:
        """Return the probability of each class, float [n, classes], in the order of `classes`.

        Raises
        ------
        DataError, InferenceError
            As `predict`; also if the model's outputs are no probabilities: then see `outputs`.
        """
        outputs = self.outputs(x, prepared=prepared)
        if self.classes is None or not gives_probabilities(self._model, outputs):
            kind = "real values" if self.classes is None else "scores"
            raise InferenceError(f"this model gives {kind}, no probabilities; outputs() returns them")
        return outputs

    def outputs(
        self, x: ArrayLike, *, prepared: bool = False, show: Callable[[int], None] = lambda _: None
    ) -> Array:
        """Return what the model gives, float [n, outputs]: probabilities, scores, or real values.

        Parameters
        ----------
        x, prepared
            As for `predict`.
        show : callable
            Called now and then with the number of rows that are done.
        """
        block = Block(checked_rows(x, self.spec), raw=not prepared)
        parts = self._parts(block, show)
        outputs = np.concatenate(parts) if parts else np.empty((0, self.spec.outputs), np.float32)
        if not np.isfinite(outputs).all():
            row = int(np.argmin(np.isfinite(outputs).all(axis=1)))
            raise DataError(f"x: row {row} gives {outputs[row].tolist()}: its features are too large")
        targets = self.spec.target_scaling
        return targets.inverse(outputs) if targets else outputs

    def named(self, outputs: Array) -> Array:
        """Return the predictions that outputs stand for: labels, or the outputs themselves."""
        return outputs if self.classes is None else self.classes[outputs.argmax(axis=1)]

    def close(self) -> None:
        """End the workers, if there are any; may be called twice."""
        self._end(gently=True)

    def _parts(self, block: Block, show: Callable[[int], None]) -> list[Array]:
        parts, rows = [], len(block.rows)
        done = 0
        if self._pool is None and (self._workers in (1, "auto") or rows <= self._batch_size):
            parts = self._answer_here(block, show)
            done = sum(map(len, parts))
        if done < rows:
            for part in self._from_pool(block.part(done, rows)):
                parts.append(part)
                done += len(part)
                show(done)
        return parts

    def _from_pool(self, block: Block) -> Iterator[Array]:
        if self._pool is None:
            workers = usable_cores() if self._workers == "auto" else self._workers
            self._pool = Pool(self._new_model, self._arrays, self.spec.scaling, workers)
        try:
            yield from self._pool.outputs(block, self._batch_size)
        except KeyboardInterrupt:
            self._end(gently=False)  # nobody waits for what its workers still do
            raise

    def _answer_here(self, block: Block, show: Callable[[int], None]) -> list[Array]:
        """Answer in this process, until it would take too long."""
        parts: list[Array] = []
        started_at, rows = time.perf_counter(), len(block.rows)
        with one_thread():
            for start in range(0, rows, self._batch_size):
                stop = min(start + self._batch_size, rows)
                parts.append(self._answer(block.part(start, stop)))
                show(stop)
                left = (time.perf_counter() - started_at) / stop * (rows - stop)
                if self._workers == "auto" and left > POOL_WORTH and usable_cores() > 1:
                    break
        return parts

    def _answer(self, batch: Block) -> Array:
        try:
            return answer(self._model, self.spec.scaling, batch)
        except Exception as error:
            raise InferenceError(f"the model failed: {type(error).__name__}: {error}") from error

    def _end(self, *, gently: bool) -> None:
        if self._pool:
            self._pool.close(gently=gently)
            self._pool = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(gently=error is None)


def load_model(
    place: str | Path,
    which: Which = "last",
    *,
    workers: int | Literal["auto"] = "auto",
    batch_size: int = BATCH_SIZE,
    trust: bool = False,
) -> Predictor:
    """Load a model that a run has saved, and verify its files.

    The files hold numbers and text, and nothing in them is unpickled. The manifest names the class that makes
    the model: one of fedlocal's own or a network's part is imported and called, any other only with `trust`.

    Parameters
    ----------
    place : str or Path
        A run's folder, or one of its models' files: of ``scheme=local``, such as ``FOLDER/actor-0.npz``.
    which : {"last", "best"}
        Of a folder: what the run ended with, or its best round, also of a run that has not ended.
    workers, batch_size
        As for `Predictor`.
    trust : bool
        Whether to import and call whatever the manifest names, as a model of your own.

    Raises
    ------
    TrustError
        If the manifest names code that is to be trusted first.
    ResultsError
        If a file is missing, damaged, or does not fit the others.
    InferenceError
        If the model cannot be built from them.

    Examples
    --------
    >>> with fedlocal.load_model("outputs/DATE/TIME", "best") as model:  # doctest: +SKIP
    ...     model.predict(x)
    """
    saved = load_saved(Path(place).expanduser(), which)
    spec = ModelSpec.read(saved.manifest, saved.manifest_path, trust=trust)
    return Predictor(spec, saved.arrays, workers=workers, batch_size=batch_size)
