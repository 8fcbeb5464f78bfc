"""The estimators: scikit-learn's own checks, its tools around them, and the engine's promises behind them."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fedlocal
from fedlocal import FederatedClassifier, FederatedRegressor
from fedlocal.config.schema import ConfigError

pytestmark = pytest.mark.usefixtures("no_leaks")

QUICK: dict[str, Any] = {"rounds": 3, "hidden": (16,), "random_state": 0}


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    x, y = load_digits(return_X_y=True)
    return x[:600], y[:600]


@pytest.mark.slow
@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [FederatedClassifier(random_state=0), FederatedRegressor(random_state=0)]
)
@pytest.mark.filterwarnings("ignore")
def test_each_class_passes_the_checks_of_scikit_learn(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_a_classifier_learns_and_works_with_pipelines_and_searches(digits: tuple[Any, Any]) -> None:
    x, y = digits
    labels = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])[y]
    pipeline = make_pipeline(MinMaxScaler(), FederatedClassifier(rounds=30, random_state=0))
    assert cross_val_score(pipeline, x, labels, cv=2).mean() > 0.8
    search = GridSearchCV(FederatedClassifier(**QUICK), {"actors": [1, 3], "strategy": ["fedavg"]}, cv=2)
    fitted = search.fit(x[:200], labels[:200]).best_estimator_
    assert set(fitted.classes_) == set(labels[:200])
    np.testing.assert_allclose(fitted.predict_proba(x).sum(axis=1), 1, rtol=1e-6)


def test_the_bits_are_the_seeds_wherever_clients_run(digits: tuple[Any, Any]) -> None:
    fitted = [
        FederatedClassifier(**QUICK, **options).fit(*digits).predict_proba(digits[0])
        for options in ({"backend": "inline"}, {"backend": "actors", "workers": 3})
    ]
    np.testing.assert_array_equal(fitted[0], fitted[1])


@pytest.mark.parametrize("options", [{}, {"strategy": "fedadam"}], ids=str)
def test_rounds_one_by_one_are_the_rounds_of_fit(digits: tuple[Any, Any], options: dict[str, Any]) -> None:
    whole = FederatedClassifier(**QUICK, **options).fit(*digits)
    stepwise = clone(whole)
    for _ in range(3):
        stepwise.partial_fit(*digits, classes=range(10))
    assert stepwise.n_iter_ == whole.n_iter_ == 3
    np.testing.assert_array_equal(stepwise.predict_proba(digits[0]), whole.predict_proba(digits[0]))
    _, losses = whole.history_.series("train-loss")
    assert stepwise.history_.series("train-loss")[1] == losses
    assert losses[-1] < losses[0]
    assert whole.history_.final("accuracy") is None  # there is no test set


def test_a_pickled_classifier_predicts_and_goes_on_as_its_original(digits: tuple[Any, Any]) -> None:
    original = FederatedClassifier(**QUICK).fit(*digits)
    copy = pickle.loads(pickle.dumps(original))  # noqa: S301 - our own
    np.testing.assert_array_equal(copy.predict_proba(digits[0]), original.predict_proba(digits[0]))
    np.testing.assert_array_equal(
        copy.partial_fit(*digits).predict_proba(digits[0]),
        original.partial_fit(*digits).predict_proba(digits[0]),
    )


def test_a_regressor_learns_one_target_and_several() -> None:
    x, y = load_diabetes(return_X_y=True)
    single = FederatedRegressor(rounds=30, random_state=0).fit(x, y)
    assert single.score(x, y) > 0.45
    two = FederatedRegressor(**QUICK).fit(x, np.stack([y, -y], axis=1))
    assert two.predict(x).shape == (len(x), 2)


def test_every_option_of_the_command_line_is_an_option(digits: tuple[Any, Any]) -> None:
    options: dict[str, Any] = {**QUICK, "partition": "dirichlet", "overrides": ("partition.alpha=5",)}
    other = FederatedClassifier(**options).fit(*digits)
    assert not np.array_equal(
        other.predict_proba(digits[0]), FederatedClassifier(**QUICK).fit(*digits).predict_proba(digits[0])
    )
    with pytest.raises(ConfigError, match="rounds=0"):
        FederatedClassifier(rounds=0).fit(*digits)
    with pytest.raises(ValueError, match="actors=601 need a row each"):
        FederatedClassifier(actors=601).fit(*digits)
    with pytest.raises(ValueError, match=r"not among the classes: \[9\]"):
        FederatedClassifier(**QUICK).partial_fit(*digits, classes=range(9))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"backend": "foo"}, "backend='foo': must be one of auto, actors, inline"),
        ({"rounds": "a"}, "rounds='a': must be a whole number of at least 1"),
        ({"actors": 2.5}, "actors=2.5: must be a whole number"),
        ({"workers": 0}, "workers=0: must be a whole number of at least 1, or 'auto'"),
        ({"model": "mpl"}, "model='mpl': must be one of .*; did you mean 'mlp'?"),
        ({"hidden": 100}, "hidden=100: must be a sequence"),
        ({"learning_rate": "x"}, "learning_rate='x': must be a number above 0, or None"),
        ({"hidden": object}, "must be a sequence of whole numbers"),
        ({"overrides": None}, "overrides=None: must be a sequence of strings"),
        (
            {"overrides": ("dataset=digits",)},
            "overrides='dataset=digits': an estimator's data are those of fit, and it writes no folder",
        ),
        ({"overrides": "partition.alpha=5"}, "overrides='partition.alpha=5': must be a sequence of strings"),
    ],
    ids=str,
)
def test_impossible_parameters_are_named(digits: tuple[Any, Any], wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        FederatedClassifier(**{**QUICK, **wrong}).fit(*digits)


def test_the_earlier_name_of_actors_still_works_and_is_said_to_go(digits: tuple[Any, Any]) -> None:
    with pytest.warns(FutureWarning, match="n_actors is now called actors"):
        earlier = FederatedClassifier(**QUICK, n_actors=3).fit(*digits)
    now = FederatedClassifier(**QUICK, actors=3).fit(*digits)
    np.testing.assert_array_equal(earlier.predict_proba(digits[0]), now.predict_proba(digits[0]))


HINGE = {"model": "sgd_classifier", "overrides": ("model.options.loss=hinge",)}


@pytest.mark.parametrize(
    "options", [{"model": "paper", "learning_rate": 0.05}, HINGE], ids=["paper", "hinge"]
)
@pytest.mark.parametrize("classes", [2, 10])
def test_a_model_without_probabilities_offers_scores_that_agree_with_its_predictions(
    digits: tuple[Any, Any], options: dict[str, Any], classes: int
) -> None:
    x, y = digits[0], digits[1] % classes
    estimator = FederatedClassifier(**QUICK, **options)
    for state in (estimator, estimator.fit(x, y)):
        assert not hasattr(state, "predict_proba")
        assert hasattr(state, "decision_function")
    scores = estimator.decision_function(x)
    assert scores.shape == ((len(x),) if classes == 2 else (len(x), classes))
    likeliest = (scores > 0).astype(int) if classes == 2 else scores.argmax(axis=1)
    np.testing.assert_array_equal(estimator.predict(x), likeliest)


@pytest.mark.parametrize("options", [{}, {"model": "sgd_classifier"}], ids=["mlp", "log_loss"])
def test_probabilities_sum_to_one_and_agree_with_predictions(
    digits: tuple[Any, Any], options: dict[str, Any]
) -> None:
    x, y = digits
    estimator = FederatedClassifier(**QUICK, **options)
    assert not hasattr(estimator, "decision_function")
    estimator.fit(x, y)
    for rows in (x, x * 1e6, -x * 1e6):  # far outside of what was trained on
        probabilities = estimator.predict_proba(rows)
        assert np.isfinite(probabilities).all()
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(estimator.predict(rows), probabilities.argmax(axis=1))


def test_rows_whose_features_are_too_large_are_named(digits: tuple[Any, Any]) -> None:
    estimator = FederatedClassifier(**QUICK).fit(*digits)
    x = digits[0][:3].copy()
    x[1, 5] = 1e300
    with pytest.raises(ValueError, match=r"X: 1e\+300 in row 1, column 5, is too large"):
        estimator.predict(x)


@pytest.mark.parametrize("kind", [FederatedClassifier, FederatedRegressor])
def test_a_constant_column_counts_for_nothing_at_any_value(kind: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((90, 2)), rng.integers(2, size=90)
    warnings_ = [
        kind(**QUICK)
        .fit(np.column_stack([x, np.full(90, constant)]), y)
        .predict(np.column_stack([x, np.full(90, constant + 1e-7)]))
        for constant in (0.1, 0.0, 1 / 3)
    ]
    np.testing.assert_allclose(warnings_[0], warnings_[1], atol=1e-5)
    np.testing.assert_allclose(warnings_[2], warnings_[1], atol=1e-5)


def test_the_estimators_are_public() -> None:
    assert {"FederatedClassifier", "FederatedRegressor"} <= set(dir(fedlocal))


SEARCH = """
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from fedlocal import FederatedClassifier

x, y = load_digits(return_X_y=True)
estimator = FederatedClassifier(backend="actors", workers=1, rounds=2, random_state=0)
scores = [
    GridSearchCV(estimator, {"actors": [2, 4]}, n_jobs=jobs, cv=2).fit(x, y).cv_results_["mean_test_score"]
    for jobs in (1, 2)
]
print(list(scores[0]) == list(scores[1]), scores[0].min() > 0.5)
"""


@pytest.mark.slow
def test_a_search_in_several_processes_may_use_actors() -> None:
    line = [sys.executable, "-c", SEARCH]  # a process of its own: joblib keeps its workers for a while
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True"], done.stderr
