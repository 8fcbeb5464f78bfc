"""PyTorch modules train like fedlocal's own network, by either path, and leave nothing behind."""

import pickle
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from fedlocal.models import MLP, ModelError, PyTorch, train
from tests.models.conftest import Digits

torch: Any = pytest.importorskip("torch", reason="extras: needs PyTorch (pip install torch)")
pytestmark = pytest.mark.extras

MODULES = "tests.models.frameworks.torch_modules."
PLAIN: dict[str, Any] = {"_target_": "fedlocal.models.torch_mlp", "hidden": [32]}
CROSS_ENTROPY = {"_target_": "torch.nn.CrossEntropyLoss"}
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1}
MOMENTUM = {**SGD, "momentum": 0.9, "weight_decay": 0.01}
OPTIMIZERS = [
    SGD,
    MOMENTUM,
    {**MOMENTUM, "nesterov": True},
    {**SGD, "momentum": 0.9, "dampening": 0.5},
    *(
        {"_target_": f"torch.optim.{name}", "lr": 0.01}
        for name in ("Adam", "AdamW", "Adagrad", "RMSprop", "NAdam", "RAdam", "Rprop", "ASGD", "Adadelta")
    ),
]


def build(
    module: Any = PLAIN,
    optimizer: Any = SGD,
    loss: Any = CROSS_ENTROPY,
    *,
    input_shape: list[int] | None = None,
    inputs: int = 64,
    outputs: int = 10,
    classes: bool = True,
    shape: tuple[int, ...] = (8, 8),
    seed: int = 0,
) -> Any:
    if isinstance(module, str):
        module = {"_target_": MODULES + module}
    factory = PyTorch(module, loss, optimizer, input_shape)
    rng = np.random.default_rng(seed)
    return factory(inputs=inputs, outputs=outputs, classes=classes, rng=rng, shape=shape)


def fit(
    model: Any, digits: Digits, *, rows: int = 200, epochs: int = 1, seed: int = 3, accumulate: int = 1
) -> float:
    x, y, rng = digits.x[:rows], digits.y[:rows], np.random.default_rng(seed)
    return train(model, x, y, batch_size=32, epochs=epochs, rng=rng, accumulate=accumulate)


def copies(arrays: Any) -> dict[str, Any]:
    return {name: array.copy() for name, array in arrays.items()}


def assert_same(first: Any, other: Any) -> None:
    assert list(first) == list(other)
    for name, array in first.items():
        np.testing.assert_array_equal(other[name], array, err_msg=name)


def test_a_module_learns_as_the_numpy_network_from_the_same_weights(digits: Digits) -> None:
    network = MLP([32], learning_rate=0.1, inputs=64, outputs=10, classes=True, rng=np.random.default_rng(0))
    model = build()
    weights = network.arrays
    model.load({name: np.ascontiguousarray(array.T) for name, array in weights.items()})
    losses = [
        [fit(trainee, digits, rows=1437, seed=epoch) for epoch in range(5)] for trainee in (model, network)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    evaluations = [trainee.evaluate(digits.test_x, digits.test_y) for trainee in (model, network)]
    np.testing.assert_allclose(evaluations[0].loss, evaluations[1].loss, rtol=1e-3)
    np.testing.assert_allclose(model.predict(digits.test_x), network.predict(digits.test_x), atol=1e-3)


def test_initial_weights_follow_the_law_of_the_numpy_network() -> None:
    network = MLP([512], inputs=64, outputs=10, classes=True, rng=np.random.default_rng(0))
    for name, array in build({**PLAIN, "hidden": [512]}).arrays.items():
        assert array.T.shape == network.arrays[name].shape
        assert array.std() == pytest.approx(network.arrays[name].std(), rel=0.05)


@pytest.mark.parametrize("optimizer", [SGD, MOMENTUM, {"_target_": "torch.optim.AdamW", "lr": 0.01}])
def test_a_train_step_is_pytorchs_own_update(digits: Digits, optimizer: dict[str, Any]) -> None:
    model, module = (
        build(optimizer=optimizer),
        torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)),
    )
    module.load_state_dict(
        dict(zip(module.state_dict(), map(torch.tensor, model.arrays.values()), strict=True))
    )
    options = {key: value for key, value in optimizer.items() if key != "_target_"}
    reference = getattr(torch.optim, optimizer["_target_"].split(".")[-1])(module.parameters(), **options)
    for start in range(0, 160, 32):
        x, y = digits.x[start : start + 32], digits.y[start : start + 32]
        reference.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        reference.step()
        assert model.train_step(x, y) == loss.item()
    for array, parameter in zip(model.arrays.values(), module.parameters(), strict=True):
        np.testing.assert_array_equal(array, parameter.detach().numpy())


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda node: "-".join(map(str, node.values())))
def test_both_paths_give_the_same_bits(digits: Digits, optimizer: dict[str, Any]) -> None:
    fused, separate = build(optimizer=optimizer), build(optimizer=optimizer)
    gradient = np.empty(separate.size, np.float32)
    for start in range(0, 96, 32):
        x, y = digits.x[start : start + 32], digits.y[start : start + 32]
        assert fused.train_step(x, y) == separate.gradient(x, y, gradient)
        separate.apply(gradient)
    assert_same(fused.arrays, separate.arrays)
    assert_same(fused.optimizer_arrays, separate.optimizer_arrays)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda node: "-".join(map(str, node.values())))
