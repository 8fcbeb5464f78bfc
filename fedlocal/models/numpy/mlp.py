"""A multilayer perceptron in NumPy and BLAS, written to run at the speed of its matrix products.

How (``experiments/training_step/`` measures it):

- A layer is one matrix [inputs + 1, outputs] whose last row is the bias, and its input carries a column of
  ones: forward, backward and update are then one product each (:mod:`fedlocal.models.numpy.network`).
- All layers lie in one float32 vector, so that moving a model is one copy.
- Plain SGD never writes a gradient down: BLAS adds it to the parameters (:mod:`~fedlocal.models.numpy.sgd`).
- Buffers are kept between steps. A smaller batch uses their first rows.
"""

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.arrays import check_arrays, check_vector, copy_arrays, quietly
from fedlocal.models.numpy.activations import OUTPUTS
from fedlocal.models.numpy.network import Network, aligned_zeros
from fedlocal.models.numpy.sgd import SGD
from fedlocal.models.protocol import Arrays, Evaluation, ModelError

Array = NDArray[Any]
Vector = NDArray[np.float32]

ROWS_AT_ONCE = 512  # in prediction: enough for products at full speed, few enough to stay in the caches


class MLP:
    """Dense layers trained by stochastic gradient descent.

    Parameters
    ----------
    hidden : list of int
        Widths of the hidden layers; an empty list makes a linear model.
    activation : {"relu", "tanh", "sigmoid", "identity"}
        After each hidden layer. Initial weights are He's for ReLU, Glorot's for the others.
    output : {"softmax", "sigmoid", "identity"}
        After the last layer. Initial weights are Glorot's, or for the identity of deviation 1 / inputs.
    loss : {"cross_entropy", "mean_squared_error"}
        Cross-entropy needs a softmax. The squared error is the mean over rows *and* outputs, as in PyTorch's
        ``MSELoss``; class codes stand for one-hot targets.
    learning_rate, momentum, weight_decay : float
        Of the update, whose recurrences :class:`fedlocal.models.numpy.sgd.SGD` gives.
    inputs, outputs, classes, rng
        As :class:`fedlocal.models.ModelFactory` says; `rng` draws the initial weights. Biases start at 0.

    Raises
    ------
    ModelError
        If a parameter is out of range or does not go with the others.
    """

    def __init__(
        self,
        hidden: list[int],
        activation: Literal["relu", "tanh", "sigmoid", "identity"] = "relu",
        output: Literal["softmax", "sigmoid", "identity"] = "softmax",
        loss: Literal["cross_entropy", "mean_squared_error"] = "cross_entropy",
        learning_rate: float = 0.1,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        *,
        inputs: int,
        outputs: int,
        classes: bool,
        rng: np.random.Generator,
    ) -> None:
        from fedlocal.models.numpy.blas import add_product  # imported late: it loads SciPy

        self.network = Network.of([inputs, *hidden, outputs], activation, output, loss, classes=classes)
        self.vector = aligned_zeros(self.network.size)
        self.optimizer = SGD(self.vector, learning_rate, momentum, weight_decay)
        self._add_product = add_product
        self._layers = self.network.matrices(self.vector)
        self._largest = self.network.buffers(0)
        self._batch = self._largest
        self._exact: dict[int, bool] = {}
        self._initialize(rng)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.vector.size

    @property
    def layers(self) -> list[Array]:
        """Views [inputs + 1, outputs] of each layer's parameters; the last row is its bias."""
        return self._layers

    @property
    def arrays(self) -> dict[str, Array]:
        """Views ``layer0.weight`` [inputs, outputs], ``layer0.bias`` [outputs], ``layer1.weight`` etc."""
        return self.network.named(self.vector)

    def load(self, arrays: Arrays) -> None:
        """Copy parameters in; the optimiser's state and the anchor stay as they are."""
        copy_arrays(self.arrays, arrays)

    @property
    def optimizer_arrays(self) -> dict[str, Array]:
        """A view ``velocity``, float32[size], with momentum; nothing without."""
        return {"velocity": self.optimizer.velocity} if self.optimizer.velocity.size else {}

    def load_optimizer(self, arrays: Arrays | None) -> None:
        """Copy the velocity in; None or nothing sets it to 0."""
        if arrays:
            copy_arrays(self.optimizer_arrays, arrays)
        else:
            self.optimizer.velocity.fill(0)

    def anchor(self, mu: float, arrays: Arrays | None) -> None:
        """Pull the parameters towards a copy of ``arrays`` from now on; ``mu=0`` or None lets them go."""
        if not mu or arrays is None:
            self.optimizer.anchor(mu, None)
            return
        check_arrays(self.arrays, arrays)
        self.optimizer.anchor(mu, np.concatenate([arrays[name].ravel() for name in self.arrays]))

    @quietly
    def train_step(self, x: Array, y: Array) -> float:
        """Make one fused update from one batch; return its mean data loss before it."""
        loss = self._lose(self._forward(x), y)
        self._backward(self.optimizer.target, self.optimizer.keep, self.optimizer.scale)
        self.optimizer.finish()
        return loss

    @quietly
    def gradient(self, x: Array, y: Array, out: Vector, weight: float = 1.0, *, add: bool = False) -> float:
        """Write ``weight`` times the data loss's mean gradient into ``out``, or add it; return the loss.

        To add is faster by a tenth than to write: BLAS need not set ``out`` to 0 first.
        """
        check_vector(out, self.size)
        return self._differentiate(x, y, out, weight, add=add)

    def adds_exactly(self, rows: int, weight: float) -> bool:
        """Tell whether adding a gradient over so many rows gives the bits of writing it and then adding.

        BLAS may cut a product by rows, and add the parts one by one: as library, processor and shapes would
        have it. So it is tried, once for each number of rows.
        """
        if math.frexp(weight)[0] != 0.5:  # the weight is rounded once or twice, unless it is a power of 2
            return False
        if rows not in self._exact:
            self._exact[rows] = self._try_adding(rows)
        return self._exact[rows]

    @quietly
    def apply(self, gradient: Vector) -> None:
        """Make one update from a mean gradient, float32[size]."""
        check_vector(gradient, self.size)
        self.optimizer.apply(gradient)

    def live_in(self, memory: Vector) -> None:
        """Keep the parameters in ``memory``, float32[size], from now on, with the values that are there."""
        check_vector(memory, self.size)
        self.vector = self.optimizer.vector = memory
        self._layers = self.network.matrices(memory)

    @property
    def probabilities(self) -> bool:
        """Whether outputs are probabilities of classes."""
        return self.network.classes and self.network.output is OUTPUTS["softmax"]

    @quietly
    def predict(self, x: Array) -> Vector:
        """Return the outputs, float32[n, outputs], for any number of rows."""
        outputs = np.empty((len(x), self.network.widths[-1]), np.float32)
        for start, part in enumerate(self._outputs(x)):
            outputs[start * ROWS_AT_ONCE :][: len(part)] = part
        return outputs

    @quietly
    def evaluate(self, x: Array, y: Array) -> Evaluation:
        """Return the mean data loss, and the accuracy where targets are classes."""
        return Evaluation.of(self._outputs(x), y, self._lose, classes=self.network.classes)

    def _outputs(self, x: Array) -> Iterator[Array]:
        """Yield the outputs for some rows at a time, each time in the same buffer."""
        for start in range(0, len(x), ROWS_AT_ONCE):
            yield self._forward(x[start : start + ROWS_AT_ONCE])

    @quietly
    def _try_adding(self, rows: int) -> bool:
        rng, (inputs, *_, outputs) = np.random.default_rng(0), self.network.widths
        x = rng.standard_normal((rows, inputs), np.float32)
        classes = self.network.classes
        y = rng.integers(outputs, size=rows) if classes else rng.standard_normal((rows, outputs), np.float32)
        once, gradient = rng.standard_normal((2, self.size), np.float32)
        twice = once.copy()
        self._differentiate(x, y, once, 1.0, add=True)
        self._differentiate(x, y, gradient, 1.0, add=False)
        return np.array_equal(once, np.add(twice, gradient, out=twice))

    def _differentiate(self, x: Array, y: Array, out: Vector, weight: float, *, add: bool) -> float:
        loss = self._lose(self._forward(x), y)
        self._backward(out, keep=float(add), scale=weight)
        return loss

    def _forward(self, x: Array) -> Array:
        """Return the outputs for a batch, in a buffer that the next batch overwrites."""
        rows, inputs = len(x), self.network.widths[0]
        if not rows or x.shape != (rows, inputs):
            raise ModelError(f"rows have shape {x.shape}; this model takes [n >= 1, {inputs}]")
        if rows > self._largest.rows:
            self._largest = self.network.buffers(rows)
        if rows != self._batch.rows:
            self._batch = self._largest.first(rows)
        np.copyto(self._batch.inputs[0][:, :-1], x)
        return self.network.forward(self._layers, self._batch)

    def _lose(self, outputs: Array, y: Array) -> float:
        """Return the mean loss; leave its gradient in the last delta."""
        expected = outputs.shape[:1] if self.network.classes else outputs.shape
        if y.shape != expected:
            raise ModelError(f"targets have shape {y.shape}; this model needs {expected} for these rows")
        return self.network.lose(outputs, y, self._batch)[0]

    def _backward(self, target: Vector, keep: float, scale: float) -> None:
        """Set ``target <- keep target + scale gradient``, from the last layer to the first.

        The target may be the parameters: a layer's are used for the delta below before they are changed.
        """
        matrices = self._layers if target is self.vector else self.network.matrices(target)

        def update(layer: int) -> None:
            inputs, deltas = self._batch.inputs[layer], self._batch.deltas[layer]
            self._add_product(matrices[layer], inputs, deltas, keep, scale)

        self.network.backward(self._layers, self._batch, update)

    def _initialize(self, rng: np.random.Generator) -> None:
        activations = [self.network.hidden] * (len(self._layers) - 1) + [self.network.output]
        for matrix, activation in zip(self._layers, activations, strict=True):
            weight = matrix[:-1]
            rng.standard_normal(dtype=np.float32, out=weight)
            weight *= np.float32(activation.deviation(*weight.shape))
