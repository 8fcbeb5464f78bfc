from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedlocal.models import MLP, ModelError, SklearnModel, Stack, stack_height, train
from fedlocal.models.numpy import stack_memory, stacked
from fedlocal.models.numpy.network import Network

Array = NDArray[Any]
Rows = tuple[Array, Array]

HEADS = [
    ("softmax", "cross_entropy", True),
    ("softmax", "mean_squared_error", True),
    ("sigmoid", "mean_squared_error", True),
    ("identity", "mean_squared_error", True),
    ("identity", "mean_squared_error", False),
    ("sigmoid", "mean_squared_error", False),
]


def build(hidden: Any = (5,), *, inputs: int = 4, outputs: int = 3, **options: Any) -> MLP:
    classes, rng = options.pop("classes", True), np.random.default_rng(0)
    return MLP(list(hidden), **options, inputs=inputs, outputs=outputs, classes=classes, rng=rng)


def draw(model: MLP, clients: int, rows: int, seed: int = 1) -> list[Rows]:
    rng, (inputs, *_, outputs) = np.random.default_rng(seed), model.network.widths
    shape = (clients, rows) if model.network.classes else (clients, rows, outputs)
    x = rng.standard_normal((clients, rows, inputs), np.float32)
    y = rng.integers(outputs, size=shape) if model.network.classes else rng.random(shape, np.float32)
    return list(zip(x, y, strict=True))


def generators(clients: int, seed: int = 2) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, client]) for client in range(clients)]


def one_by_one(
    model: MLP, rows: list[Rows], batch_size: int, epochs: int
) -> tuple[list[Array], list[float], list[Any]]:
    """What clients give that are trained one after another, and what is left of their generators."""
    start, rngs = model.vector.copy(), generators(len(rows))
    vectors, losses = [], []
    for (x, y), rng in zip(rows, rngs, strict=True):
        model.vector[:] = start
        losses.append(train(model, x, y, batch_size=batch_size, epochs=epochs, rng=rng))
        vectors.append(model.vector.copy())
    model.vector[:] = start
    return vectors, losses, [rng.bit_generator.state for rng in rngs]


def assert_same_as_alone(model: MLP, rows: list[Rows], batch_size: int, epochs: int = 1) -> None:
    before, rngs, stack = model.vector.copy(), generators(len(rows)), Stack(model)
    vectors, losses, states = one_by_one(model, rows, batch_size, epochs)

    got, got_losses = stack.train_many(rows, batch_size=batch_size, epochs=epochs, rngs=rngs)

    assert got.dtype == np.float32
    assert got.shape == (len(rows), model.size)
    for mine, alone in zip(got, vectors, strict=True):
        np.testing.assert_array_equal(mine.view(np.int32), alone.view(np.int32))
    np.testing.assert_array_equal(got_losses, losses)
    assert [rng.bit_generator.state for rng in rngs] == states
    np.testing.assert_array_equal(model.vector, before)


@given(
    hidden=st.lists(st.integers(1, 40), max_size=3),
    inputs=st.integers(1, 70),
    outputs=st.integers(1, 20),
    activation=st.sampled_from(["relu", "tanh", "sigmoid", "identity"]),
    head=st.sampled_from(HEADS),
    clients=st.integers(1, 9),
    rows=st.integers(0, 40),
    batch_size=st.integers(1, 45),
    epochs=st.integers(0, 3),
    decay=st.sampled_from([0.0, 0.1]),
)
@example([32], 64, 10, "relu", HEADS[0], 7, 60, 10, 2, 0.0)
@example([1, 1], 1, 1, "tanh", HEADS[4], 3, 7, 3, 2, 0.1)
@example([], 3, 17, "relu", HEADS[0], 5, 11, 5, 2, 0.0)  # the last batch is a single row of many classes
@example([9], 3, 17, "relu", HEADS[1], 2, 9, 1, 2, 0.0)
@example([33], 5, 17, "sigmoid", HEADS[0], 2, 400, 300, 1, 0.0)  # rows enough for pairwise sums in blocks
@settings(max_examples=300)
def test_a_client_of_a_stack_gets_the_bits_that_it_gets_alone(
    hidden: list[int],
    inputs: int,
    outputs: int,
    activation: str,
    head: tuple[str, str, bool],
    clients: int,
    rows: int,
    batch_size: int,
    epochs: int,
    decay: float,
) -> None:
    output, loss, classes = head
    options = {"activation": activation, "output": output, "loss": loss, "classes": classes}
    model = build(hidden, inputs=inputs, outputs=outputs, weight_decay=decay, learning_rate=0.3, **options)
    assert_same_as_alone(model, draw(model, clients, rows), batch_size, epochs)


@pytest.mark.parametrize("clients", [1, 2, 6, 7, 11])
def test_more_clients_than_a_stack_is_high_are_trained_in_several(
    clients: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacked, "TALLEST", 3)
    model = build()
    assert_same_as_alone(model, draw(model, clients, 8), batch_size=3)


def test_stacks_of_one_height_share_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def memory(network: Network, shape: stack_memory.Shape) -> stack_memory.StackMemory:
        made.append(shape.clients)
        return stack_memory.StackMemory(network, shape)

    monkeypatch.setattr(stacked, "TALLEST", 4)
    monkeypatch.setattr(stacked, "StackMemory", memory)
    model, stack = build(), Stack(build())
    for clients in (18, 15):
        stack.train_many(draw(model, clients, 8), batch_size=3, epochs=2, rngs=generators(clients))
    assert made == [4, 3, 4, 3]  # of stacks 4 4 4 3 3, then 4 4 4 3