def test_the_state_of_an_optimizer_can_be_handed_on_at_any_time(
    digits: Digits, optimizer: dict[str, Any]
) -> None:
    """Before the first update, after it, later; by loading and by writing to the views, as processors do."""
    model = build(optimizer=optimizer)
    names = {name: (array.shape, array.dtype) for name, array in model.optimizer_arrays.items()}
    for step in range(4):
        loaded, written = build(optimizer=optimizer, seed=1), build(optimizer=optimizer, seed=2)
        fit(written, digits, rows=64)  # it has a state of its own
        for other in (loaded, written):
            other.load(model.arrays)
        loaded.load_optimizer(model.optimizer_arrays)
        for name, array in written.optimizer_arrays.items():
            np.copyto(array, model.optimizer_arrays[name])
        for trainee in (model, loaded, written):
            fit(trainee, digits, rows=32, seed=step)
        assert_same(model.arrays, loaded.arrays)
        assert_same(model.arrays, written.arrays)
        assert {name: (a.shape, a.dtype) for name, a in model.optimizer_arrays.items()} == names


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda node: "-".join(map(str, node.values())))
def test_a_model_that_was_used_goes_on_like_a_new_model_after_a_reset(
    digits: Digits, optimizer: dict[str, Any]
) -> None:
    new, used = build(optimizer=optimizer), build(optimizer=optimizer)
    start = copies(new.arrays)
    fit(used, digits, seed=5)
    used.load(start)
    used.load_optimizer(None)
    for trainee in (new, used):
        fit(trainee, digits)
    assert_same(new.arrays, used.arrays)
    assert (new.arrays["layer0.weight"] != start["layer0.weight"]).any()


def test_plain_sgd_has_no_state_and_momentum_has_buffers_by_name() -> None:
    assert build().optimizer_arrays == {}
    assert set(build(optimizer=MOMENTUM).optimizer_arrays) == {
        "updates",
        *(f"momentum_buffer/{name}" for name in build().arrays),
    }


def test_a_gradient_is_weighted_and_added_as_if_written_and_then_added(digits: Digits) -> None:
    model, weight = build(), 1 / 3
    once, alone = np.random.default_rng(0).standard_normal((2, model.size), np.float32)
    twice = once.copy()
    model.gradient(digits.x[:30], digits.y[:30], once, weight, add=True)
    model.gradient(digits.x[:30], digits.y[:30], alone, weight)
    assert model.adds_exactly(30, weight)
    np.testing.assert_array_equal(once, twice + alone)


def test_a_model_lives_in_memory_that_other_models_write_to(digits: Digits) -> None:
    model, memory = build(), np.zeros(build().size + 3, np.float32)[3:]
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


