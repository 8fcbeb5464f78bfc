"""A PyTorch module behind fedlocal's model protocol, on the CPU."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as nn_functions

from fedlocal.models.frameworks.base import FrameworkModel, Vector, softmax
from fedlocal.models.frameworks.factories import Examples, PyTorch
from fedlocal.models.frameworks.parts import build_loss, build_part
from fedlocal.models.frameworks.torch_optimizer import TorchOptimizer
from fedlocal.models.protocol import ModelError

Array = NDArray[Any]


class TorchModel(FrameworkModel):
    """A ``torch.nn.Module`` with a loss and an optimiser, as :class:`fedlocal.models.PyTorch` names them.

    The module is called with float32[n, *shape], in training mode to train and in evaluation mode otherwise.
    An image of (height, width) or (height, width, channels) comes as (channels, height, width), all else as
    it is. Trainable are the parameters with ``requires_grad``; :attr:`arrays` is the ``state_dict``. From a
    seed that `rng` draws for PyTorch's generator, the module draws its initial parameters.

    Raises
    ------
    ModelError
        If a part refuses its arguments, or does not suit the data: it is tried on two rows.
    """

    def __init__(self, parts: PyTorch, data: Examples, rng: np.random.Generator) -> None:
        self._stored, self._channels_last = data.shape, parts.input_shape is None and len(data.shape) == 3
        super().__init__("module", parts.module, parts.input_shape or _shape_of(data.shape), data)
        with seeded(int(rng.integers(2**63))):
            self._module = build_part("module", parts.module, **self._offered)
            if not isinstance(self._module, torch.nn.Module):
                raise ModelError(f"{self._part} gives {self._module!r}, not a torch.nn.Module")
            self._loss = build_loss(parts.loss)
            with self._first_call():
                got = self._forward(torch.randn(2, data.inputs).numpy())
            self._check_fit(got)
            self._check_state()
            named = {name: p for name, p in self._module.named_parameters() if p.requires_grad}
            self._parameters = list(named.values())
            self._take_over({name: parameter.detach().numpy() for name, parameter in named.items()})
            self._try_training(lambda: self._train_on_ones(data.inputs))
        self._optimizer = TorchOptimizer(parts.optimizer, named)
        if self._takes(torch.nn.CrossEntropyLoss, nn_functions.cross_entropy):
            self._to_probabilities = softmax
        elif self._takes(torch.nn.NLLLoss, nn_functions.nll_loss):
            self._to_probabilities = np.exp

    @property
    def arrays(self) -> dict[str, Array]:
        """Views of the module's ``state_dict``: parameters and buffers."""
        return {name: tensor.numpy() for name, tensor in self._module.state_dict().items()}

    @property
    def optimizer_arrays(self) -> dict[str, Array]:
        """Views of the optimiser's state, as ``exp_avg/layer.weight``, and ``updates``; none of plain SGD."""
        return self._optimizer.arrays

    def _reset_optimizer(self) -> None:
        self._optimizer.reset()

    def _forward(self, x: Array) -> Array:
        self._module.eval()
        with torch.no_grad():
            outputs: Array = self._module(self._rows(x)).numpy()
        return outputs

    def _backward(self, x: Array, y: Array) -> tuple[float, list[Array]]:
        self._module.train()
        loss = self._loss(self._module(self._rows(x)), torch.tensor(y))
        gradients = torch.autograd.grad(loss, self._parameters, materialize_grads=True)
        return float(loss.detach()), [gradient.to_dense().numpy() for gradient in gradients]

    def _step(self, gradients: list[Array]) -> None:
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = torch.from_numpy(gradient)
        self._optimizer.step()
        for parameter in self._parameters:
            parameter.grad = None

    def _mean_loss(self, outputs: Array, targets: Array) -> float:
        return float(self._loss(torch.tensor(outputs), torch.tensor(targets)))

    def _seeded(self, seed: int) -> AbstractContextManager[None]:
        return seeded(seed)

    @staticmethod
    def _sum(gradient: Array, mu: float, away: Array) -> Array:
        total: Array = torch.from_numpy(gradient).add(torch.as_tensor(away), alpha=mu).numpy()
        return total

    def _takes(self, kind: type, function: Any) -> bool:
        return isinstance(self._loss, kind) or getattr(self._loss, "func", None) is function

    def _rows(self, x: Array) -> torch.Tensor:
        """Return a copy of some rows as the module takes them, in memory that is always aligned alike."""
        rows = torch.tensor(x)
        if self._channels_last:
            return rows.view(len(x), *self._stored).permute(0, 3, 1, 2).contiguous()
        return rows.view(len(x), *self._shape)

    def _reside(self, memory: Vector) -> None:
        super()._reside(memory)
        for parameter, view in zip(self._parameters, self._trainable, strict=True):
            parameter.data = torch.from_numpy(view)

    def _check_state(self) -> None:
        """Make sure that all arrays can be shared and sent."""
        for name, tensor in self._module.state_dict().items():
            if not isinstance(tensor, torch.Tensor) or tensor.device.type != "cpu":
                raise ModelError(f"{self._part} has {name}, which must be a tensor on the CPU")
            if tensor.dtype == torch.bfloat16:
                raise ModelError(f"{self._part} has {name} of {tensor.dtype}; make it float32")

    def _train_on_ones(self, inputs: int) -> None:
        """Make a forward pass of training; find out whether it draws random numbers."""
        kept = self._module.state_dict().keys()
        unkept = [(name, b, b.clone()) for name, b in self._module.named_buffers() if name not in kept]
        state = torch.get_rng_state()
        self._module.train()
        with torch.no_grad():
            self._module(self._rows(np.ones((2, inputs), np.float32)))
        if lost := [name for name, buffer, before in unkept if not torch.equal(buffer, before)]:
            raise ModelError(f"{self._part} changes {lost[0]} in training, which is not in its state_dict")
        self._draws = not torch.equal(torch.get_rng_state(), state)


def _shape_of(stored: Sequence[int]) -> Sequence[int]:
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
