"""Models: the protocol that the rest of fedlocal trains by, and what stands behind it.

This room imports nothing of ours but itself. What ``conf/model`` names has its public address here.
"""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.models.arrays import untrained_of
    from fedlocal.models.frameworks import Keras, PyTorch
    from fedlocal.models.keras_modules import mlp as keras_mlp
    from fedlocal.models.making import make
    from fedlocal.models.mlp import MLP
    from fedlocal.models.network import Buffers
    from fedlocal.models.passes import Passes, stages_of
    from fedlocal.models.protocol import (
        Arrays,
        Evaluation,
        Model,
        ModelError,
        ModelFactory,
        gives_probabilities,
    )
    from fedlocal.models.sklearn import SklearnModel
    from fedlocal.models.stacked import Stack, stack_height
    from fedlocal.models.torch_modules import cnn as torch_cnn
    from fedlocal.models.torch_modules import mlp as torch_mlp
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
    "keras_mlp",
    "make",
    "stack_height",
    "stages_of",
    "torch_cnn",
    "torch_mlp",
    "train",
    "untrained_of",
]

_HOMES = {
    "untrained_of": "fedlocal.models.arrays",
    "Keras": "fedlocal.models.frameworks",
    "PyTorch": "fedlocal.models.frameworks",
    "keras_mlp": "fedlocal.models.keras_modules:mlp",
    "make": "fedlocal.models.making",
    "MLP": "fedlocal.models.mlp",
    "Buffers": "fedlocal.models.network",
    "Passes": "fedlocal.models.passes",
    "stages_of": "fedlocal.models.passes",
    "Arrays": "fedlocal.models.protocol",
    "Evaluation": "fedlocal.models.protocol",
    "Model": "fedlocal.models.protocol",
    "ModelError": "fedlocal.models.protocol",
    "ModelFactory": "fedlocal.models.protocol",
    "gives_probabilities": "fedlocal.models.protocol",
    "SklearnModel": "fedlocal.models.sklearn",
    "Stack": "fedlocal.models.stacked",
    "stack_height": "fedlocal.models.stacked",
    "torch_cnn": "fedlocal.models.torch_modules:cnn",
    "torch_mlp": "fedlocal.models.torch_modules:mlp",
    "Gather": "fedlocal.models.training",
    "add_gradients": "fedlocal.models.training",
    "train": "fedlocal.models.training",
    "GradientTree": "fedlocal.models.tree",
    "Node": "fedlocal.models.tree",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