def test_bits_do_not_depend_on_where_the_parameters_lie(digits: Digits) -> None:
    ends = []
    for offset in (0, 1, 7):
        model = build({**PLAIN, "hidden": [96, 33]})
        before, memory = copies(model.arrays), np.zeros(model.size + offset, np.float32)[offset:]
        model.live_in(memory)
        model.load(before)
        fit(model, digits, rows=333)
        ends.append(copies(model.arrays))
    assert_same(ends[0], ends[1])
    assert_same(ends[0], ends[2])


def test_the_anchor_pulls_towards_its_arrays(digits: Digits) -> None:
    x, y, mu = digits.x[:32], digits.y[:32], 0.5
    plain, pulled = build(), build()
    target = {name: array + 1 for name, array in copies(plain.arrays).items()}
    start = copies(plain.arrays)
    pulled.anchor(mu, target)
    assert plain.train_step(x, y) == pulled.train_step(x, y)  # the loss is that of the data
    for name, array in plain.arrays.items():
        np.testing.assert_allclose(
            pulled.arrays[name], array - 0.1 * mu * (start[name] - target[name]), atol=1e-6
        )
    pulled.anchor(0.0, None)
    pulled.load(start)
    pulled.train_step(x, y)
    assert_same(plain.arrays, pulled.arrays)
    with pytest.raises(ModelError, match="mu is -1"):
        plain.anchor(-1.0, start)
    with pytest.raises(ModelError, match=r"layer0\.weight"):
        plain.anchor(1.0, {})


def test_dropout_depends_on_the_batch_and_on_nothing_else(digits: Digits) -> None:
    first, second = build("dropping"), build("dropping")
    torch.manual_seed(1)
    fit(first, digits)
    torch.manual_seed(2)
    np.random.default_rng().random()
    fit(second, digits)
    assert_same(first.arrays, second.arrays)
    gradient, other = np.empty((2, first.size), np.float32)
    first.gradient(digits.x[:32], digits.y[:32], gradient)
    first.gradient(digits.x[:32], digits.y[:32], other)
    np.testing.assert_array_equal(gradient, other)
    first.arrays["4.bias"][0] += 1e-6
    first.gradient(digits.x[:32], digits.y[:32], other)  # after an update, another choice of units
    assert not np.allclose(gradient, other, atol=1e-4)
    np.testing.assert_array_equal(first.predict(digits.x[:9]), first.predict(digits.x[:9]))


@pytest.mark.parametrize("module", [PLAIN, "dropping", "normalised"])
def test_the_global_generator_is_left_as_it_was(digits: Digits, module: Any) -> None:
    state = torch.get_rng_state()
    model = build(module)
    fit(model, digits)
    model.evaluate(digits.test_x, digits.test_y)
    assert torch.equal(torch.get_rng_state(), state)
    assert_same(build(module).arrays, build(module).arrays)
    assert (build(module, seed=1).predict(digits.x[:5]) != build(module).predict(digits.x[:5])).any()


def test_running_statistics_are_arrays_that_train_steps_change(digits: Digits) -> None:
    model = build("normalised")
    before = copies(model.arrays)
    assert before["2.num_batches_tracked"] == 0
    assert not before["2.running_mean"].any()
    assert model.size == 64 * 16 + 16 + 16 + 16 + 16 * 10 + 10
    fit(model, digits, rows=96)
    assert model.arrays["2.num_batches_tracked"] == 3
    assert model.arrays["2.running_mean"].any()
    trained = copies(model.arrays)
    model.evaluate(digits.test_x, digits.test_y)
    assert_same(model.arrays, trained)
    model.load(before)
    assert_same(model.arrays, before)
    with pytest.raises(ModelError, match=r"batch-norm.*accumulate=1"):
        model.live_in(np.zeros(model.size, np.float32))


