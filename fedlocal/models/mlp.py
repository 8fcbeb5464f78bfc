"""A multilayer perceptron in NumPy and BLAS, written to run at the speed of its matrix products.

How (``experiments/training_step/`` measures it):

- A layer is one matrix [inputs + 1, outputs] whose last row is the bias, and its input carries a column of
  ones: forward, backward and update are then one product each.
- All layers lie in one float32 vector, so that moving a model is one copy.
- Plain SGD never writes a gradient down: BLAS adds it onto the parameters (see :mod:`fedlocal.models.sgd`).
- Buffers are kept between steps. A smaller batch uses their first rows.
"""

import itertools
import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fedlocal.models.activations import HIDDEN, OUTPUTS
from fedlocal.models.arrays import check_arrays, copy_arrays
from fedlocal.models.losses import LOSSES
from fedlocal.models.protocol import Arrays, Evaluation, ModelError
from fedlocal.models.sgd import SGD

Array = NDArray[Any]
Vector = NDArray[np.float32]

ROWS_AT_ONCE = 512  # in prediction: enough for products at full speed, few enough to stay in the caches

_quietly = np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore")


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
        Of the update, whose recurrences :class:`fedlocal.models.sgd.SGD` gives.
    inputs, outputs : int
        Features per row; classes or real targets.
    classes : bool
        Whether targets are class codes, int64[n], or real values, float32[n, outputs].
    rng : numpy.random.Generator
        Draws the initial weights. Biases start at 0.

    Attributes
    ----------
    vector : float32[size]
        All parameters, layer after layer: the weight's rows, then the bias. It starts on a cache line.

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
        from scipy.linalg.blas import sgemm  # imported late: it costs more than all of NumPy

        self._widths = [inputs, *hidden, outputs]
        _check(self._widths, activation, output, loss, classes=classes)
        self._hidden, self._output = HIDDEN[activation], OUTPUTS[output]
        self._loss = LOSSES[loss]
        self._classes = classes
        self._sgemm = sgemm
        self.vector = _aligned_zeros(sum((i + 1) * o for i, o in itertools.pairwise(self._widths)))
        self._sgd = SGD(self.vector, learning_rate, momentum, weight_decay)
        self._layers = self._matrices(self.vector)
        self._inputs: list[Array] = []
        self._deltas: list[Array] = []
        self._initialize(rng)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.vector.size

    @property
    def arrays(self) -> dict[str, Array]:
        """Views ``layer0.weight`` [inputs, outputs], ``layer0.bias`` [outputs], ``layer1.weight`` etc."""
        named = {}
        for index, matrix in enumerate(self._layers):
            named[f"layer{index}.weight"], named[f"layer{index}.bias"] = matrix[:-1], matrix[-1]
        return named

    def load(self, arrays: Arrays) -> None:
        """Copy parameters in; the optimiser's state and the anchor stay as they are."""
        copy_arrays(self.arrays, arrays)

    @property
    def optimizer_arrays(self) -> dict[str, Array]:
        """A view ``velocity``, float32[size], with momentum; nothing without."""
        return {"velocity": self._sgd.velocity} if self._sgd.velocity.size else {}

    def load_optimizer(self, arrays: Arrays | None) -> None:
        """Copy the velocity in; None or nothing sets it to 0."""
        if arrays:
            copy_arrays(self.optimizer_arrays, arrays)
        else:
            self._sgd.velocity.fill(0)

    def anchor(self, mu: float, arrays: Arrays | None) -> None:
        """Pull the parameters towards a copy of ``arrays`` from now on; ``mu=0`` or None lets them go."""
        if not mu or arrays is None:
            self._sgd.anchor(mu, None)
            return
        check_arrays(self.arrays, arrays)
        self._sgd.anchor(mu, np.concatenate([arrays[name].ravel() for name in self.arrays]))

    @_quietly
    def train_step(self, x: Array, y: Array) -> float:
        """Make one fused update from one batch; return its mean data loss before it."""
        loss = self._lose(self._forward(x), y)
        self._backward(len(x), self._sgd.target, self._sgd.keep, self._sgd.scale)
        self._sgd.finish()
        return loss

    @_quietly
    def gradient(self, x: Array, y: Array, out: Vector) -> float:
        """Write the batch's mean gradient of the data loss into ``out``; return the mean data loss."""
        self._check_gradient(out)
        loss = self._lose(self._forward(x), y)
        self._backward(len(x), out, keep=0, scale=1)
        return loss

    @_quietly
    def apply(self, gradient: Vector) -> None:
        """Make one update from a mean gradient, float32[size]."""
        self._check_gradient(gradient)
        self._sgd.apply(gradient)

    @_quietly
    def predict(self, x: Array) -> Vector:
        """Return the outputs, float32[n, outputs], for any number of rows."""
        outputs = np.empty((len(x), self._widths[-1]), np.float32)
        for start in range(0, len(x), ROWS_AT_ONCE):
            outputs[start : start + ROWS_AT_ONCE] = self._forward(x[start : start + ROWS_AT_ONCE])
        return outputs

    @_quietly
    def evaluate(self, x: Array, y: Array) -> Evaluation:
        """Return the mean data loss, and the accuracy where targets are classes."""
        loss, hits = 0.0, 0
        for start in range(0, len(x), ROWS_AT_ONCE):
            targets = y[start : start + ROWS_AT_ONCE]
            outputs = self._forward(x[start : start + ROWS_AT_ONCE])
            loss += self._lose(outputs, targets) * len(outputs)
            hits += int((outputs.argmax(axis=1) == targets).sum()) if self._classes else 0
        rows = len(x) or math.nan
        return Evaluation(loss / rows, hits / rows if self._classes else None)

    def _forward(self, x: Array) -> Array:
        """Return the outputs for a batch, in a buffer that the next batch overwrites."""
        rows = len(x)
        if not rows or x.shape != (rows, self._widths[0]):
            raise ModelError(f"rows have shape {x.shape}; this model takes [n >= 1, {self._widths[0]}]")
        self._reserve(rows)
        np.copyto(self._inputs[0][:rows, :-1], x)
        for index, matrix in enumerate(self._layers):
            above = self._inputs[index + 1][:rows]
            np.matmul(self._inputs[index][:rows], matrix, out=above[:, :-1])
            if index < len(self._layers) - 1:
                self._hidden.forward(above)  # with its ones: NumPy takes twice as long over all but a column
                above[:, -1] = 1
        self._output.forward(above[:, :-1])
        return above[:, :-1]

    def _lose(self, outputs: Array, y: Array) -> float:
        """Return the mean loss; leave its gradient in the last delta."""
        expected = outputs.shape[:1] if self._classes else outputs.shape
        if y.shape != expected:
            raise ModelError(f"targets have shape {y.shape}; this model needs {expected} for these rows")
        return self._loss.value_and_gradient(outputs, y, self._deltas[-1][: len(outputs)])

    def _backward(self, rows: int, target: Vector, keep: float, scale: float) -> None:
        """Set ``target <- keep target + scale gradient``, from the last layer to the first.

        The target may be the parameters: a layer's are used for the delta below before they are changed.
        """
        matrices = self._layers if target is self.vector else self._matrices(target)
        if not self._loss.before_activation:
            self._output.backward(self._inputs[-1][:rows, :-1], self._deltas[-1][:rows])
        for index in reversed(range(len(matrices))):
            inputs, delta = self._inputs[index][:rows], self._deltas[index][:rows]
            if index:
                np.matmul(delta, self._layers[index][:-1].T, out=self._deltas[index - 1][:rows])
            # To BLAS, which counts by columns, a matrix that lies by rows is its transpose.
            matrix = matrices[index].T
            if self._sgemm(scale, delta.T, inputs.T, keep, matrix, trans_b=1, overwrite_c=1) is not matrix:
                raise RuntimeError("BLAS wrote to a copy, not to the parameters")
            if index:
                self._hidden.backward(inputs[:, :-1], self._deltas[index - 1][:rows])

    def _check_gradient(self, gradient: Vector) -> None:
        if gradient.shape != self.vector.shape or gradient.dtype != np.float32 or gradient.strides != (4,):
            raise ModelError(
                f"a gradient is a contiguous float32[{self.size}]; got {gradient.dtype}{list(gradient.shape)}"
            )

    def _matrices(self, vector: Vector) -> list[Array]:
        """Cut a vector of parameters into one matrix [inputs + 1, outputs] per layer."""
        shapes = [(inputs + 1, outputs) for inputs, outputs in itertools.pairwise(self._widths)]
        ends = np.cumsum([rows * columns for rows, columns in shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(vector, ends[:-1]), shapes, strict=True)]

    def _reserve(self, rows: int) -> None:
        """Make room for a batch."""
        if not self._inputs or len(self._inputs[0]) < rows:
            self._inputs = [np.ones((rows, width + 1), np.float32) for width in self._widths]
            self._deltas = [np.empty((rows, width), np.float32) for width in self._widths[1:]]

    def _initialize(self, rng: np.random.Generator) -> None:
        activations = [self._hidden] * (len(self._layers) - 1) + [self._output]
        for matrix, activation in zip(self._layers, activations, strict=True):
            weight = matrix[:-1]
            rng.standard_normal(dtype=np.float32, out=weight)
            weight *= np.float32(activation.deviation(*weight.shape))


def _aligned_zeros(size: int) -> Vector:
    """Return float32[size] of zeros that starts on a cache line of 64 bytes."""
    memory = np.zeros(size + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    return memory[start : start + size]


def _check(widths: list[int], activation: str, output: str, loss: str, *, classes: bool) -> None:
    if min(widths) < 1:
        raise ModelError(f"layers of widths {widths} (inputs, hidden, outputs): each must be at least 1")
    for option, name, known in (
        ("activation", activation, HIDDEN),
        ("output", output, OUTPUTS),
        ("loss", loss, LOSSES),
    ):
        if name not in known:
            raise ModelError(f"{option}={name!r} is unknown; choose one of {sorted(known)}")
    if loss == "cross_entropy" and output != "softmax":
        raise ModelError(f"loss='cross_entropy' needs output='softmax', not {output!r}")
    if output == "softmax" and not classes:
        raise ModelError(
            "output='softmax' gives probabilities of classes, but the targets are real values; "
            "use output='identity' with loss='mean_squared_error'"
        )
