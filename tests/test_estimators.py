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
from fedlocal.config import ConfigError

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
def test_it_is_an_estimator(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_it_learns_and_works_with_pipelines_and_searches(digits: tuple[Any, Any]) -> None:
    x, y = digits
    labels = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])[y]
    pipeline = make_pipeline(MinMaxScaler(), FederatedClassifier(rounds=30, random_state=0))
    assert cross_val_score(pipeline, x, labels, cv=2).mean() > 0.8
    search = GridSearchCV(FederatedClassifier(**QUICK), {"n_actors": [1, 3], "strategy": ["fedavg"]}, cv=2)
    fitted = search.fit(x[:200], labels[:200]).best_estimator_
    assert set(fitted.classes_) == set(labels[:200])
    np.testing.assert_allclose(fitted.predict_proba(x).sum(axis=1), 1, rtol=1e-6)


def test_the_bits_are_the_seeds_wherever_clients_run(digits: tuple[Any, Any]) -> None:
    found = [
        FederatedClassifier(**QUICK, **options).fit(*digits).predict_proba(digits[0])
        for options in ({"backend": "inline"}, {"backend": "actors", "workers": 3})
    ]
    np.testing.assert_array_equal(found[0], found[1])


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


def test_a_pickled_one_predicts_and_goes_on_as_the_one_that_was_pickled(digits: tuple[Any, Any]) -> None:
    original = FederatedClassifier(**QUICK).fit(*digits)
    copy = pickle.loads(pickle.dumps(original))  # noqa: S301 - our own
    np.testing.assert_array_equal(copy.predict_proba(digits[0]), original.predict_proba(digits[0]))
    np.testing.assert_array_equal(
        copy.partial_fit(*digits).predict_proba(digits[0]),
        original.partial_fit(*digits).predict_proba(digits[0]),
    )


def test_regression_with_one_target_and_with_several() -> None:
    x, y = load_diabetes(return_X_y=True)
    one = FederatedRegressor(rounds=30, random_state=0).fit(x, y)
    assert one.score(x, y) > 0.45
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
    with pytest.raises(ValueError, match="n_actors=601 need a row each"):
        FederatedClassifier(n_actors=601).fit(*digits)
    with pytest.raises(ValueError, match=r"not among the classes: \[9\]"):
        FederatedClassifier(**QUICK).partial_fit(*digits, classes=range(9))


def test_it_is_public() -> None:
    assert {"FederatedClassifier", "FederatedRegressor"} <= set(fedlocal.__all__)


SEARCH = """
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from fedlocal import FederatedClassifier

x, y = load_digits(return_X_y=True)
estimator = FederatedClassifier(backend="actors", workers=1, rounds=2, random_state=0)
scores = [
    GridSearchCV(estimator, {"n_actors": [2, 4]}, n_jobs=jobs, cv=2).fit(x, y).cv_results_["mean_test_score"]
    for jobs in (1, 2)
]
print(list(scores[0]) == list(scores[1]), scores[0].min() > 0.5)
"""


@pytest.mark.slow
def test_a_search_in_several_processes_may_use_actors() -> None:
    line = [sys.executable, "-c", SEARCH]  # a process of its own: joblib keeps its workers for a while
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True"], done.stderr
