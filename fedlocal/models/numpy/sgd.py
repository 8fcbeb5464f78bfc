"""Stochastic gradient descent on a flat vector, in a form that BLAS can fuse with a matrix product."""

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.arrays import check_strength
from fedlocal.models.protocol import ModelError

Vector = NDArray[np.float32]


class SGD:
    """Gradient descent with momentum, weight decay and an anchor (FedProx's proximal term).

    With g the mean gradient of the data loss over a batch, w the parameters, a the anchor of strength mu, and
    lr, m and d the learning rate, momentum and weight decay, one update is, in this order,

    - without momentum: ``w <- (1 - lr (d + mu)) w - lr g``, then ``w <- w + lr mu a``;
    - with momentum: ``v <- m v + g``, ``v <- v + (d + mu) w``, ``v <- v - mu a``, then ``w <- w - lr v``.

    This is PyTorch's ``SGD`` (dampening 0, not Nesterov); decay and anchor act on all parameters, biases too.
    The first assignment has the form ``target <- keep target + scale g``. Whoever computes g as a matrix
    product may make it in BLAS, without g ever being written down, and then call :meth:`finish`;
    :meth:`apply` makes it from a given g. The two differ in the last bits.

    Parameters
    ----------
    vector : float32[size]
        The parameters, updated in place.
    learning_rate, momentum, weight_decay : float
        As above; momentum in [0, 1).

    Attributes
    ----------
    velocity : float32[size]
        The v above, 0 at first; of size 0 without momentum.

    Raises
    ------
    ModelError
        If a parameter is out of range.
    """

    def __init__(self, vector: Vector, learning_rate: float, momentum: float, weight_decay: float) -> None:
        from fedlocal.models.numpy.blas import saxpy  # imported late: it loads SciPy

        for name, value, limit in (
            ("learning_rate", learning_rate, np.inf),
            ("momentum", momentum, 1),
            ("weight_decay", weight_decay, np.inf),
        ):
            if not 0 <= value < limit:
                raise ModelError(f"{name} is {value}; it must be at least 0 and below {limit}")
        self.vector = vector
        self.velocity = np.zeros(vector.size if momentum else 0, np.float32)
        self._learning_rate, self._momentum, self._decay = learning_rate, momentum, weight_decay
        self._mu = 0.0
        self._anchor: Vector = np.zeros(0, np.float32)
        self._add = saxpy

    @property
    def stateless(self) -> bool:
        """Whether an update leaves nothing to the next one: there is no momentum."""
        return not self._momentum

    @property
    def anchored(self) -> bool:
        """Whether there is an anchor."""
        return bool(self._mu)

    @property
    def target(self) -> Vector:
        """What the gradient is accumulated onto: the velocity, or without momentum the parameters."""
        return self.velocity if self._momentum else self.vector

    @property
    def keep(self) -> float:
        """The factor of the target in the first assignment."""
        return self._momentum or 1 - self._learning_rate * (self._decay + self._mu)

    @property
    def scale(self) -> float:
        """The factor of the gradient in the first assignment."""
        return 1.0 if self._momentum else -self._learning_rate

    def anchor(self, mu: float, vector: Vector | None) -> None:
        """Pull the parameters towards ``vector``, float32[size], from now on; ``mu=0`` or None stops it."""
        check_strength(mu)
        self._mu, self._anchor = (mu, vector) if vector is not None else (0.0, self._anchor)

    def apply(self, gradient: Vector) -> None:
        """Make one update from the mean gradient, float32[size]."""
        if self.keep != 1:
            np.multiply(self.target, np.float32(self.keep), out=self.target)
        self._add(gradient, self.target, a=self.scale)
        self.finish()

    def finish(self) -> None:
        """Make the assignments after the first one."""
        if not self._momentum:
            self.pull(self.vector)
            return
        if self._decay + self._mu:
            self._add(self.vector, self.velocity, a=self._decay + self._mu)
        self._add_anchor(self.velocity, -self._mu)
        self._add(self.velocity, self.vector, a=-self._learning_rate)

    def pull(self, vector: Vector) -> None:
        """Make the assignment after the first one to these parameters, without momentum."""
        self._add_anchor(vector, self._learning_rate * self._mu)

    def _add_anchor(self, target: Vector, factor: float) -> None:
        if self.anchored:
            self._add(self._anchor, target, a=factor)
