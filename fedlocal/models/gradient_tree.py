"""The sum of a wave's gradients: a binary tree over its batches, however processors share the work.

Floating-point sums depend on their order. Here it is fixed by the batches' numbers alone, so that any number
of processors, each with some batches that follow one another, get the bits that a single processor gets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Node:
    """The sum of the gradients of batches first to first + count - 1 of a wave, float32[size].

    Count is a power of 2 that divides first. The vector's owner may add to it.
    """

    first: int
    count: int
    vector: Vector


class GradientTree:
    """Sums leaves from left to right; two nodes of equal count side by side become one as soon as they can.

    A node at the right end of the wave that has no sibling goes up as it is: of six batches, the sum is
    ``((0 + 1) + (2 + 3)) + (4 + 5)``. Until then, ``nodes`` are the sums that wait for their siblings.

    Parameters
    ----------
    size : int
        Length of a vector.
    buffers : sequence of float32[size], optional
        Vectors to write leaves into; when more are needed at once than there are, they are made.
    """

    def __init__(self, size: int, buffers: Sequence[Vector] = ()) -> None:
        self.nodes: list[Node] = []
        self._size, self._spare = size, list(buffers)

    def spare(self) -> Vector:
        """Return a vector to write the next leaf into."""
        return self._spare.pop() if self._spare else np.empty(self._size, np.float32)

    def add(self, node: Node) -> None:
        """Add a node that lies to the right of all others."""
        while self.nodes and self._are_siblings(self.nodes[-1], node):
            node = self._sum(self.nodes.pop(), node)
        self.nodes.append(node)

    def left_of(self, leaf: int) -> Vector | None:
        """Return the vector that this leaf will be added to, if it is there; the caller may add it there."""
        left = self.nodes[-1] if self.nodes else None
        return left.vector if left and left.count == 1 and leaf % 2 else None

    def added(self) -> None:
        """Note that the next leaf has been added to the one that `left_of` returned."""
        left = self.nodes.pop()
        self.add(Node(left.first, 2, left.vector))

    def root(self) -> Vector:
        """Return the sum of all and start again; it is valid until the next leaf is written."""
        node = self.nodes.pop()
        while self.nodes:
            node = self._sum(self.nodes.pop(), node)
        self._spare.append(node.vector)
        return node.vector

    @staticmethod
    def _are_siblings(left: Node, right: Node) -> bool:
        return left.count == right.count and left.first % (2 * left.count) == 0

    @np.errstate(over="ignore", invalid="ignore")
    def _sum(self, left: Node, right: Node) -> Node:
        np.add(left.vector, right.vector, out=left.vector)
        self._spare.append(right.vector)
        return Node(left.first, left.count + right.count, left.vector)
