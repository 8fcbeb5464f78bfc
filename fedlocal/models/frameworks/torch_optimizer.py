"""A PyTorch optimiser whose state is arrays that exist from the start.

PyTorch makes most of an optimiser's state in its first step. To keep a state between rounds, or to send it to
another process, its names and shapes must be known before. So a step is tried on copies of the parameters.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fedlocal.models.frameworks.parts import build_part
from fedlocal.models.protocol import ModelError

UPDATES = "updates"


class TorchOptimizer:
    """An optimiser, named by its ``_target_``, of parameters by name, which steps by their gradients.

    Its state is ``arrays``: ``updates``, int64[1], how many steps were made, and of each parameter what the
    optimiser keeps, as ``momentum_buffer/layer.weight``; writing to one changes the optimiser. All are 0
    before the first step, which makes them as PyTorch does. There are none where nothing is kept.

    Raises
    ------
    ModelError
        If the target refuses its arguments or cannot step, or keeps anything else than tensors that it
        changes in place.
    """

    def __init__(self, node: dict[str, Any], parameters: dict[str, torch.nn.Parameter]) -> None:
        self._node, self._parameters = node, parameters
        self._optimizer, self._linked = self._new(list(parameters.values())), False
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.zeros_like(tensor.numpy()) for name, tensor in self._tried().items()
        }
        if self.arrays:
            self.arrays[UPDATES] = np.zeros(1, np.int64)

    def reset(self) -> None:
        """Go back to the state of a new optimiser."""
        for array in self.arrays.values():
            array.fill(0)

    def step(self) -> None:
        """Update the parameters by their gradients."""
        first = bool(self.arrays) and not self.arrays[UPDATES][0]
        if first:
            self._optimizer, self._linked = self._new(list(self._parameters.values())), False
        elif not self._linked:
            self._link()
        self._optimizer.step()
        if first:
            for name, tensor in self._state(self._optimizer, list(self._parameters.values())).items():
                np.copyto(self.arrays[name], tensor.numpy())
            self._link()
        if self.arrays:
            self.arrays[UPDATES] += 1

    def _link(self) -> None:
        """Have the optimiser keep its state in the arrays."""
        for address in self.arrays.keys() - {UPDATES}:
            key, name = address.split("/", 1)
            self._optimizer.state[self._parameters[name]][key] = torch.from_numpy(self.arrays[address])
        self._linked = True

    def _new(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        made = build_part("optimizer", self._node, parameters)
        if not isinstance(made, torch.optim.Optimizer):
            raise ModelError(f"model.optimizer: {self._node['_target_']} gives {made!r}, not an optimiser")
        return made

    def _tried(self) -> dict[str, torch.Tensor]:
        """Return the state after a step on copies of the parameters; make sure that a second one keeps it."""
        name = self._node["_target_"]
        copies = [torch.nn.Parameter(parameter.detach().clone()) for parameter in self._parameters.values()]
        for copy in copies:
            copy.grad = torch.zeros_like(copy)
        optimizer = self._new(copies)
        try:
            optimizer.step()
            state = self._state(optimizer, copies)
            optimizer.step()
        except Exception as error:
            raise ModelError(f"model.optimizer: {name} cannot make a step: {error}") from error
        again = self._state(optimizer, copies)
        if any(again[key] is not tensor for key, tensor in state.items()):
            raise ModelError(f"model.optimizer: {name} replaces its state; it must change it in place")
        return state

    def _state(
        self, optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter]
    ) -> dict[str, torch.Tensor]:
        state = {}
        for name, parameter in zip(self._parameters, parameters, strict=True):
            for key, value in optimizer.state[parameter].items():
                if value is None:  # as SGD's momentum, where there is none
                    continue
                if not isinstance(value, torch.Tensor):
                    raise ModelError(
                        f"model.optimizer: {self._node['_target_']} keeps {key} of type "
                        f"{type(value).__name__}; only tensors can be kept and sent"
                    )
                state[f"{key}/{name}"] = value
        return state
