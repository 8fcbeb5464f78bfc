"""A scikit-learn classifier with ``partial_fit`` behind fedlocal's model protocol."""

import importlib
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from fedlocal.models.arrays import copy_arrays, quietly
from fedlocal.models.frameworks.base import softmax
from fedlocal.models.protocol import Arrays, Evaluation, ModelError

Array = NDArray[Any]

ROWS_AT_ONCE = 4096


class SklearnModel:
    """A linear classifier (``coef_``) or a network (``coefs_``) of scikit-learn's.

    One step is one ``partial_fit`` on a batch: one update of an ``MLPClassifier``, one update per row of an
    ``SGDClassifier``. The rows come in random order already, so the estimator does not shuffle them again,
    and nothing is random after the start. A linear classifier starts from 0. A network starts from its own
    random weights and a step on one row of zeros per class: before it was fitted, an estimator has no shapes.

    The optimiser's state of a linear classifier is its count of updates ``t_``, on which the learning rate
    may depend. That of a network (velocities, moments) is not public in scikit-learn: it lasts until
    :meth:`load_optimizer` makes a new estimator, and cannot be read.

    Parameters
    ----------
    estimator : str
        Full name of the class, such as ``sklearn.linear_model.SGDClassifier``.
    options : dict
        Arguments of its constructor, but for ``random_state``, ``shuffle``, ``batch_size``, ``average`` and
        ``early_stopping``, which are decided here.
    inputs, outputs, classes, rng
        As :class:`fedlocal.models.ModelFactory` says; `classes` must be True.

    Raises
    ------
    ModelError
        If there is no such estimator, or it does not learn classes by ``partial_fit``.
    """

    def __init__(
        self,
        estimator: str,
        options: dict[str, Any] | None = None,
        *,
        inputs: int,
        outputs: int,
        classes: bool,
        rng: np.random.Generator,
    ) -> None:
        if not classes:
            raise ModelError(f"{estimator} is trained as a classifier here, but the targets are real values")
        self._name = estimator
        self._new = _find(estimator)
        decided = {
            "random_state": int(rng.integers(2**31)),
            "shuffle": False,
            "batch_size": outputs,  # of the first step, then that of each batch
            "average": False,
            "early_stopping": False,
        }
        self._options = _complete(estimator, self._new().get_params(), options or {}, decided)
        self._inputs, self._codes = inputs, np.arange(outputs)
        self._updates = np.ones(1)
        with threadpool_limits(1):  # its first step has other bits with other numbers of threads
            self._estimator = self._fitted()

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(array.size for array in self.arrays.values())

    @property
    def arrays(self) -> dict[str, Array]:
        """Views ``coef_``, ``intercept_``, or ``coefs_0``, ``intercepts_0`` etc.; until the next step."""
        fitted = self._estimator
        if not _is_network(fitted):
            return {"coef_": fitted.coef_, "intercept_": fitted.intercept_}
        named = {}
        for index, (weight, bias) in enumerate(zip(fitted.coefs_, fitted.intercepts_, strict=True)):
            named[f"coefs_{index}"], named[f"intercepts_{index}"] = weight, bias
        return named

    def load(self, arrays: Arrays) -> None:
        """Copy parameters in; the optimiser's state stays as it is."""
        copy_arrays(self.arrays, arrays)

    @property
    def optimizer_arrays(self) -> dict[str, Array]:
        """A view ``t_``, float64[1], of a linear classifier; nothing of a network."""
        return {} if _is_network(self._estimator) else {"t_": self._updates}

    def load_optimizer(self, arrays: Arrays | None) -> None:
        """Copy ``t_`` in; None or nothing makes a new estimator with the same parameters."""
        if arrays:
            copy_arrays(self.optimizer_arrays, arrays)
            return
        parameters = self.arrays
        self._estimator = self._fitted()
        self._updates.fill(1)
        self.load(parameters)

    def anchor(self, mu: float, arrays: Arrays | None) -> None:
        """Refuse any anchor but none: ``partial_fit`` has no place for a proximal term."""
        if mu and arrays is not None:
            self._refuse("cannot add a proximal term", "choose a strategy other than fedprox")

    @quietly
    def train_step(self, x: Array, y: Array) -> float:
        """Call ``partial_fit`` on one batch; return its mean loss before."""
        loss = self._loss(self._outputs(x), y)
        if "batch_size" in self._options:
            self._estimator.batch_size = len(x)
        if not _is_network(self._estimator):
            self._estimator.t_ = float(self._updates[0])
        self._estimator.partial_fit(x, y, classes=self._codes)
        self._updates[0] = self._estimator.t_
        return loss

    def adds_exactly(self, rows: int, weight: float) -> bool:  # noqa: ARG002
        """Return False: there is no gradient."""
        return False

    def gradient(self, *_arguments: Any, **_options: Any) -> NoReturn:
        """Refuse: ``partial_fit`` neither tells nor takes a gradient, and keeps arrays of its own."""
        self._refuse("does not tell its gradient", "set accumulate=1")

    apply = live_in = gradient

    @property
    def probabilities(self) -> bool:
        """Whether outputs are probabilities of classes."""
        return hasattr(self._estimator, "predict_proba")

    @quietly
    def predict(self, x: Array) -> Array:
        """Return probabilities [n, classes], or decision values where the estimator has no probabilities."""
        return self._outputs(x)

    @quietly
    def evaluate(self, x: Array, y: Array) -> Evaluation:
        """Return the accuracy and the mean cross-entropy, or hinge loss where there are no probabilities."""
        if not len(x):
            return Evaluation(np.nan, np.nan)
        outputs = self._outputs(x)
        return Evaluation(self._loss(outputs, y), float((outputs.argmax(axis=1) == y).mean()))

    def _outputs(self, x: Array) -> Array:
        parts = [
            self._batch_outputs(x[start : start + ROWS_AT_ONCE]) for start in range(0, len(x), ROWS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(self._codes)))

    def _batch_outputs(self, x: Array) -> Array:
        if not self.probabilities:
            return self._decisions(x)
        outputs: Array = self._estimator.predict_proba(x)
        if hasattr(self._estimator, "decision_function"):
            # One against the rest, all of a row may underflow to 0: the limit is a softmax of the decisions.
            lost = np.flatnonzero(~(outputs.max(axis=1) > outputs.min(axis=1)))
            decided = self._decisions(x[lost]) if len(lost) else np.empty((0, 1))
            below = decided.max(axis=1) < 0
            outputs[lost[below]] = softmax(decided[below])
        return outputs

    def _decisions(self, x: Array) -> Array:
        values: Array = self._estimator.decision_function(x)
        return np.stack([-values, values], axis=1) if values.ndim == 1 else values

    def _loss(self, outputs: Array, y: Array) -> float:
        rows = np.arange(len(y))
        true = outputs[rows, y]
        if self.probabilities:
            return -float(np.log(np.maximum(true, np.finfo(np.float32).tiny), dtype=np.float64).mean())
        # Crammer and Singer, JMLR 2 (2001): the true class should win by 1.
        wrong = outputs.copy()
        wrong[rows, y] = -np.inf
        return float(np.maximum(0, 1 + wrong.max(axis=1) - true).mean())

    def _fitted(self) -> Any:
        """Return a new estimator that has its shapes."""
        estimator = self._new(**self._options)
        zeros = np.zeros((len(self._codes), self._inputs), np.float32)
        estimator.partial_fit(zeros, self._codes, classes=self._codes)
        if not hasattr(estimator, "coef_") and not _is_network(estimator):
            raise ModelError(
                f"estimator={self._name!r} has no parameters coef_ or coefs_ to send and to average"
            )
        if not _is_network(estimator):
            estimator.coef_.fill(0)
            estimator.intercept_.fill(0)
        return estimator

    def _refuse(self, reason: str, instead: str) -> NoReturn:
        raise ModelError(f"{self._name} learns by partial_fit, which {reason}; {instead} or use model=mlp")


def _is_network(estimator: Any) -> bool:
    return hasattr(estimator, "coefs_")


def _find(name: str) -> Any:
    from sklearn.base import ClassifierMixin

    module, _, attribute = name.rpartition(".")
    try:
        estimator = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelError(f"estimator={name!r} was not found: {error}") from None
    if not hasattr(estimator, "partial_fit"):
        raise ModelError(f"estimator={name!r} has no partial_fit; SGDClassifier and MLPClassifier have")
    if not issubclass(estimator, ClassifierMixin):
        raise ModelError(f"estimator={name!r} is not a classifier; SGDClassifier and MLPClassifier are")
    return estimator


def _complete(
    name: str, defaults: dict[str, Any], options: dict[str, Any], decided: dict[str, Any]
) -> dict[str, Any]:
    """Return the options and those that are decided here, as far as the estimator has them."""
    for option in options:
        if option in decided:
            raise ModelError(f"{option} of {name} is decided by fedlocal; leave it out of the options")
        if option not in defaults:
            raise ModelError(
                f"{option} is not an option of {name}; it has {sorted(defaults.keys() - decided)}"
            )
    return {**options, **{option: value for option, value in decided.items() if option in defaults}}
