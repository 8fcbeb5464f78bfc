import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedlocal.models import MLP, Model, ModelError
from fedlocal.models.numpy.mlp import ROWS_AT_ONCE

Array = NDArray[Any]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
}
HEADS = [
    ("softmax", "cross_entropy", True),
    ("softmax", "mean_squared_error", True),
    ("sigmoid", "mean_squared_error", True),
    ("identity", "mean_squared_error", True),
    ("identity", "mean_squared_error", False),
    ("sigmoid", "mean_squared_error", False),
]


def build(hidden: Any = (7, 5), *, inputs: int = 6, outputs: int = 4, seed: int = 0, **options: Any) -> MLP:
    classes = options.pop("classes", True)
    rng = np.random.default_rng(seed)
    return MLP(list(hidden), **options, inputs=inputs, outputs=outputs, classes=classes, rng=rng)


def batch(model: MLP, rows: int = 9, seed: int = 1, *, classes: bool = True) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    shapes = [array.shape for array in model.arrays.values()]
    x = rng.standard_normal((rows, shapes[0][0]), np.float32)
    outputs = shapes[-1][0]
    return x, rng.integers(outputs, size=rows) if classes else rng.random((rows, outputs), np.float32)


def forward(vector: Array, widths: list[int], activation: str, output: str, x: Array) -> Array:
    """The network written down plainly, in float64."""
    a, start = x.astype(np.float64), 0
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weight = vector[start : start + inputs * outputs].reshape(inputs, outputs)
        bias = vector[start + inputs * outputs : start + (inputs + 1) * outputs]
        start += (inputs + 1) * outputs
        a = ACTIVATIONS[output if layer == len(widths) - 2 else activation](a @ weight + bias)
    return a


def loss_of(outputs: Array, y: Array, loss: str) -> float:
    target = np.eye(outputs.shape[1])[y] if y.ndim == 1 else y
    if loss == "cross_entropy":
        return float(-(target * np.log(outputs)).sum(axis=1).mean())
    return float(((outputs - target) ** 2).mean())


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity"])
@pytest.mark.parametrize(("output", "loss", "classes"), HEADS)
def test_gradient_is_that_of_finite_differences(
    activation: str, output: str, loss: str, classes: bool
) -> None:
    model = build(activation=activation, output=output, loss=loss, classes=classes)
    for name, array in model.arrays.items():
        if name.endswith("bias"):
            array[:] = np.random.default_rng(2).standard_normal(array.shape) / 4
    x, y = batch(model, classes=classes)
    before = model.vector.copy()
    gradient = np.full(model.size, np.nan, np.float32)

    value = model.gradient(x, y, gradient)

    def loss_at(vector: Array) -> float:
        return loss_of(forward(vector, [6, 7, 5, 4], activation, output, x), y, loss)

    at = before.astype(np.float64)
    moves = 1e-6 * np.eye(model.size)
    expected = np.array([(loss_at(at + move) - loss_at(at - move)) / 2e-6 for move in moves])
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)
    assert value == pytest.approx(loss_at(at), rel=1e-5)
    np.testing.assert_array_equal(model.vector, before)
    np.testing.assert_allclose(model.predict(x), forward(at, [6, 7, 5, 4], activation, output, x), rtol=1e-4)


def reference_steps(
    model: MLP,
    batches: list[tuple[Array, Array]],
    lr: float,
    m: float,
    decay: float,
    mu: float,
    anchor: Array,
) -> tuple[Array, Array]:
    """PyTorch's SGD on the proximal loss, step by step in float64, with the model's own gradient."""
    w, v = model.vector.astype(np.float64), np.zeros(model.size)
    gradient = np.empty(model.size, np.float32)
    for x, y in batches:
        model.vector[:] = w
        model.gradient(x, y, gradient)
        v = m * v + gradient + decay * w + mu * (w - anchor)
        w = w - lr * v
    return w, v


