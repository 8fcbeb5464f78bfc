"""The order of a pipeline's messages, for any order in which they are done."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fedlocal.models import GradientTree, Node
from fedlocal.schemes.pipeline.schedule import EpochPlan, PipelineSchedule, Sums, buffers


@given(
    batches=st.integers(1, 30),
    steps=st.integers(2, 6),
    slots=st.integers(1, 6),
    wave=st.integers(1, 9),
    data=st.data(),
)
def test_each_batch_makes_each_step_once_in_order_and_under_its_conditions(
    batches: int, steps: int, slots: int, wave: int, data: st.DataObject
) -> None:
    schedule = PipelineSchedule(EpochPlan(batches, 1, wave, steps, slots))
    under_way: list[tuple[int, int]] = []
    made: list[tuple[int, int]] = []
    for first in range(0, batches, wave):
        assert schedule.open == min(first + wave, batches)
        while schedule.finished < schedule.open:
            for step, batch in schedule.ready():
                assert step == 0 or (step - 1, batch) in made
                assert step == 0 or batch < schedule.open
                assert batch < schedule.finished + slots
                under_way.append((step, batch))
            # Of one step, only loading may overtake: the others have an actor that takes messages in order.
            firsts = [
                pair
                for pair in under_way
                if pair[0] == 0 or pair == min(other for other in under_way if other[0] == pair[0])
            ]
            chosen = data.draw(st.sampled_from(firsts))
            under_way.remove(chosen)
            made.append(chosen)
            schedule.done(*chosen)
        schedule.updated()
    assert sorted(made) == [(step, batch) for step in range(steps) for batch in range(batches)]
    for step in range(1, steps):
        assert [batch for made_step, batch in made if made_step == step] == list(range(batches))


@given(waves=st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_sums_are_those_of_the_gradient_tree_and_need_no_other_buffers(waves: list[int]) -> None:
    sums, rng = Sums(max(waves)), np.random.default_rng(0)
    memory = np.full((buffers(max(waves)), 3), np.nan, np.float32)
    for wave in waves:
        leaves = rng.standard_normal((wave, 3), np.float32)
        tree = GradientTree(3)
        for leaf, gradient in enumerate(leaves):
            tree.add(Node(leaf, 1, gradient.copy()))
            buffer = sums.next(last=leaf == wave - 1)
            assert buffer.buffer not in buffer.add
            memory[buffer.buffer] = gradient
            for other in buffer.add:
                memory[buffer.buffer] += memory[other]
        np.testing.assert_array_equal(memory[buffer.buffer], tree.root())
