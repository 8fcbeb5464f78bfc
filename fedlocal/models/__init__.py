"""Models: the protocol that the rest of fedlocal trains by, and what stands behind it.

The room knows nothing of data sets, actors or Flower. What ``conf/model`` names has its public address here.
"""

from typing import TYPE_CHECKING

from fedlocal.lazy import lazy_attributes

if TYPE_CHECKING:
    from fedlocal.models.arrays import untrained_of as untrained_of
    from fedlocal.models.frameworks.factories import Keras as Keras
    from fedlocal.models.frameworks.factories import PyTorch as PyTorch
    from fedlocal.models.frameworks.keras_modules import keras_mlp as keras_mlp
    from fedlocal.models.frameworks.sklearn import SklearnModel as SklearnModel
    from fedlocal.models.frameworks.torch_modules import torch_cnn as torch_cnn
    from fedlocal.models.frameworks.torch_modules import torch_mlp as torch_mlp
    from fedlocal.models.gradient_tree import GradientTree as GradientTree
    from fedlocal.models.gradient_tree import Node as Node
    from fedlocal.models.numpy.mlp import MLP as MLP
    from fedlocal.models.numpy.network import Buffers as Buffers
    from fedlocal.models.numpy.passes import Passes as Passes
    from fedlocal.models.numpy.passes import stages_of as stages_of
    from fedlocal.models.numpy.stacked import Stack as Stack
    from fedlocal.models.numpy.stacked import stack_height as stack_height
    from fedlocal.models.protocol import Arrays as Arrays
    from fedlocal.models.protocol import Evaluation as Evaluation
    from fedlocal.models.protocol import Model as Model
    from fedlocal.models.protocol import ModelError as ModelError
    from fedlocal.models.protocol import ModelFactory as ModelFactory
    from fedlocal.models.protocol import gives_probabilities as gives_probabilities
    from fedlocal.models.protocol import make as make
    from fedlocal.models.training import Gather as Gather
    from fedlocal.models.training import add_gradients as add_gradients
    from fedlocal.models.training import train as train
else:
    __getattr__, __dir__ = lazy_attributes(__name__)
