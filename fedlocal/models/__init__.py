"""Models: the protocol that the rest of fedlocal trains by, and what stands behind it.

This room imports nothing of ours but itself.
"""

from fedlocal.models.arrays import untrained_of
from fedlocal.models.frameworks import Keras, PyTorch
from fedlocal.models.making import make
from fedlocal.models.mlp import MLP
from fedlocal.models.network import Buffers
from fedlocal.models.passes import Passes, stages_of
from fedlocal.models.protocol import Arrays, Evaluation, Model, ModelError, ModelFactory, gives_probabilities
from fedlocal.models.sklearn import SklearnModel
from fedlocal.models.stacked import Stack, stack_height
from fedlocal.models.training import Gather, add_gradients, train
from fedlocal.models.tree import GradientTree, Node

__all__ = [
    "MLP",
    "Arrays",
    "Buffers",
    "Evaluation",
    "Gather",
    "GradientTree",
    "Keras",
    "Model",
    "ModelError",
    "ModelFactory",
    "Node",
    "Passes",
    "PyTorch",
    "SklearnModel",
    "Stack",
    "add_gradients",
    "gives_probabilities",
    "make",
    "stack_height",
    "stages_of",
    "train",
    "untrained_of",
]
