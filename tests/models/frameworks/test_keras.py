"""Keras models train like fedlocal's own network, by either path, with the backend that this process has.

Keras has one backend in a process: JAX, unless KERAS_BACKEND says otherwise.
"""

import os
import pickle
import random
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from fedlocal.models import MLP, Keras, ModelError, train
from tests.models.conftest import Digits

BACKEND: Any = os.environ.get("KERAS_BACKEND", "jax")
for library in ("keras", BACKEND):
    if find_spec(library) is None:
        pytest.skip(f"extras: needs {library} (pip install {library})", allow_module_level=True)
pytestmark = pytest.mark.extras

MODELS = "tests.models.frameworks.keras_models."
PLAIN: dict[str, Any] = {"_target_": "fedlocal.models.keras_mlp", "hidden": [32]}
CROSS_ENTROPY = {"_target_": "keras.losses.SparseCategoricalCrossentropy", "from_logits": True}
SGD = {"_target_": "keras.optimizers.SGD", "learning_rate": 0.1}
MOMENTUM = {**SGD, "momentum": 0.9, "nesterov": True}
OPTIMIZERS = [SGD, MOMENTUM, "adam", "rmsprop"]


def build(
    model: Any = PLAIN,
    optimizer: Any = SGD,
    loss: Any = CROSS_ENTROPY,
    *,
    backend: Any = BACKEND,
    input_shape: list[int] | None = None,
    outputs: int = 10,
    classes: bool = True,
    seed: int = 0,
) -> Any:
    if isinstance(model, str):
        model = {"_target_": MODELS + model}
    factory = Keras(model, loss, optimizer, backend, input_shape)
    rng = np.random.default_rng(seed)
    return factory(inputs=64, outputs=outputs, classes=classes, rng=rng, shape=(8, 8))


def fit(model: Any, digits: Digits, *, rows: int = 200, seed: int = 3, accumulate: int = 1) -> float:
    x, y, rng = digits.x[:rows], digits.y[:rows], np.random.default_rng(seed)
    return train(model, x, y, batch_size=32, epochs=1, rng=rng, accumulate=accumulate)


def copies(arrays: Any) -> dict[str, Any]:
    return {name: array.copy() for name, array in arrays.items()}


def assert_same(first: Any, other: Any) -> None:
    assert list(first) == list(other)
    for name, array in first.items():
        np.testing.assert_array_equal(other[name], array, err_msg=name)