@given(
    hidden=st.lists(st.integers(1, 9), max_size=3),
    rows=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    outputs=st.integers(1, 4),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    decay=st.sampled_from([0.0, 0.1]),
    mu=st.sampled_from([0.0, 0.3]),
)
@settings(max_examples=60)
def test_both_paths_follow_the_recurrences(
    hidden: list[int], rows: list[int], outputs: int, momentum: float, decay: float, mu: float
) -> None:
    def fresh() -> MLP:
        model = build(
            hidden,
            outputs=outputs,
            activation="tanh",
            learning_rate=0.1,
            momentum=momentum,
            weight_decay=decay,
        )
        model.anchor(mu, {name: array * 0 + 0.5 for name, array in model.arrays.items()})
        return model

    fused, split = fresh(), fresh()
    batches = [batch(fused, size, seed) for seed, size in enumerate(rows)]
    expected, velocity = reference_steps(fresh(), batches, 0.1, momentum, decay, mu, np.full(fused.size, 0.5))
    gradient = np.empty(split.size, np.float32)
    for x, y in batches:
        loss = fused.train_step(x, y)
        assert loss == pytest.approx(split.gradient(x, y, gradient), rel=1e-4, abs=1e-6)
        split.apply(gradient)

    for model in (fused, split):
        np.testing.assert_allclose(model.vector, expected, rtol=1e-4, atol=1e-5)
        if momentum:
            np.testing.assert_allclose(model.optimizer_arrays["velocity"], velocity, rtol=1e-4, atol=1e-5)


def test_arrays_are_views_of_one_aligned_vector_in_a_fixed_order() -> None:
    model = build()
    arrays = model.arrays
    assert {name: array.shape for name, array in arrays.items()} == {
        "layer0.weight": (6, 7),
        "layer0.bias": (7,),
        "layer1.weight": (7, 5),
        "layer1.bias": (5,),
        "layer2.weight": (5, 4),
        "layer2.bias": (4,),
    }
    np.testing.assert_array_equal(np.concatenate([a.ravel() for a in arrays.values()]), model.vector)
    assert model.vector.ctypes.data % 64 == 0
    assert model.vector.dtype == np.float32
    assert model.size == model.vector.size == sum(a.size for a in arrays.values())
    arrays["layer1.bias"][:] = 7
    assert (model.vector == 7).sum() == 5


def test_steps_update_in_place_whatever_the_layers() -> None:
    for hidden, outputs, rows in itertools.product([(), (1,), (5, 1, 3)], [1, 4], [1, 2, 33]):
        model = build(hidden, outputs=outputs, output="identity", loss="mean_squared_error")
        memory, before = model.vector.ctypes.data, model.vector.copy()
        model.train_step(*batch(model, rows))
        assert model.vector.ctypes.data == memory
        assert (model.vector != before).any()
        assert np.shares_memory(model.arrays["layer0.weight"], model.vector)


def test_a_step_allocates_next_to_nothing_once_its_buffers_stand() -> None:
    model = build((1024, 512), inputs=300, momentum=0.9, weight_decay=0.1)
    x, y = batch(model, 64)
    model.train_step(x, y)
    tracemalloc.start()
    try:
        model.train_step(x, y)
        model.train_step(x[:17], y[:17])
        assert (
            tracemalloc.get_traced_memory()[1] < 60_000
        )  # NumPy's own; a hidden layer alone has 262,144 bytes
    finally:
        tracemalloc.stop()


def test_initial_parameters_come_from_the_generator_alone() -> None:
    np.random.seed(0)  # noqa: NPY002
    first = build(seed=3).vector
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(build(seed=3).vector, first)
    assert (build(seed=4).vector != first).any()


@pytest.mark.parametrize(("activation", "variance"), [("relu", 2 / 400), ("tanh", 2 / 700)])
def test_initial_weights_have_the_variance_of_he_or_glorot(activation: str, variance: float) -> None:
    arrays = build((300,), inputs=400, activation=activation).arrays
    assert arrays["layer0.weight"].var() == pytest.approx(variance, rel=0.03)
    assert arrays["layer1.weight"].var() == pytest.approx(2 / 304, rel=0.15)
    assert not arrays["layer0.bias"].any()


