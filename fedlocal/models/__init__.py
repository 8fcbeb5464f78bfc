"""Models: the protocol that the rest of fedlocal trains by, and what stands behind it.

The room knows nothing of data sets, actors or Flower. What ``conf/model`` names has its public address here.
"""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.models.arrays import untrained_of
    from fedlocal.models.frameworks.frameworks import Keras, PyTorch
    from fedlocal.models.frameworks.keras_modules import mlp as keras_mlp
    from fedlocal.models.frameworks.sklearn import SklearnModel
    from fedlocal.models.frameworks.torch_modules import cnn as torch_cnn
    from fedlocal.models.frameworks.torch_modules import mlp as torch_mlp
    from fedlocal.models.gradient_tree import GradientTree, Node
    from fedlocal.models.making import make
    from fedlocal.models.numpy.mlp import MLP
    from fedlocal.models.numpy.network import Buffers
    from fedlocal.models.numpy.passes import Passes, stages_of
    from fedlocal.models.numpy.stacked import Stack, stack_height
    from fedlocal.models.protocol import (
        Arrays,
        Evaluation,
        Model,
        ModelError,
        ModelFactory,
        gives_probabilities,
    )
    from fedlocal.models.training import Gather, add_gradients, train

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
    "fedlocal.models.arrays": "untrained_of",
    "fedlocal.models.frameworks.frameworks": "Keras PyTorch",
    "fedlocal.models.frameworks.keras_modules": "keras_mlp=mlp",
    "fedlocal.models.frameworks.sklearn": "SklearnModel",
    "fedlocal.models.frameworks.torch_modules": "torch_cnn=cnn torch_mlp=mlp",
    "fedlocal.models.gradient_tree": "GradientTree Node",
    "fedlocal.models.making": "make",
    "fedlocal.models.numpy.mlp": "MLP",
    "fedlocal.models.numpy.network": "Buffers",
    "fedlocal.models.numpy.passes": "Passes stages_of",
    "fedlocal.models.numpy.stacked": "Stack stack_height",
    "fedlocal.models.protocol": "Arrays Evaluation Model ModelError ModelFactory gives_probabilities",
    "fedlocal.models.training": "Gather add_gradients train",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_attributes(__name__, _HOMES)
