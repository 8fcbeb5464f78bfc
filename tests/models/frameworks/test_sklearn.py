import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest

from fedlocal.models import ModelError, SklearnModel, train

LINEAR = (
    "sklearn.linear_model.SGDClassifier",
    {"loss": "log_loss", "learning_rate": "invscaling", "eta0": 0.5},
)
NETWORK = ("sklearn.neural_network.MLPClassifier", {"hidden_layer_sizes": [32], "learning_rate_init": 0.01})
ESTIMATORS = [LINEAR, NETWORK]


def build(estimator: str, options: dict[str, Any], outputs: int = 10, seed: int = 0) -> SklearnModel:
    rng = np.random.default_rng(seed)
    return SklearnModel(estimator, options, inputs=64, outputs=outputs, classes=True, rng=rng)


def fit(
    model: SklearnModel, digits: Any, epochs: int = 1, seed: int = 0, rows: int = 400, batch_size: int = 32
) -> float:
    rng = np.random.default_rng(seed)
    return train(model, digits.x[:rows], digits.y[:rows], batch_size=batch_size, epochs=epochs, rng=rng)


@pytest.mark.parametrize(("estimator", "options"), [*ESTIMATORS, (LINEAR[0], {"loss": "hinge"})])
def test_each_estimator_learns_digits(digits: Any, estimator: str, options: dict[str, Any]) -> None:
    model = build(estimator, options)
    first = fit(model, digits, rows=1437, batch_size=64)
    last = fit(model, digits, epochs=4, rows=1437, batch_size=64)
    evaluation = model.evaluate(digits.test_x, digits.test_y)
    assert last < first
    assert evaluation.accuracy is not None
    assert evaluation.accuracy >= 0.9
    assert np.isfinite(evaluation.loss)


def test_names_and_shapes_are_known_before_the_first_step() -> None:
    linear, network = build(*LINEAR), build(*NETWORK)
    assert {n: a.shape for n, a in linear.arrays.items()} == {"coef_": (10, 64), "intercept_": (10,)}
    assert not any(a.any() for a in linear.arrays.values())
    assert {n: a.shape for n, a in network.arrays.items()} == {
        "coefs_0": (64, 32),
        "intercepts_0": (32,),
        "coefs_1": (32, 10),
        "intercepts_1": (10,),
    }
    assert network.size == 64 * 32 + 32 + 32 * 10 + 10
    assert build(LINEAR[0], LINEAR[1], outputs=2).arrays["coef_"].shape == (1, 64)


@pytest.mark.parametrize(("estimator", "options"), ESTIMATORS)
@pytest.mark.parametrize("outputs", [2, 10])
def test_a_model_that_was_used_goes_on_like_a_new_model_after_loading(
    digits: Any, estimator: str, options: dict[str, Any], outputs: int
) -> None:
    chosen = digits.y < outputs
    x, y = digits.x[chosen][:200], digits.y[chosen][:200]

    def go_on(model: SklearnModel) -> dict[str, Any]:
        model.load(start)
        model.load_optimizer(None)
        train(model, x, y, batch_size=32, epochs=2, rng=np.random.default_rng(3))
        return model.arrays

    new, used = build(estimator, options, outputs), build(estimator, options, outputs)
    start = {name: array.copy() for name, array in new.arrays.items()}
    train(used, x, y, batch_size=9, epochs=1, rng=np.random.default_rng(5))
    expected, got = go_on(new), go_on(used)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)
        assert (array != start[name]).any()


def test_a_step_of_the_network_is_one_update_of_its_own_partial_fit(digits: Any) -> None:
    from sklearn.neural_network import MLPClassifier

    options = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1, "hidden_layer_sizes": (8,)}
    model = build(NETWORK[0], options)
    reference = MLPClassifier(**options, shuffle=False, batch_size=250, random_state=0)
    reference.partial_fit(digits.x[:250], digits.y[:250], classes=range(10))
    for (_, array), start in zip(
        model.arrays.items(),
        (a for pair in zip(reference.coefs_, reference.intercepts_, strict=True) for a in pair),
        strict=True,
    ):
        start[...] = array
    model.train_step(digits.x[:250], digits.y[:250])
    reference.partial_fit(digits.x[:250], digits.y[:250])
    np.testing.assert_array_equal(model.arrays["coefs_0"], reference.coefs_[0])


