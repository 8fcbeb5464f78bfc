"""Federated learning as scikit-learn estimators: the same engine, behind ``fit`` and ``predict``."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

import fedlocal.figures  # noqa: F401  (a notebook shows the curves of `history_`)
from fedlocal.actors import one_thread
from fedlocal.config.build import build
from fedlocal.config.compose import compose
from fedlocal.config.schema import Config
from fedlocal.config.validation import check
from fedlocal.data import Dataset, Rows, check_finite
from fedlocal.data.sources.feature_scaling import apply_scaling, fit_scaling
from fedlocal.estimators.parameters import check_parameters
from fedlocal.experiment.groups import build_groups
from fedlocal.experiment.process_lock import process_lock
from fedlocal.experiment.setup import prepare
from fedlocal.flower.compat.logs import quiet
from fedlocal.flower.grid.backends import Backend, Inline
from fedlocal.models import gives_probabilities, make
from fedlocal.results import Checkpoint, History, Round

if TYPE_CHECKING:
    from fedlocal.models import Model
    from fedlocal.schemes.base import Capture

INLINE_LIMIT = 2e9
"""Multiplications of a fit that this process is done with sooner than workers have started."""

BLOCK = 64
"""Rows are predicted in multiples of this: the bits of a row do not depend on how many stand beside it."""


class FederatedEstimator(BaseEstimator):  # type: ignore[misc]
    """The common part of both estimators; see `FederatedClassifier`."""

    def __init__(
        self,
        actors: int = 4,
        *,
        rounds: int = 20,
        model: str = "mlp",
        hidden: Sequence[int] | None = (100,),
        learning_rate: float | None = None,
        partition: str = "iid",
        strategy: str = "fedavg",
        local_epochs: int = 1,
        batch_size: int = 32,
        workers: int | Literal["auto"] = "auto",
        backend: Literal["auto", "actors", "inline"] = "auto",
        overrides: Sequence[str] = (),
        random_state: int | np.random.RandomState | None = None,
        n_actors: int | Literal["deprecated"] = "deprecated",
    ) -> None:
        self.actors = actors
        self.rounds = rounds
        self.model = model
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.partition = partition
        self.strategy = strategy
        self.local_epochs = local_epochs
        self.batch_size = batch_size
        self.workers = workers
        self.backend = backend
        self.overrides = overrides
        self.random_state = random_state
        self.n_actors = n_actors

    @property
    def n_iter_(self) -> int:
        """How many rounds the model was trained for."""
        check_is_fitted(self)
        return self._state.round

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803 - scikit-learn's name
        """Train on rows and their labels or targets, from the beginning.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The rows.
        y : array of shape (n_samples,), or (n_samples, n_targets) of a regressor
            Their labels or targets.
        """
        return self._fit(X, y, self.rounds, None)

    def _fit(
        self,
        X: ArrayLike,  # noqa: N803
        y: ArrayLike,
        rounds: int,
        start: Checkpoint | None,
        **more: Any,
    ) -> Self:
        return self._train(self._dataset(X, y, reset=start is None, **more), rounds, start)

    @abstractmethod
    def _dataset(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> Dataset:  # noqa: N803
        """Check rows and labels or targets, and scale them; by these rows if `reset`."""

    def _train(self, dataset: Dataset, rounds: int, start: Checkpoint | None) -> Self:
        """Train for some rounds more, from where an earlier call ended if there is one."""
        actors, done = check_parameters(self.get_params(deep=False)), start.round if start else 0
        if not start:
            self._seed = int(check_random_state(self.random_state).randint(2**31))
            self.history_ = History()
        if len(dataset.train) < actors:
            raise ValueError(
                f"n_samples={len(dataset.train)}: actors={actors} need a row each; take fewer actors"
            )
        config = self._config(done + rounds, actors)
        check(config)
        with process_lock, quiet():
            groups = build_groups(config, self._backend(config, dataset))
            setting = prepare(config, groups, dataset=dataset)
            with setting.slices.shards:
                self._new_model = setting.new_model
                groups.scheme(setting, self._record, start)
        self._model = self._loaded()
        return self

    def _record(self, record: Round, capture: "Capture") -> None:
        # there is no test set: what was evaluated was one of the training rows
        of_training = {key: value for key, value in record.metrics.items() if key not in ("loss", "accuracy")}
        self.history_.record(replace(record, metrics=of_training))
        self._state = Checkpoint(record.number, dict(capture()))

    def _config(self, rounds: int, actors: int) -> Config:
        """Return the parameters as the command line would have them."""
        same = ("model", "partition", "strategy", "local_epochs", "batch_size", "workers")
        numbers = {"actors": actors, "rounds": rounds, "evaluate_every": rounds, "seed": self._seed}
        given = numbers | {name: getattr(self, name) for name in same}
        overrides = [*self._task, *(f"{name}={value}" for name, value in given.items())]
        if self.hidden is not None and self.model in ("mlp", "paper", "regressor"):
            overrides.append(f"model.hidden={list(self.hidden)}")
        if self.learning_rate is not None:
            overrides.append(f"model.learning_rate={self.learning_rate}")
        return compose(*overrides, *self.overrides)

    _task: Sequence[str] = ()

    def _backend(self, config: Config, dataset: Dataset) -> Backend | None:
        """Return where clients run, None: as configured; the bits are the same everywhere."""
        work = 6.0 * len(dataset.train) * dataset.inputs * config.rounds * config.local_epochs
        work *= max(self.hidden or (512,))
        if self.backend == "inline" or (self.backend == "auto" and work < INLINE_LIMIT):
            return Inline()
        return None

    def _loaded(self) -> "Model":
        """Return the model with its parameters; it does not travel with a pickled estimator."""
        model = self._new_model()
        model.load(self._state.part("model").arrays)
        return model

    def _outputs(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803 - scikit-learn's name
        check_is_fitted(self, "_state")
        checked = validate_data(self, X, reset=False, dtype=np.float64)
        x = apply_scaling(checked, self._scaling, "X")
        whole = np.zeros((-(-len(x) // BLOCK) * BLOCK, x.shape[1]), np.float32)
        whole[: len(x)] = x
        with one_thread():
            outputs = self._model.predict(whole)[: len(x)]
        check_finite(outputs, "the outputs of these rows, whose features are too large")
        return outputs

    def _features(self, x: NDArray[np.float64], *, reset: bool) -> NDArray[np.float32]:
        """Return features of zero mean and unit deviation over the rows of the first fit."""
        if reset:
            self._scaling = fit_scaling(x, "standard")
        return apply_scaling(x, self._scaling, "X")

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key != "_model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_state" in state:
            self._model = self._loaded()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_state")


def _has_probabilities(estimator: "FederatedClassifier") -> bool:
    """Tell whether the model, or the one that `fit` would make, has probabilities."""
    if hasattr(estimator, "_state"):
        return gives_probabilities(estimator._model)  # noqa: SLF001 - a part of the class
    try:
        factory = build(compose(f"model={estimator.model}", *estimator.overrides), "model")
        rng = np.random.default_rng(0)
        return gives_probabilities(make(factory, inputs=2, outputs=2, classes=True, shape=(2,), rng=rng))
    except Exception:  # noqa: BLE001 - what is wrong with the parameters, fit will say
        return True


def _has_scores(estimator: "FederatedClassifier") -> bool:
    return not _has_probabilities(estimator)


class FederatedClassifier(ClassifierMixin, FederatedEstimator):  # type: ignore[misc]
    """A classifier trained by a local federated network.

    The rows are divided among actors, each of which trains on its own; a server averages their models, round
    after round. The same parameters and seed give the same bits, with any number of workers. Features are
    brought to zero mean and unit deviation first.

    Parameters
    ----------
    actors : int
        How many actors; each owns a part of the rows.
    rounds : int
        How many times their models are averaged.
    model, partition, strategy : str
        Presets, as on the command line: ``fedlocal --help`` lists them.
    hidden : sequence of int, optional
        Widths of the hidden layers; None: the preset's.
    learning_rate : float, optional
        None: the preset's.
    local_epochs : int
        Passes of an actor over its rows in a round.
    batch_size : int
        Rows of a step.
    workers : int or "auto"
        Processes that run actors; by default, as many as there are cores.
    backend : {"auto", "actors", "inline"}
        Worker processes or this process; by default whichever is sooner done.
    overrides : sequence of str
        Further options of the command line: ``("partition.alpha=0.1", "strategy.proximal_mu=0.5")``.
    random_state : int, RandomState or None
        Of the partition, the initial model and the orders of rows.
    n_actors : int
        The earlier name of `actors`, for one release.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels.
    history_ : History
        What was recorded of each round: the loss of training, and times.
    n_iter_, n_features_in_ : int
        How many rounds the model was trained for; features of a row.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = FederatedClassifier(actors=4, partition="dirichlet", random_state=0)
    >>> classifier.fit(X, y).score(X, y) > 0.9
    True
    """

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:  # noqa: N803
        """Train for one round more, with these rows divided among the actors.

        Parameters
        ----------
        X, y : array
            As for `fit`.
        classes : array of shape (n_classes,), optional
            All labels that there will be; needed in the first call, unless `y` has them all.
        """
        return self._fit(X, y, 1, getattr(self, "_state", None), classes=classes)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the probability of each class, array of shape (n_samples, n_classes).

        Only of models that have probabilities: a linear output or a hinge loss has scores.
        """
        return self._outputs(X)

    @available_if(_has_scores)  # type: ignore[untyped-decorator]
    def decision_function(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the score of each class, array of shape (n_samples, n_classes).

        Of two classes, array of shape (n_samples,): above 0 for the second. Only of models without
        probabilities.
        """
        scores = self._outputs(X).astype(np.float64)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest label of each row."""
        outputs = self._outputs(X)
        labels: NDArray[Any] = self.classes_[outputs.argmax(axis=1)]
        return labels

    def _dataset(
        self,
        X: ArrayLike,  # noqa: N803
        y: ArrayLike,
        *,
        reset: bool,
        classes: ArrayLike | None = None,
    ) -> Dataset:
        checked, labels = validate_data(self, X, y, reset=reset, dtype=np.float64)
        labels = column_or_1d(labels, warn=True)
        check_classification_targets(labels)
        if reset:
            self.classes_ = np.unique(labels if classes is None else np.asarray(classes))
        if unknown := np.setdiff1d(labels, self.classes_).tolist():
            raise ValueError(f"y has labels that are not among the classes: {unknown}; name all in classes=")
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}; a classifier needs at least 2")
        x = self._features(checked, reset=reset)
        rows = Rows(x, np.searchsorted(self.classes_, labels).astype(np.int64))
        return Dataset("data", rows, Rows(x[:1], rows.y[:1]), self.classes_, (x.shape[1],))