def test_a_keras_model_learns_as_the_numpy_network_from_the_same_weights(digits: Digits) -> None:
    network = MLP([32], learning_rate=0.1, inputs=64, outputs=10, classes=True, rng=np.random.default_rng(0))
    model = build()
    model.load(dict(zip(model.arrays, network.arrays.values(), strict=True)))
    losses = [
        [fit(trainee, digits, rows=1437, seed=epoch) for epoch in range(4)] for trainee in (model, network)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    evaluations = [trainee.evaluate(digits.test_x, digits.test_y) for trainee in (model, network)]
    np.testing.assert_allclose(evaluations[0].loss, evaluations[1].loss, rtol=1e-3)
    np.testing.assert_allclose(model.predict(digits.test_x), network.predict(digits.test_x), atol=1e-3)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_both_paths_give_the_same_bits_and_state_can_be_handed_on(digits: Digits, optimizer: Any) -> None:
    fused, separate, handed = (build(optimizer=optimizer) for _ in range(3))
    gradient = np.empty(separate.size, np.float32)
    for start in range(0, 96, 32):
        x, y = digits.x[start : start + 32], digits.y[start : start + 32]
        handed.load(fused.arrays)
        for name, array in handed.optimizer_arrays.items():
            np.copyto(array, fused.optimizer_arrays[name])
        assert fused.train_step(x, y) == separate.gradient(x, y, gradient) == handed.train_step(x, y)
        separate.apply(gradient)
    for other in (separate, handed):
        assert_same(fused.arrays, other.arrays)
        assert_same(fused.optimizer_arrays, other.optimizer_arrays)


@pytest.mark.parametrize("optimizer", ["adam"])
def test_a_train_step_is_kerass_own_update(digits: Digits, optimizer: str) -> None:
    model = build(optimizer=optimizer)
    import keras  # now that it has its backend

    from fedlocal.models.frameworks.keras_modules import keras_mlp

    reference = keras_mlp((8, 8, 1), 10, [32])
    reference.set_weights(list(model.arrays.values()))
    reference.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for start in range(0, 96, 32):
        x, y = digits.x[start : start + 32], digits.y[start : start + 32]
        reference.train_on_batch(x.reshape(-1, 8, 8, 1), y)
        model.train_step(x, y)
    for array, weight in zip(model.arrays.values(), reference.weights, strict=True):
        value: Any = weight.value.detach() if BACKEND == "torch" else weight.value
        np.testing.assert_allclose(array, np.asarray(value), atol=1e-5)


def test_a_model_that_was_used_goes_on_like_a_new_model_after_a_reset(digits: Digits) -> None:
    new, used = build(optimizer="adam"), build(optimizer="adam")
    start = copies(new.arrays)
    fit(used, digits, seed=5)
    used.load(start)
    used.load_optimizer(None)
    for trainee in (new, used):
        fit(trainee, digits)
    assert_same(new.arrays, used.arrays)
    assert (new.arrays["0.kernel"] != start["0.kernel"]).any()


def test_names_are_the_same_in_each_build() -> None:
    assert list(build().arrays) == list(build().arrays) == ["0.kernel", "1.bias", "2.kernel", "3.bias"]
    first, other = (list(build(optimizer="adam").optimizer_arrays) for _ in range(2))
    assert first == other


def test_a_model_lives_in_memory_that_other_models_write_to(digits: Digits) -> None:
    model, memory = build(), np.zeros(build().size, np.float32)
    before = copies(model.arrays)
    model.live_in(memory)
    assert not any(array.any() for array in model.arrays.values())
    model.load(before)
    assert memory.any()
    other = build(seed=1)
    other.live_in(memory)
    for trainee in (model, other):
        fit(trainee, digits, rows=32)
    assert_same(model.arrays, other.arrays)


def test_a_gradient_is_weighted_and_added_as_if_written_and_then_added(digits: Digits) -> None:
    model, weight = build(), 1 / 3
    once, alone = np.random.default_rng(0).standard_normal((2, model.size), np.float32)
    twice = once.copy()
    model.gradient(digits.x[:30], digits.y[:30], once, weight, add=True)
    model.gradient(digits.x[:30], digits.y[:30], alone, weight)
    np.testing.assert_array_equal(once, twice + alone)


def test_the_anchor_pulls_towards_its_arrays(digits: Digits) -> None:
    plain, pulled = build(), build()
    start = copies(plain.arrays)
    target = {name: array + 1 for name, array in start.items()}
    pulled.anchor(0.5, target)
    for trainee in (plain, pulled):
        trainee.train_step(digits.x[:32], digits.y[:32])
    for name, array in plain.arrays.items():
        np.testing.assert_allclose(pulled.arrays[name], array + 0.05, atol=1e-6)


def test_dropout_depends_on_the_batch_and_on_nothing_else(digits: Digits) -> None:
    first, second = build("dropping"), build("dropping")
    for trainee in (first, second):
        fit(trainee, digits)
    assert_same(first.arrays, second.arrays)
    gradient, other = np.empty((2, first.size), np.float32)
    first.gradient(digits.x[:32], digits.y[:32], gradient)
    first.gradient(digits.x[:32], digits.y[:32], other)
    np.testing.assert_array_equal(gradient, other)
    first.arrays["3.bias"][0] += 1e-6
    first.gradient(digits.x[:32], digits.y[:32], other)
    assert not np.allclose(gradient, other, atol=1e-4)


def test_pythons_generator_is_left_as_it_was(digits: Digits) -> None:
    state = random.getstate()
    fit(build("dropping"), digits, rows=32)
    assert random.getstate() == state
    assert (build(seed=1).predict(digits.x[:5]) != build().predict(digits.x[:5])).any()


def test_moving_statistics_are_arrays_that_train_steps_change(digits: Digits) -> None:
    model = build("normalised")
    before = copies(model.arrays)
    assert not before["4.moving_mean"].any()
    fit(model, digits, rows=64)
    assert model.arrays["4.moving_mean"].any()
    trained = copies(model.arrays)
    model.evaluate(digits.test_x, digits.test_y)
    assert_same(model.arrays, trained)
    with pytest.raises(ModelError, match=r"batch-norm.*accumulate=1"):
        model.live_in(np.zeros(model.size, np.float32))


def test_images_have_channels_and_a_model_may_be_built_by_its_first_rows(digits: Digits) -> None:
    model = build("convolving", loss="sparse_categorical_crossentropy", optimizer="sgd")
    assert model.predict(digits.x[:3]).shape == (3, 10)
    assert model.predict(digits.x[:0]).shape == (0, 10)
    assert np.isnan(model.evaluate(digits.x[:0], digits.y[:0]).loss)


def test_penalties_of_layers_are_minimised_with_the_loss(digits: Digits) -> None:
    model = build("penalised")
    before = float(np.abs(model.arrays["0.kernel"]).sum())
    fit(model, digits, rows=64)
    assert float(np.abs(model.arrays["0.kernel"]).sum()) < 0.9 * before


def test_real_targets_are_learned_without_an_accuracy(digits: Digits) -> None:
    model, y = build(loss="mse", outputs=2, classes=False), digits.x[:200, 20:22].copy()
    rng = np.random.default_rng(0)
    first, last = (train(model, digits.x[:200], y, batch_size=20, epochs=5, rng=rng) for _ in range(2))
    assert last < first
    evaluation = model.evaluate(digits.x[:200], y)
    assert evaluation.accuracy is None
    assert evaluation.loss == pytest.approx(np.square(model.predict(digits.x[:200]) - y).mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"_target_": "nowhere.Net"}}, r"model\.model\._target_=nowhere\.Net"),
        ({"model": {**PLAIN, "widht": 3}}, "model.model: .*mlp: TypeError: .*widht"),
        ({"model": "no_model"}, "not a keras.Model"),
        ({"outputs": 3, "model": {**PLAIN, "outputs": 4}}, r"makes \[2, 4\] of two rows; for 3 classes"),
        ({"input_shape": [8, 7]}, r"model\.input_shape=\[8, 7\]: a row has 64 features"),
        ({"input_shape": [64], "model": "convolving"}, "does not take rows"),
        ({"loss": "nothing"}, "model.loss=nothing"),
        ({"loss": {**CROSS_ENTROPY, "reduction": "sum"}}, "must be their mean"),
        ({"optimizer": "nothing"}, "model.optimizer=nothing"),
        ({"optimizer": {**SGD, "lr": 1}}, "model.optimizer: .*lr"),
        (
            {"backend": "tensorflow" if BACKEND != "tensorflow" else "jax"},
            "Keras is loaded with|not installed",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    build()
    with pytest.raises(ModelError, match=message):
        build(**changes)


def test_the_factory_can_be_sent_to_another_process() -> None:
    factory = pickle.loads(pickle.dumps(Keras(PLAIN, CROSS_ENTROPY, SGD, BACKEND)))  # noqa: S301
    model = factory(inputs=64, outputs=10, classes=True, rng=np.random.default_rng(0), shape=(8, 8))
    assert_same(model.arrays, build().arrays)


LOSSES = "keras.losses."


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (CROSS_ENTROPY, True),
        ({"_target_": LOSSES + "sparse_categorical_crossentropy", "from_logits": True}, True),
        ({"_target_": LOSSES + "sparse_categorical_crossentropy"}, False),  # of logits: no softmax anywhere
        ("sparse_categorical_crossentropy", False),
    ],
)
def test_a_model_says_whether_its_outputs_are_probabilities(
    digits: Digits, loss: Any, expected: bool
) -> None:
    model = build(loss=loss)
    assert model.probabilities is expected
    if expected:
        np.testing.assert_allclose(model.predict(digits.x[:9]).sum(axis=1), 1, rtol=1e-5)