def test_frozen_parameters_stay_and_have_no_gradient(digits: Digits) -> None:
    model = build("half_frozen", MOMENTUM)
    before = copies(model.arrays)
    assert model.size == 16 * 10 + 10
    fit(model, digits)
    np.testing.assert_array_equal(model.arrays["1.weight"], before["1.weight"])
    assert (model.arrays["3.weight"] != before["3.weight"]).any()
    model.anchor(0.1, before)
    model.train_step(digits.x[:8], digits.y[:8])


@pytest.mark.parametrize("optimizer", [SGD, MOMENTUM])
def test_sparse_gradients_are_taken_as_dense_ones(digits: Digits, optimizer: dict[str, Any]) -> None:
    model, other = build("Embedded", optimizer), build("Embedded", optimizer)
    before, gradient = copies(model.arrays), np.empty(model.size, np.float32)
    model.train_step(digits.x[:8], digits.y[:8])
    other.gradient(digits.x[:8], digits.y[:8], gradient)
    other.apply(gradient)
    assert_same(model.arrays, other.arrays)
    assert (model.arrays["embedding.weight"] != before["embedding.weight"]).any()


@pytest.mark.parametrize(
    ("stored", "given", "seen"),
    [
        ((12,), None, (12,)),
        ((3, 4), None, (1, 3, 4)),
        ((2, 2, 3), None, (3, 2, 2)),
        ((2, 2, 3), [2, 2, 3], (2, 2, 3)),
        ((2, 2, 1, 3), None, (2, 2, 1, 3)),
        ((3, 4), [12], (12,)),
    ],
)
def test_a_module_sees_examples_as_images_have_it(
    stored: tuple[int, ...], given: list[int] | None, seen: tuple[int, ...]
) -> None:
    node = {"_target_": MODULES + "seen", "shape": list(seen)}
    model = build(node, inputs=12, shape=stored, input_shape=given, outputs=2)
    x = np.arange(24, dtype=np.float32).reshape(2, 12)
    x.flags.writeable = False
    np.testing.assert_array_equal(
        model._rows(x)[1],
        x[1].reshape(stored).transpose(2, 0, 1) if len(seen) == 3 and seen[0] == 3 else x[1].reshape(seen),
    )
    assert model.predict(x).shape == (2, 2)


def test_real_targets_are_learned_without_an_accuracy(digits: Digits) -> None:
    model = build(loss={"_target_": "torch.nn.MSELoss"}, outputs=2, classes=False)
    y = digits.x[:200, 20:22].copy()
    rng = np.random.default_rng(0)
    first, last = (train(model, digits.x[:200], y, batch_size=20, epochs=5, rng=rng) for _ in range(2))
    assert last < first
    evaluation = model.evaluate(digits.x[:200], y)
    assert evaluation.accuracy is None
    assert evaluation.loss == pytest.approx(np.square(model.predict(digits.x[:200]) - y).mean(), rel=1e-4)


FUNCTIONS = "torch.nn.functional."


def test_a_plain_function_is_a_loss_as_its_class_is(digits: Digits) -> None:
    by_class, by_function = build(), build(loss={"_target_": FUNCTIONS + "cross_entropy"})
    assert fit(by_class, digits) == fit(by_function, digits)
    np.testing.assert_array_equal(by_class.predict(digits.x[:9]), by_function.predict(digits.x[:9]))
    smooth = {"label_smoothing": 0.2}
    by_class = build(loss={**CROSS_ENTROPY, **smooth})
    by_function = build(loss={"_target_": FUNCTIONS + "cross_entropy", **smooth})
    assert fit(by_class, digits) == fit(by_function, digits)


@pytest.mark.parametrize(
    ("loss", "outputs", "classes"),
    [
        ("torch.nn.CrossEntropyLoss", 10, True),
        (FUNCTIONS + "cross_entropy", 10, True),
        ("torch.nn.MultiMarginLoss", 10, False),
        (FUNCTIONS + "multi_margin_loss", 10, False),
    ],
)
def test_a_model_says_whether_its_outputs_are_probabilities(loss: str, outputs: int, classes: bool) -> None:
    assert build(loss={"_target_": loss}, outputs=outputs).probabilities is classes