def test_the_count_of_updates_is_the_optimizers_state_of_a_linear_model(digits: Any) -> None:
    model, other = build(*LINEAR), build(*LINEAR)
    fit(model, digits, rows=100)
    np.testing.assert_array_equal(model.optimizer_arrays["t_"], [101.0])
    other.load(model.arrays)
    other.load_optimizer(model.optimizer_arrays)
    for trainee in (model, other):
        fit(trainee, digits, seed=1)
    np.testing.assert_array_equal(other.arrays["coef_"], model.arrays["coef_"])
    model.load_optimizer(None)
    np.testing.assert_array_equal(model.optimizer_arrays["t_"], [1.0])
    assert build(*NETWORK).optimizer_arrays == {}


def test_outputs_have_a_column_per_class(digits: Any) -> None:
    for outputs in (2, 10):
        for options in (LINEAR[1], {"loss": "hinge"}):
            model = build(LINEAR[0], options, outputs)
            assert model.predict(digits.x[:7]).shape == (7, outputs)
            assert model.predict(digits.x[:0]).shape == (0, outputs)
    assert np.isnan(model.evaluate(digits.x[:0], digits.y[:0]).loss)


def test_the_hinge_loss_is_that_of_scikit_learn(digits: Any) -> None:
    from sklearn.metrics import hinge_loss

    model = build(LINEAR[0], {"loss": "hinge"})
    fit(model, digits)
    expected = hinge_loss(digits.test_y, model.predict(digits.test_x), labels=range(10))
    assert model.evaluate(digits.test_x, digits.test_y).loss == pytest.approx(expected)


def test_gradients_and_anchors_that_partial_fit_cannot_honour_are_refused_with_a_way_out(digits: Any) -> None:
    model = build(*LINEAR)
    x, y, gradient = digits.x[:4], digits.y[:4], np.zeros(model.size, np.float32)
    with pytest.raises(ModelError, match="accumulate=1"):
        model.gradient(x, y, gradient)
    with pytest.raises(ModelError, match="accumulate=1"):
        model.apply(gradient)
    with pytest.raises(ModelError, match="other than fedprox"):
        model.anchor(0.1, model.arrays)
    model.anchor(0.0, model.arrays)
    model.anchor(0.1, None)


@pytest.mark.parametrize(
    ("estimator", "options", "message"),
    [
        ("sklearn.linear_model.SGD", {}, "'sklearn.linear_model.SGD' was not found"),
        ("nowhere.Classifier", {}, "was not found"),
        ("SGDClassifier", {}, "was not found"),
        ("sklearn.svm.SVC", {}, "no partial_fit"),
        ("sklearn.linear_model.SGDRegressor", {}, "not a classifier"),
        ("sklearn.naive_bayes.GaussianNB", {}, "coef_"),
        (LINEAR[0], {"los": "hinge"}, "los is not an option.*loss"),
        (LINEAR[0], {"shuffle": True}, "decided by fedlocal"),
    ],
)
def test_estimators_and_options_that_do_not_fit_are_refused(
    estimator: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        build(estimator, options)


def test_real_targets_are_refused() -> None:
    with pytest.raises(ModelError, match="real values"):
        SklearnModel(*LINEAR, inputs=3, outputs=1, classes=False, rng=np.random.default_rng(0))


def test_the_factory_can_be_sent_to_another_process() -> None:
    factory = pickle.loads(pickle.dumps(partial(SklearnModel, *NETWORK)))  # noqa: S301
    model = factory(inputs=64, outputs=10, classes=True, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(model.arrays["coefs_0"], build(*NETWORK).arrays["coefs_0"])


@pytest.mark.parametrize(
    ("loss", "expected"), [("log_loss", True), ("modified_huber", True), ("hinge", False)]
)
def test_a_model_says_whether_its_outputs_are_probabilities(loss: str, expected: bool) -> None:
    assert build(LINEAR[0], {"loss": loss}).probabilities is expected


def test_probabilities_that_all_underflow_are_in_proportion_to_their_limits() -> None:
    model = build(*LINEAR, outputs=3)
    model.arrays["intercept_"][:] = [-1000, -1001, -2000]
    expected = np.array([1, np.exp(-1), 0]) / (1 + np.exp(-1))
    np.testing.assert_allclose(model.predict(np.zeros((1, 64), np.float32)), expected[None], atol=1e-12)