def test_load_copies_and_leaves_no_tie_to_the_loaded_arrays() -> None:
    source, model = build(seed=1), build(seed=2)
    model.load(source.arrays)
    np.testing.assert_array_equal(model.vector, source.vector)
    source.train_step(*batch(source))
    assert (model.vector != source.vector).any()


def drop(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: array for name, array in arrays.items() if name != "layer1.bias"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, "'layer1.bias' is missing"),
        (lambda a: {**a, "extra": a["layer0.bias"]}, "'extra' is not one of this model's"),
        (lambda a: {**a, "layer0.bias": np.zeros(8, np.float32)}, r"'layer0.bias' has shape \(8,\).*\(7,\)"),
        (lambda a: {**a, "layer0.bias": np.zeros(7)}, "'layer0.bias' is float64.*float32"),
    ],
)
def test_load_names_the_first_difference_and_changes_nothing(change: Any, message: str) -> None:
    model = build()
    before = model.vector.copy()
    arrays = change({name: array + 1 for name, array in model.arrays.items()})
    for load in (model.load, lambda arrays: model.anchor(1.0, arrays)):
        with pytest.raises(ModelError, match=message):
            load(arrays)
    np.testing.assert_array_equal(model.vector, before)


def test_load_optimizer_copies_the_velocity_or_resets_it() -> None:
    model = build(momentum=0.9)
    model.train_step(*batch(model))
    velocity = {name: array.copy() for name, array in model.optimizer_arrays.items()}
    assert velocity["velocity"].any()
    model.load_optimizer(None)
    assert not model.optimizer_arrays["velocity"].any()
    model.load_optimizer(velocity)
    np.testing.assert_array_equal(model.optimizer_arrays["velocity"], velocity["velocity"])
    model.load_optimizer({})
    assert not model.optimizer_arrays["velocity"].any()
    with pytest.raises(ModelError, match="not one of"):
        build().load_optimizer(velocity)


def test_the_anchor_is_a_copy() -> None:
    tied, model = build(), build()
    tied.anchor(1.0, tied.arrays)  # views of what is about to move
    model.anchor(1.0, {name: array.copy() for name, array in model.arrays.items()})
    for seed in range(3):
        for trainee in (tied, model):
            trainee.train_step(*batch(trainee, seed=seed))
    np.testing.assert_array_equal(tied.vector, model.vector)


@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_the_anchor_can_be_taken_away(mu: float) -> None:
    plain, model = build(), build()
    model.anchor(1.0, {name: array + 1 for name, array in model.arrays.items()})
    model.anchor(mu, None if mu else model.arrays)
    for trainee in (plain, model):
        trainee.train_step(*batch(trainee))
    np.testing.assert_array_equal(model.vector, plain.vector)


def test_a_used_model_trains_like_a_fresh_model_after_loading() -> None:
    fresh, used = build(momentum=0.9), build(seed=5, momentum=0.9)
    used.anchor(0.5, used.arrays)
    used.train_step(*batch(used, 40, seed=8))
    used.evaluate(*batch(used, 700))
    used.load(fresh.arrays)
    used.load_optimizer(None)
    used.anchor(0, None)
    for seed in range(3):
        for model in (fresh, used):
            model.train_step(*batch(model, 9 - seed, seed))
    np.testing.assert_array_equal(used.vector, fresh.vector)


def test_evaluate_and_predict_take_any_number_of_rows() -> None:
    model = build()
    x, y = batch(model, 2 * ROWS_AT_ONCE + 5)
    outputs = model.predict(x)
    evaluation = model.evaluate(x, y)
    assert outputs.shape == (len(x), 4)
    assert evaluation.loss == pytest.approx(loss_of(outputs.astype(np.float64), y, "cross_entropy"), rel=1e-5)
    assert evaluation.accuracy == (outputs.argmax(axis=1) == y).mean()
    assert model.predict(x[:0]).shape == (0, 4)
    nothing = model.evaluate(x[:0], y[:0])
    assert np.isnan(nothing.loss)
    assert nothing.accuracy is not None
    assert np.isnan(nothing.accuracy)