class FederatedRegressor(RegressorMixin, FederatedEstimator):  # type: ignore[misc]
    """A regressor trained by a local federated network, for the least squared error.

    Its parameters are those of `FederatedClassifier`. Features and targets are brought to zero mean and unit
    deviation for training.

    Attributes
    ----------
    history_, n_iter_, n_features_in_
        As of `FederatedClassifier`.
    """

    _task = ("model.output=identity", "model.loss=mean_squared_error", "model.learning_rate=0.01")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Train for one round more, with these rows divided among the actors; the scale of targets stays."""
        return self._fit(X, y, 1, getattr(self, "_state", None))

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Return the targets of each row, of the shape that `fit` was given."""
        outputs = self._outputs(X)
        targets = self._target_scaling.inverse(outputs)
        return targets[:, 0] if self._flat else targets

    def _dataset(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> Dataset:  # noqa: N803
        checked, targets = validate_data(
            self, X, y, reset=reset, dtype=np.float64, multi_output=True, y_numeric=True
        )
        x = self._features(checked, reset=reset)
        columns = np.asarray(targets, np.float64).reshape(len(targets), -1)
        if reset:
            self._flat = targets.ndim == 1
            self._target_scaling = fit_scaling(columns, "standard")
        goals = apply_scaling(columns, self._target_scaling, "y")
        return Dataset("data", Rows(x, goals), Rows(x[:1], goals[:1]), None, (x.shape[1],))
