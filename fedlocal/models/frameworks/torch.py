"""A PyTorch module behind fedlocal's model protocol, on the CPU.

- The trainable parameters are views of one float32 vector, so that moving them is one copy, and processes may
  share them.
- Both ways to train take the gradient in the same way, so that one batch gives the same bits by either.
- Random draws of a module in training, such as dropout's, are seeded for each batch from its rows and from
  the parameters: it depends on neither when nor where a batch is computed.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as nn_functions

from fedlocal.models.arrays import check_arrays, check_vector, copy_arrays
from fedlocal.models.frameworks.parts import (
    build_loss,
    build_part,
    check_fit,
    evaluation,
    seed_of_batch,
    softmax,
)
from fedlocal.models.frameworks.torch_optimizer import TorchOptimizer
from fedlocal.models.numpy.network import aligned_zeros
from fedlocal.models.protocol import Arrays, Evaluation, ModelError

Array = NDArray[Any]
Vector = NDArray[np.float32]

ROWS_AT_ONCE = 512  # in prediction


class TorchModel:
    """A ``torch.nn.Module`` with a loss and an optimiser.

    The module is called with float32[n, *shape], in training mode to train and in evaluation mode otherwise.
    An image of (height, width) or (height, width, channels) comes as (channels, height, width), all else as
    it is. Gradients flow to parameters with ``requires_grad``; :attr:`size` counts those alone. The others,
    and buffers such as batch-norm's running statistics, are among the arrays, and so averaged with the rest.

    A gradient does not carry what training does to buffers. So a module whose buffers change in training
    cannot :meth:`live_in` shared memory, which several processes would change in different ways.

    Parameters
    ----------
    module, loss, optimizer : dict
        A ``_target_`` each, with arguments. The module may have parameters ``inputs``, ``outputs`` and
        ``shape``. The loss takes outputs and targets, int64[n] or float32[n, outputs], and returns their mean
        loss over rows; its target makes it, or is such a function. The optimiser takes parameters.
    input_shape : list of int, optional
        Shape of one example as the module takes it, where it differs from the above.
    inputs, outputs : int
        Features per row; classes or real targets.
    classes : bool
        Whether targets are class codes.
    rng : numpy.random.Generator
        Draws the seed of PyTorch's generator, from which the module draws its initial parameters.
    shape : tuple of int, optional
        Of one example in the data set; by default (inputs,).

    Raises
    ------
    ModelError
        If a part refuses its arguments, or does not suit the data: it is tried on two rows.
    """

    def __init__(
        self,
        module: dict[str, Any],
        loss: dict[str, Any],
        optimizer: dict[str, Any],
        input_shape: Sequence[int] | None = None,
        *,
        inputs: int,
        outputs: int,
        classes: bool,
        rng: np.random.Generator,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self._name, self._classes = module["_target_"], classes
        self._stored = shape or (inputs,)
        self._shape = _shape_of(self._stored) if input_shape is None else tuple(input_shape)
        self._channels_last = input_shape is None and len(self._stored) == 3
        if math.prod(self._shape) != inputs:
            raise ModelError(f"model.input_shape={list(self._shape)}: a row has {inputs} features")
        with seeded(int(rng.integers(2**63))):
            self._module = build_part("module", module, inputs=inputs, outputs=outputs, shape=self._shape)
            if not isinstance(self._module, torch.nn.Module):
                raise ModelError(f"model.module: {self._name} gives {self._module!r}, not a torch.nn.Module")
            self._loss = build_loss(loss)
            self._try_outputs(inputs, outputs)
            self._draws, self._moves_buffers = self._try_training(inputs)
        named = {name: p for name, p in self._module.named_parameters() if p.requires_grad}
        self._parameters = list(named.values())
        self._reside(self._initial(named))
        self._optimizer = TorchOptimizer(optimizer, named)
        self._anchor: list[torch.Tensor] = []
        self._mu = 0.0

    @property
    def size(self) -> int:
        """Number of trainable parameters."""
        return len(self._vector)

    @property
    def arrays(self) -> dict[str, Array]:
        """Views of the module's ``state_dict``: parameters and buffers."""
        return {name: tensor.numpy() for name, tensor in self._module.state_dict().items()}

    @property
    def untrained(self) -> frozenset[str]:
        """Names of the arrays that no gradient moves: buffers, and parameters that are frozen."""
        return frozenset(self.arrays).difference(self._optimizer.names)

    def load(self, arrays: Arrays) -> None:
        """Copy parameters and buffers in; the optimiser's state and the anchor stay as they are."""
        copy_arrays(self.arrays, arrays)

    @property
    def optimizer_arrays(self) -> dict[str, Array]:
        """Views of the optimiser's state, as ``exp_avg/layer.weight``, and ``updates``; none of plain SGD."""
        return self._optimizer.arrays

    def load_optimizer(self, arrays: Arrays | None) -> None:
        """Copy the optimiser's state in; None or nothing resets it."""
        if arrays:
            copy_arrays(self.optimizer_arrays, arrays)
        else:
            self._optimizer.reset()

    def anchor(self, mu: float, arrays: Arrays | None) -> None:
        """Pull the trainable parameters towards a copy of ``arrays`` from now on; ``mu=0`` ends it."""
        if not 0 <= mu < math.inf:
            raise ModelError(f"mu is {mu}; the strength of an anchor must be at least 0 and finite")
        self._mu, self._anchor = (0.0 if arrays is None else mu), []
        if self._mu and arrays is not None:
            check_arrays(self.arrays, arrays)
            self._anchor = [torch.tensor(arrays[name]) for name in self._optimizer.names]

    def train_step(self, x: Array, y: Array) -> float:
        """Make one update from one batch; return its mean loss before it."""
        loss, gradients = self._differentiate(x, y)
        self._update(gradients)
        return loss

    def gradient(self, x: Array, y: Array, out: Vector, weight: float = 1.0, *, add: bool = False) -> float:
        """Write ``weight`` times the loss's mean gradient into ``out``, float32[size], or add it."""
        check_vector(out, self.size)
        loss, gradients = self._differentiate(x, y)
        for part, gradient in zip(self._cut(torch.from_numpy(out)), gradients, strict=True):
            if add:
                part.add_(gradient * weight)
            else:
                torch.mul(gradient, weight, out=part)
        return loss

    def adds_exactly(self, rows: int, weight: float) -> bool:  # noqa: ARG002 - the protocol's
        """Return True: a gradient is written down and weighted before it is added."""
        return True

    def apply(self, gradient: Vector) -> None:
        """Make one update from a mean gradient, float32[size]."""
        check_vector(gradient, self.size)
        self._update(self._cut(torch.from_numpy(gradient)))

    def live_in(self, memory: Vector) -> None:
        """Keep the trainable parameters in ``memory``, float32[size], with the values that are there."""
        check_vector(memory, self.size)
        if self._moves_buffers:
            raise ModelError(
                f"{self._name} has buffers that change in training, such as batch-norm's running statistics, "
                "and gradients do not carry them: set accumulate=1, or normalise by group or layer"
            )
        self._reside(memory)

    @property
    def probabilities(self) -> bool:
        """Whether outputs are probabilities of classes: where the loss takes logits or their logarithms."""
        return self._takes(torch.nn.CrossEntropyLoss, nn_functions.cross_entropy) or self._takes(
            torch.nn.NLLLoss, nn_functions.nll_loss
        )

    def predict(self, x: Array) -> Array:
        """Return float32[n, outputs]: probabilities where the loss takes logits or their logarithms."""
        outputs = np.concatenate(list(self._outputs(x)))
        if self._takes(torch.nn.CrossEntropyLoss, nn_functions.cross_entropy):
            return softmax(outputs)
        return np.exp(outputs) if self._takes(torch.nn.NLLLoss, nn_functions.nll_loss) else outputs

    def evaluate(self, x: Array, y: Array) -> Evaluation:
        """Return the mean loss, and the accuracy where targets are classes."""
        return evaluation(self._outputs(x), y, self._mean_loss, classes=self._classes)

    def _outputs(self, x: Array) -> Iterator[Array]:
        """Yield the outputs for some rows at a time, at least once."""
        self._module.eval()
        for start in range(0, max(len(x), 1), ROWS_AT_ONCE):
            with torch.no_grad():
                outputs = self._module(self._rows(x[start : start + ROWS_AT_ONCE])).numpy()
            yield outputs

    def _takes(self, kind: type, function: Any) -> bool:
        """Tell whether the loss is of this class, or this function."""
        return isinstance(self._loss, kind) or getattr(self._loss, "func", None) is function

    def _mean_loss(self, outputs: Array, targets: Array) -> float:
        return float(self._loss(torch.tensor(outputs), torch.tensor(targets)))

    def _differentiate(self, x: Array, y: Array) -> tuple[float, Sequence[torch.Tensor]]:
        """Return the mean loss of a batch and its gradient with respect to each trainable parameter."""
        if not len(x):
            raise ModelError(f"rows have shape {x.shape}; a batch has at least one")
        self._module.train()
        with seeded(seed_of_batch(x, y, self._vector.numpy())) if self._draws else nullcontext():
            loss = self._loss(self._module(self._rows(x)), torch.tensor(y))
            gradients = torch.autograd.grad(loss, self._parameters, materialize_grads=True)
        return float(loss.detach()), gradients

    def _update(self, gradients: Sequence[torch.Tensor]) -> None:
        for index, (parameter, gradient) in enumerate(zip(self._parameters, gradients, strict=True)):
            away = parameter.detach() - self._anchor[index] if self._mu else None
            parameter.grad = gradient if away is None else gradient.add(away, alpha=self._mu)
        self._optimizer.step()
        for parameter in self._parameters:
            parameter.grad = None

    def _rows(self, x: Array) -> torch.Tensor:
        """Return a copy of some rows as the module takes them, in memory that is always aligned alike."""
        rows = torch.tensor(x)
        if self._channels_last:
            return rows.view(len(x), *self._stored).permute(0, 3, 1, 2).contiguous()
        return rows.view(len(x), *self._shape)

    def _cut(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """Return a view of a vector, float32[size], for each trainable parameter."""
        parts = vector.split([parameter.numel() for parameter in self._parameters])
        return [part.view(p.shape) for part, p in zip(parts, self._parameters, strict=True)]

    def _reside(self, memory: Vector) -> None:
        self._vector = torch.from_numpy(memory)
        for parameter, view in zip(self._parameters, self._cut(self._vector), strict=True):
            parameter.data = view

    def _initial(self, named: dict[str, torch.nn.Parameter]) -> Vector:
        """Return the trainable parameters in new memory; check that all arrays can be shared and sent."""
        if not named:
            raise ModelError(f"model.module: {self._name} has no parameters to train")
        for name, tensor in self._module.state_dict().items():
            trainable = name in named
            if not isinstance(tensor, torch.Tensor) or tensor.device.type != "cpu":
                raise ModelError(f"model.module: {name} of {self._name} must be a tensor on the CPU")
            if tensor.dtype != torch.float32 if trainable else tensor.dtype == torch.bfloat16:
                raise ModelError(f"model.module: {name} of {self._name} is {tensor.dtype}; make it float32")
        vector = aligned_zeros(sum(parameter.numel() for parameter in named.values()))
        np.concatenate([p.detach().numpy().ravel() for p in named.values()], out=vector)
        return vector

    def _try_outputs(self, inputs: int, outputs: int) -> None:
        """Make sure that the module takes rows of these data, and that the loss takes its outputs."""
        try:
            (got,) = self._outputs(torch.randn(2, inputs).numpy())
        except Exception as error:
            raise ModelError(
                f"model.module: {self._name} does not take rows of shape {list(self._shape)}: {error}; "
                "model.input_shape gives them another one"
            ) from error
        check_fit(self._name, got, outputs, self._mean_loss, classes=self._classes)

    def _try_training(self, inputs: int) -> tuple[bool, bool]:
        """Tell whether training draws random numbers, and whether it changes buffers, which are put back."""
        buffers = dict(self._module.named_buffers())
        before, state = {name: buffer.clone() for name, buffer in buffers.items()}, torch.get_rng_state()
        self._module.train()
        with torch.no_grad():
            self._module(self._rows(np.ones((2, inputs), np.float32)))
            moved = [name for name, buffer in buffers.items() if not torch.equal(buffer, before[name])]
            for name in moved:
                buffers[name].copy_(before[name])
        if lost := set(moved) - self._module.state_dict().keys():
            raise ModelError(
                f"model.module: {lost.pop()} of {self._name} changes, but is not in its state_dict"
            )
        return not torch.equal(torch.get_rng_state(), state), bool(moved)


def _shape_of(stored: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that PyTorch's layers want an example of a data set to have."""
    if len(stored) == 2:
        return (1, *stored)
    return (stored[2], *stored[:2]) if len(stored) == 3 else stored


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed PyTorch's generator, and restore its state afterwards."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