def test_rows_that_do_not_fit_at_once_are_gathered_in_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_memory, "SPAN_BYTES", 3 * 4 * 5 * 4 * 2)  # two batches of 4 rows of 3 clients
    model = build()
    assert_same_as_alone(model, draw(model, 3, 21), batch_size=4, epochs=2)


def test_a_client_that_diverges_does_so_as_it_does_alone() -> None:
    model = build(learning_rate=1e30)
    assert_same_as_alone(model, draw(model, 3, 30), batch_size=4, epochs=2)


def test_rows_may_be_of_other_types_and_not_lie_in_one_piece() -> None:
    model = build()
    rows = [(x.astype(np.float64)[:, ::-1], y.astype(np.int32)) for x, y in draw(model, 3, 10)]
    for x, y in rows:
        x.flags.writeable = y.flags.writeable = False
    assert_same_as_alone(model, rows, batch_size=4)


def test_a_stack_starts_from_where_the_model_is_whatever_it_trained_before() -> None:
    model = build()
    stack = Stack(model)
    first, second = draw(model, 4, 10), draw(model, 4, 10, seed=5)
    kept, _ = stack.train_many(first, batch_size=4, epochs=1, rngs=generators(4))
    as_returned = kept.copy()
    model.vector += 1
    alone, losses, _ = one_by_one(model, second, 4, 1)
    for rows in (second, second[:2], second):
        vectors, again = stack.train_many(rows, batch_size=4, epochs=1, rngs=generators(len(rows)))
        np.testing.assert_array_equal(vectors, alone[: len(rows)])
        assert again == losses[: len(rows)]
    np.testing.assert_array_equal(kept, as_returned)


def test_a_vector_is_cut_into_arrays_by_the_model_s_names() -> None:
    model = build((6, 5))
    vectors, _ = Stack(model).train_many(draw(model, 2, 9), batch_size=4, epochs=1, rngs=generators(2))
    named = model.network.named(vectors[1])
    assert list(named) == list(model.arrays)
    model.load(named)
    np.testing.assert_array_equal(model.vector, vectors[1])
    assert all(np.shares_memory(array, vectors) for array in named.values())


def test_no_clients_give_no_vectors() -> None:
    model = build()
    vectors, losses = Stack(model).train_many([], batch_size=4, epochs=1, rngs=[])
    assert (vectors.shape, losses) == ((0, model.size), [])


def test_small_models_without_momentum_are_stacked_and_no_others() -> None:
    small, large = build((32,), inputs=64, outputs=10), build((512, 256), inputs=784, outputs=10)
    assert stack_height(small, 10) >= 32
    assert 2 <= stack_height(small, 200) < stack_height(small, 10)
    assert stack_height(large, 10) < 2
    assert stack_height(build(momentum=0.9), 10) == 0
    rng = np.random.default_rng(0)
    other = SklearnModel("sklearn.linear_model.SGDClassifier", inputs=4, outputs=3, classes=True, rng=rng)
    assert stack_height(other, 10) == 0

    class Special(MLP):
        """Might train in another way."""

    assert stack_height(Special([5], inputs=4, outputs=3, classes=True, rng=rng), 10) == 0


@pytest.mark.parametrize("hidden", [[], [5], [7, 3]])
@pytest.mark.parametrize("mu", [0.01, 0.5, 3.0])
def test_an_anchored_client_of_a_stack_gets_the_bits_that_it_gets_alone(hidden: list[int], mu: float) -> None:
    model = build(hidden, weight_decay=0.1)
    model.anchor(mu, {name: array + 0.3 for name, array in model.arrays.items()})
    assert_same_as_alone(model, draw(model, 5, 9), batch_size=4, epochs=2)


def test_a_model_with_momentum_is_refused() -> None:
    model = build(momentum=0.9)
    with pytest.raises(ModelError, match="without momentum"):
        Stack(model).train_many(draw(model, 2, 9), batch_size=4, epochs=1, rngs=generators(2))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x, y: (x[:-1], y[:-1]), r"client 1 of a stack has rows \(8, 4\).*must be \(9, 4\)"),
        (lambda x, y: (x[:, :3], y), r"has rows \(9, 3\)"),
        (lambda x, y: (x, y[:-1]), r"targets int64 \(8,\)"),
        (lambda x, y: (x, y.astype(np.int32)), r"targets int32 .*and int64 \(9,\)"),
    ],
)
def test_clients_that_differ_in_shape_are_named(spoil: Any, message: str) -> None:
    model = build()
    first, second = draw(model, 2, 9)
    with pytest.raises(ModelError, match=message):
        Stack(model).train_many([first, spoil(*second)], batch_size=4, epochs=1, rngs=generators(2))


def test_sizes_and_numbers_are_checked() -> None:
    model = build()
    rows = draw(model, 2, 9)
    with pytest.raises(ModelError, match="batch_size is 0"):
        Stack(model).train_many(rows, batch_size=0, epochs=1, rngs=generators(2))
    with pytest.raises(ModelError, match="2 clients but 1 generators"):
        Stack(model).train_many(rows, batch_size=4, epochs=1, rngs=generators(1))
