"""Models: the protocol that the rest of fedlocal trains by, and what stands behind it.

This room imports nothing of ours but itself.
"""

from fedlocal.models.mlp import MLP
from fedlocal.models.protocol import Arrays, Evaluation, Model, ModelError, ModelFactory
from fedlocal.models.sklearn import SklearnModel
from fedlocal.models.stacked import Stack, stack_height
from fedlocal.models.training import GradientMean, batches, train

__all__ = [
    "MLP",
    "Arrays",
    "Evaluation",
    "GradientMean",
    "Model",
    "ModelError",
    "ModelFactory",
    "SklearnModel",
    "Stack",
    "batches",
    "stack_height",
    "train",
]
