"""The two passes apart: the bits of a gradient in one piece, also after a pass that was cut short."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.models import ModelError, Passes, SklearnModel, stages_of
from tests.models.numpy.test_mlp import batch, build


@given(
    activation=st.sampled_from(["relu", "tanh", "sigmoid", "identity"]),
    head=st.sampled_from([("softmax", "cross_entropy"), ("sigmoid", "mean_squared_error")]),
    stages=st.integers(1, 4),
    rows=st.integers(1, 9),
    again=st.booleans(),
)
def test_passes_of_any_stages_give_the_bits_of_the_gradient(
    activation: str, head: tuple[str, str], stages: int, rows: int, again: bool
) -> None:
    model = build((7, 5, 3), activation=activation, output=head[0], loss=head[1])
    x, y = batch(model, rows)
    expected, out = np.empty(model.size, np.float32), np.full(model.size, np.nan, np.float32)
    loss = model.gradient(x, y, expected, 0.25)
    memory = np.full(model.network.buffers_size(9), np.nan, np.float32)
    room = model.network.buffers_in(memory, 9).first(rows)
    room.inputs[0][:, :-1] = x
    parts = [Passes(model, layers) for layers in stages_of(model, stages)]
    for part in parts:
        for _ in range(1 + again):
            part.forward(room)
    total = 0.0
    for part in reversed(parts):
        for _ in range(1 + again):
            total = part.lose(room, y) if part is parts[-1] else total
            part.backward(room, out, 0.25)
    assert total == loss
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(np.concatenate([part.part(out) for part in parts]), expected)


@given(hidden=st.lists(st.integers(1, 50), max_size=5), data=st.data())
def test_stages_follow_one_another_and_no_cut_has_a_smaller_largest_stage(
    hidden: list[int], data: st.DataObject
) -> None:
    model = build(hidden)
    count = data.draw(st.integers(1, len(hidden) + 1))
    stages = stages_of(model, count)
    assert [layer for stage in stages for layer in stage] == list(range(len(hidden) + 1))
    assert len(stages) == count
    sizes = [matrix.size for matrix in model.layers]
    largest = max(sum(sizes[layer] for layer in stage) for stage in stages)
    assert largest <= max(*sizes, -(-sum(sizes) // count) + max(sizes), 0)


def test_a_model_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ModelError, match="3 layers; it cannot be cut into 4"):
        stages_of(build((7, 5)), 4)
    options = {"inputs": 3, "outputs": 2, "classes": True, "rng": np.random.default_rng(0)}
    with pytest.raises(ModelError, match="in one piece"):
        stages_of(SklearnModel("sklearn.linear_model.SGDClassifier", **options), 1)  # type: ignore[arg-type]