def test_outputs_are_probabilities_and_no_rows_are_no_error(digits: Digits) -> None:
    model = build()
    assert model.predict(digits.x[:1200]).shape == (1200, 10)
    np.testing.assert_allclose(model.predict(digits.x[:1200]).sum(axis=1), 1, rtol=1e-5)
    assert model.predict(digits.x[:0]).shape == (0, 10)
    evaluation = model.evaluate(digits.x[:0], digits.y[:0])
    assert np.isnan(evaluation.loss)
    assert np.isnan(evaluation.accuracy)
    with pytest.raises(ModelError, match="at least one"):
        model.train_step(digits.x[:0], digits.y[:0])
    whole = model.evaluate(digits.x, digits.y)
    outputs = np.log(model.predict(digits.x))
    assert whole.loss == pytest.approx(-outputs[np.arange(len(digits.y)), digits.y].mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": {"_target_": "nowhere.Net"}}, r"model\.module\._target_=nowhere\.Net"),
        ({"module": {"width": 3}}, r"model\.module must name a class"),
        ({"module": {"_target_": "torch.nn.modules.linear.math.pi"}}, "cannot be called"),
        ({"module": {**PLAIN, "widht": 3}}, "model.module: .*mlp: TypeError: .*widht"),
        ({"module": "no_module"}, "not a torch.nn.Module"),
        ({"module": {"_target_": "torch.nn.Identity"}}, "makes .* of two rows; for 10 classes"),
        (
            {"module": {"_target_": "torch.nn.Linear", "in_features": 63, "out_features": 10}},
            "does not take rows",
        ),
        ({"module": {"_target_": "torch.nn.Linear", "in_features": 8, "out_features": 10}}, "makes"),
        ({"module": {"_target_": "torch.nn.Flatten"}, "outputs": 64}, "no parameters to train"),
        ({"module": "of_doubles", "input_shape": [64]}, "does not take rows|float32"),
        ({"input_shape": [8, 7]}, r"model\.input_shape=\[8, 7\]: a row has 64 features"),
        ({"loss": {"_target_": "torch.nn.CrossEntropyLoss", "reduction": "sum"}}, "must be their mean"),
        ({"loss": {"_target_": "torch.nn.CrossEntropyLoss", "reduction": "none"}}, "does not take what"),
        ({"loss": {"_target_": "torch.nn.MSELoss"}}, "model.loss"),
        (
            {"optimizer": {"_target_": "torch.optim.SGD", "learning_rate": 1}},
            "model.optimizer: .*learning_rate",
        ),
        ({"optimizer": {"_target_": "torch.optim.SGD", "lr": -1}}, "model.optimizer: .*-1"),
        ({"optimizer": {"_target_": "torch.optim.LBFGS"}}, "cannot make a step: .*closure"),
        ({"optimizer": {"_target_": MODULES + "Restless"}}, "keeps count of type int"),
        ({"optimizer": {"_target_": "torch.nn.ReLU"}}, "not an optimiser"),
        (
            {"module": {"_target_": "fedlocal.models.torch_cnn"}, "shape": (64,)},
            r"images of at least 4 x 4 .* shape \[64\]",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Using a target size")  # PyTorch's own, of the loss that is refused
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build(**changes)


def test_gradients_of_another_size_are_refused() -> None:
    model = build()
    for wrong in (np.zeros(3, np.float32), np.zeros(model.size), np.zeros(2 * model.size, np.float32)[::2]):
        with pytest.raises(ModelError, match="contiguous float32"):
            model.apply(wrong)


def test_the_factory_can_be_sent_to_another_process() -> None:
    factory = pickle.loads(pickle.dumps(PyTorch(PLAIN, CROSS_ENTROPY, SGD)))  # noqa: S301
    model = factory(inputs=64, outputs=10, classes=True, rng=np.random.default_rng(0), shape=(8, 8))
    assert_same(model.arrays, build().arrays)


def test_a_limit_on_threads_reaches_pytorchs(digits: Digits) -> None:
    fit(build(), digits)
    assert torch.get_num_threads() == 1
    assert {pool["num_threads"] for pool in threadpool_info()} == {1}
