"""PyTorch modules that tests name by ``_target_``."""

from typing import Any

import torch
from torch import nn


def dropping(inputs: int, outputs: int) -> Any:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, outputs)
    )


def normalised(inputs: int, outputs: int) -> Any:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, outputs)
    )


def half_frozen(inputs: int, outputs: int) -> Any:
    module = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, outputs))
    module[1].requires_grad_(False)
    return module


def of_doubles(inputs: int, outputs: int) -> Any:
    return nn.Linear(inputs, outputs, dtype=torch.float64)


def no_module() -> str:
    return "nothing to train"


def seen(shape: tuple[int, ...], outputs: int) -> Any:
    """Return a module that takes examples of exactly this shape."""
    return nn.Sequential(Shaped(shape), nn.Flatten(), nn.LazyLinear(outputs))


class Shaped(nn.Module):  # type: ignore[misc]
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Any) -> Any:
        assert tuple(x.shape[1:]) == tuple(self.shape)
        return x


class Restless(torch.optim.SGD):  # type: ignore[misc]
    """Keeps something that is no tensor."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["count"] = 1


class Embedded(nn.Module):  # type: ignore[misc]
    """A sum of embeddings, whose gradient PyTorch keeps sparse."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(17, outputs, sparse=True)

    def forward(self, x: torch.Tensor) -> Any:
        return self.embedding((x.flatten(1) * 16).long().clamp(0, 16)).sum(1)