def test_real_targets_have_no_accuracy() -> None:
    model = build(output="identity", loss="mean_squared_error", classes=False)
    assert model.evaluate(*batch(model, classes=False)).accuracy is None


def test_training_that_diverges_returns_its_loss_quietly() -> None:
    model = build(learning_rate=1e30, output="identity", loss="mean_squared_error")
    losses = [model.train_step(*batch(model)) for _ in range(6)]
    assert not np.isfinite(losses[-1])
    certain = build(learning_rate=1e4)
    assert all(np.isfinite(certain.train_step(*batch(certain))) for _ in range(3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "rleu"}, r"activation='rleu'.*\['identity', 'relu', 'sigmoid', 'tanh'\]"),
        ({"output": "relu"}, "output='relu' is unknown"),
        ({"loss": "hinge"}, "loss='hinge' is unknown"),
        ({"output": "identity"}, "needs output='softmax'"),
        ({"classes": False}, "targets are real values.*mean_squared_error"),
        ({"hidden": [0]}, "at least 1"),
        ({"learning_rate": -0.1}, "learning_rate is -0.1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"weight_decay": float("inf")}, "weight_decay is inf"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build(**options)


def test_rows_targets_and_gradients_of_another_shape_are_refused() -> None:
    model = build()
    x, y = batch(model)
    with pytest.raises(ModelError, match=r"rows have shape \(9, 5\).*6"):
        model.train_step(x[:, :5], y)
    with pytest.raises(ModelError, match=r"rows have shape \(0, 6\)"):
        model.train_step(x[:0], y[:0])
    with pytest.raises(ModelError, match=r"targets have shape \(9, 1\)"):
        model.train_step(x, y[:, None])
    wrong: list[Any] = [
        np.zeros(3, np.float32),
        np.zeros(model.size),
        np.zeros(2 * model.size, np.float32)[::2],
    ]
    for gradient in wrong:
        with pytest.raises(ModelError, match="contiguous float32"):
            model.gradient(x, y, gradient)
        with pytest.raises(ModelError, match="contiguous float32"):
            model.apply(gradient)
    with pytest.raises(ModelError, match="mu is -1"):
        model.anchor(-1, model.arrays)


def test_an_mlp_is_a_model() -> None:
    model: Model = build()
    assert model.size == 6 * 7 + 7 + 7 * 5 + 5 + 5 * 4 + 4


def test_the_gradient_of_a_linear_model_is_the_closed_form() -> None:
    model = build((), output="identity", loss="mean_squared_error", classes=False)
    x, y = batch(model, classes=False)
    gradient = np.empty(model.size, np.float32)
    model.gradient(x, y, gradient)
    ones = np.column_stack([x, np.ones(len(x))])
    weights = model.vector.reshape(7, 4).astype(np.float64)
    np.testing.assert_allclose(gradient.reshape(7, 4), 2 * ones.T @ (ones @ weights - y) / y.size, rtol=1e-4)


@pytest.mark.parametrize("rows", [1, 9, 128, 1000])
@pytest.mark.parametrize("classes", [True, False])
def test_an_exact_addition_has_the_bits_of_writing_and_adding(rows: int, classes: bool) -> None:
    model = build((64,), output="identity", loss="mean_squared_error", classes=classes)
    x, y = batch(model, rows, classes=classes)
    sums, gradient = np.random.default_rng(1).standard_normal((2, model.size), np.float32)
    expected = sums.copy()
    assert not model.adds_exactly(rows, 1 / 3)
    losses = {model.gradient(x, y, gradient, 0.25), model.gradient(x, y, sums, 0.25, add=True)}
    assert len(losses) == 1
    expected += gradient
    np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-6)
    assert not model.adds_exactly(rows, 0.25) or np.array_equal(sums, expected)
