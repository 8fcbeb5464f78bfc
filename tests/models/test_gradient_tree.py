"""A wave's sum has the same bits whoever adds up which part of it."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedlocal.models import GradientTree, Node

SIZE = 7
Vector = NDArray[np.float32]


def leaves(count: int) -> list[Vector]:
    rng = np.random.default_rng(count)
    return [
        rng.standard_normal(SIZE, np.float32) * np.float32(10.0 ** rng.integers(-6, 6)) for _ in range(count)
    ]


def grown(vectors: list[Vector], first: int = 0, *, in_place: bool = False) -> GradientTree:
    tree = GradientTree(SIZE)
    for leaf, vector in enumerate(vectors, start=first):
        if in_place and (left := tree.left_of(leaf)) is not None:
            left += vector
            tree.added()
            continue
        buffer = tree.spare()
        buffer[:] = vector
        tree.add(Node(leaf, 1, buffer))
    return tree


@given(count=st.integers(1, 70), cuts=st.lists(st.integers(0, 70), max_size=6))
def test_shares_of_any_size_add_up_to_the_same_bits(count: int, cuts: list[int]) -> None:
    vectors = leaves(count)
    bounds = sorted({0, count, *(cut for cut in cuts if cut < count)})
    whole = GradientTree(SIZE)
    for start, stop in pairwise(bounds):
        for node in grown(vectors[start:stop], start, in_place=start % 3 == 0).nodes:
            whole.add(node)
    np.testing.assert_array_equal(whole.root(), grown(vectors).root())


def test_the_tree_adds_neighbours_in_pairs() -> None:
    a, b, c, d, e, f = leaves(6)
    np.testing.assert_array_equal(grown([a, b, c, d, e, f]).root(), ((a + b) + (c + d)) + (e + f))
    np.testing.assert_array_equal(grown([a, b, c]).root(), (a + b) + c)
    np.testing.assert_array_equal(grown([a]).root(), a)


@given(count=st.integers(1, 200), first=st.integers(0, 200))
def test_few_vectors_are_needed_at_once(count: int, first: int) -> None:
    buffers = [np.empty(SIZE, np.float32) for _ in range(2 * (count + 1).bit_length() + 1)]
    tree = GradientTree(SIZE, buffers)
    for leaf in range(first, first + count):
        tree.add(Node(leaf, 1, tree.spare()))
    assert {id(node.vector) for node in tree.nodes} <= {id(buffer) for buffer in buffers}


def test_a_tree_that_gave_its_sum_starts_again_with_its_vectors() -> None:
    vectors, buffers = leaves(5), [np.empty(SIZE, np.float32) for _ in range(3)]
    tree = GradientTree(SIZE, buffers)
    for _ in range(3):
        for leaf, vector in enumerate(vectors):
            buffer = tree.spare()
            buffer[:] = vector
            tree.add(Node(leaf, 1, buffer))
        root = tree.root()
        np.testing.assert_array_equal(root, grown(vectors).root())
        assert any(root is buffer for buffer in buffers)
