from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedlocal.models import MLP, ModelError, train


class Recorder(MLP):
    """A model that writes down which rows it was given by which path."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        super().__init__([3], inputs=1, outputs=2, classes=True, rng=rng, learning_rate=0.01)
        self.steps: list[list[int]] = []
        self.gradients: list[list[int]] = []
        self.applied: list[int] = []

    def train_step(self, x: NDArray[Any], y: NDArray[Any]) -> float:
        np.testing.assert_array_equal(x[:, 0].astype(int) % 2, y)
        self.steps.append(x[:, 0].astype(int).tolist())
        return super().train_step(x, y)

    def gradient(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        out: NDArray[np.float32],
        weight: float = 1.0,
        *,
        add: bool = False,
    ) -> float:
        self.gradients.append(x[:, 0].astype(int).tolist())
        return super().gradient(x, y, out, weight, add=add)

    def apply(self, gradient: NDArray[np.float32]) -> None:
        self.applied.append(len(self.gradients))
        super().apply(gradient)


def rows(n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return np.arange(n, dtype=np.float32)[:, None], np.arange(n) % 2


@given(n=st.integers(0, 40), size=st.integers(1, 50), epochs=st.integers(0, 3), accumulate=st.integers(1, 4))
@settings(max_examples=50)
def test_each_epoch_visits_every_row_once_in_a_new_permutation(
    n: int, size: int, epochs: int, accumulate: int
) -> None:
    model, rng = Recorder(), np.random.default_rng(7)
    before = model.vector.copy()
    loss = train(model, *rows(n), batch_size=size, epochs=epochs, rng=rng, accumulate=accumulate)

    expected = np.random.default_rng(7)
    orders = [expected.permutation(n).tolist() for _ in range(epochs)]
    cut = [order[start : start + size] for order in orders for start in range(0, n, size)]
    assert (model.steps, model.gradients) == ((cut, []) if accumulate == 1 else ([], cut))
    assert rng.bit_generator.state == expected.bit_generator.state
    if not cut:
        assert np.isnan(loss)
        np.testing.assert_array_equal(model.vector, before)
    elif accumulate > 1:
        a_epoch = -(-n // size)
        ends = [min(end, a_epoch) for end in range(accumulate, a_epoch + accumulate, accumulate)]
        assert model.applied == [epoch * a_epoch + end for epoch in range(epochs) for end in ends]


def test_accumulated_batches_make_the_step_of_one_large_batch() -> None:
    large, small = Recorder(), Recorder()
    large_loss = train(large, *rows(22), batch_size=22, epochs=3, rng=np.random.default_rng(0))
    many = train(small, *rows(22), batch_size=8, epochs=3, rng=np.random.default_rng(0), accumulate=3)
    np.testing.assert_allclose(small.vector, large.vector, rtol=1e-4, atol=1e-6)
    assert many == pytest.approx(large_loss, rel=1e-5)


def test_training_returns_the_mean_loss_over_rows() -> None:
    model, x, y = Recorder(), *rows(10)
    alone = model.evaluate(x, y).loss
    model.apply = lambda *_: None  # type: ignore[method-assign]  # so that every batch sees one model
    loss = train(model, x, y, batch_size=4, epochs=1, rng=np.random.default_rng(0), accumulate=2)
    assert loss == pytest.approx(alone, rel=1e-6)


def test_gradients_are_added_in_place_only_where_that_has_the_same_bits(
    digits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained() -> NDArray[np.float32]:
        rng = np.random.default_rng(0)
        model = MLP([16], inputs=64, outputs=10, classes=True, rng=rng, learning_rate=0.1)
        train(model, digits.x, digits.y, batch_size=32, epochs=1, rng=rng, accumulate=8)
        return model.vector

    added = trained()
    monkeypatch.setattr(MLP, "adds_exactly", lambda *_: False)
    np.testing.assert_array_equal(trained(), added)


def test_every_other_gradient_is_added_where_that_has_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[bool] = []

    def gradient(self: MLP, *given: Any, add: bool = False) -> float:
        added.append(add)
        return differentiate(self, *given, add=add)

    differentiate = MLP.gradient
    monkeypatch.setattr(MLP, "gradient", gradient)
    monkeypatch.setattr(MLP, "adds_exactly", lambda *_: True)
    model = MLP([3], inputs=1, outputs=2, classes=True, rng=np.random.default_rng(0))
    train(model, *rows(20), batch_size=4, epochs=1, rng=np.random.default_rng(0), accumulate=5)
    assert added == [False, True, False, True, False]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_training_twice_from_one_start_gives_the_same_bits(digits: Any, accumulate: int) -> None:
    def once() -> NDArray[np.float32]:
        model = MLP([32], inputs=64, outputs=10, classes=True, rng=np.random.default_rng(0), momentum=0.5)
        train(
            model,
            digits.x[:300],
            digits.y[:300],
            batch_size=32,
            epochs=2,
            rng=np.random.default_rng(1),
            accumulate=accumulate,
        )
        return model.vector

    np.testing.assert_array_equal(once(), once())


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": 0.2},
        {"learning_rate": 0.02, "momentum": 0.9, "weight_decay": 1e-4},
        {"learning_rate": 0.1, "activation": "tanh"},
        {"learning_rate": 0.5, "output": "identity", "loss": "mean_squared_error"},
    ],
)
def test_the_network_learns_digits(digits: Any, options: dict[str, Any]) -> None:
    model = MLP([512, 256], **options, inputs=64, outputs=10, classes=True, rng=np.random.default_rng(0))
    train(model, digits.x, digits.y, batch_size=32, epochs=15, rng=np.random.default_rng(1))
    accuracy = model.evaluate(digits.test_x, digits.test_y).accuracy
    assert accuracy is not None
    assert accuracy >= 0.95


def test_rows_may_be_read_only_and_are_not_changed() -> None:
    (x, y), read_only, writeable = rows(9), Recorder(), Recorder()
    train(writeable, x, y, batch_size=4, epochs=1, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(x, rows(9)[0])
    np.testing.assert_array_equal(y, rows(9)[1])
    x.flags.writeable = y.flags.writeable = False
    train(read_only, x, y, batch_size=4, epochs=1, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(read_only.vector, writeable.vector)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"epochs": -1}, "epochs is -1"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"rows_y": np.zeros(3, int)}, "9 rows but 3 targets"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(change: dict[str, Any], message: str) -> None:
    x, y = rows(9)
    arguments = {"rows_x": x, "rows_y": y, "batch_size": 4, "epochs": 1, "accumulate": 1, **change}
    with pytest.raises(ModelError, match=message):
        train(Recorder(), **arguments, rng=np.random.default_rng(0))
