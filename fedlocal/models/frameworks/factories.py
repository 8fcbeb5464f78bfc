"""Models of other frameworks, by the names of their parts: what the presets name.

The parts are looked up before data are loaded, and built wherever a model is needed. For a framework that is
not installed, the error says what installs it.
"""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

import numpy as np

from fedlocal.models.protocol import Model, ModelError

Node = dict[str, Any]
"""A ``_target_``, the name of a class or function, with its arguments; such nodes may be arguments, too."""


@dataclass(frozen=True)
class Examples:
    """What a model is made for, as :class:`fedlocal.models.ModelFactory` says."""

    inputs: int
    outputs: int
    classes: bool
    shape: tuple[int, ...]


class FrameworkFactory(ABC):
    """Makes models of another framework."""

    def __call__(
        self, *, inputs: int, outputs: int, classes: bool, rng: np.random.Generator, shape: tuple[int, ...]
    ) -> Model:
        """Build a model."""
        return self._load()(self, Examples(inputs, outputs, classes, shape), rng)

    @abstractmethod
    def _load(self) -> Callable[..., Model]:
        """Import the framework; return the class of its models."""


@dataclass(frozen=True)
class PyTorch(FrameworkFactory):
    """Makes models of a PyTorch module; :class:`~fedlocal.models.frameworks.torch.TorchModel` trains them.

    Parameters
    ----------
    module : dict
        The ``torch.nn.Module``. If its signature names them, it is given ``outputs``, the number of classes
        or targets, ``inputs``, that of features, and ``shape``, that of one example as the module sees it.
    loss : dict
        Its call with the module's outputs and the targets returns the mean over rows.
    optimizer : dict
        Given the parameters; a ``torch.optim.Optimizer``.
    input_shape : list of int, optional
        Of one example, as the module takes it; by default (channels, height, width) of an image, and
        (features,) of a row of a table.

    Raises
    ------
    ModelError
        If PyTorch is not installed, or a part is not found.
    """

    module: Node
    loss: Node
    optimizer: Node
    input_shape: list[int] | None = None

    preload: ClassVar = ("torch", "fedlocal.models.frameworks.torch")
    """The modules that worker processes import for it, or the process that they fork from before them."""

    def __post_init__(self) -> None:
        _require("PyTorch", "torch")
        _find(module=self.module, loss=self.loss, optimizer=self.optimizer)

    def _load(self) -> Callable[..., Model]:
        from fedlocal.models.frameworks.torch import TorchModel

        return TorchModel


@dataclass(frozen=True)
class Keras(FrameworkFactory):
    """Makes models of Keras 3; :class:`fedlocal.models.frameworks.keras.KerasModel` says how they train.

    Parameters
    ----------
    model : dict
        The ``keras.Model``, or a function that returns one. If its signature names them, it is given
        ``outputs``, the number of classes or targets, ``inputs``, that of features, and ``shape``, that of
        one example.
    loss, optimizer : dict or str
        The same, or one of Keras's names, such as ``mse`` and ``adam``.
    backend : {"jax", "tensorflow", "torch"}, optional
        Of Keras, which has one in a process; by default the one that it is set to.
    input_shape : list of int, optional
        Of one example, as the model takes it; by default (height, width, channels) of an image, and
        (features,) of a row of a table.

    Raises
    ------
    ModelError
        If Keras or the backend is not installed, Keras is loaded with another one, or a part is not found.
    """

    model: Node
    loss: Node | str
    optimizer: Node | str
    backend: Literal["jax", "tensorflow", "torch"] | None = None
    input_shape: list[int] | None = None

    def __post_init__(self) -> None:
        _require("Keras", "keras")
        if self.backend and find_spec(self.backend) is None:
            raise ModelError(
                f"model.backend={self.backend} is not installed here; pip install {self.backend}"
            )
        object.__setattr__(self, "backend", _start_keras(self.backend))  # the same in all processes
        named = {"loss": self.loss, "optimizer": self.optimizer}
        _find(model=self.model, **{key: node for key, node in named.items() if not isinstance(node, str)})

    def _load(self) -> Callable[..., Model]:
        _start_keras(self.backend)
        from fedlocal.models.frameworks.keras import KerasModel

        return KerasModel


ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
"""What TensorFlow and JAX read as they start: their threads cannot be limited later."""


def _start_keras(backend: str | None) -> str:
    """Import Keras with a backend, or with the one that it is set to; return which it has."""
    before = {name: value for name, value in os.environ.items() if name == "KERAS_BACKEND"}
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    if backend and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    try:
        import keras
    except ModuleNotFoundError as error:
        raise ModelError(
            f"Keras is set to a backend that is not installed ({error}); set model.backend"
        ) from error
    finally:
        os.environ.pop("KERAS_BACKEND", None)
        os.environ.update(before)
    name = str(keras.backend.backend())
    if backend not in (None, name):
        raise ModelError(
            f"model.backend={backend}, but Keras is loaded with {name}; set KERAS_BACKEND={backend}"
        )
    return name


def _require(framework: str, module: str) -> None:
    if find_spec(module) is None:
        raise ModelError(f'{framework} is not installed here; pip install "fedlocal[{module}]"')


def _find(**nodes: object) -> None:
    """Raise :class:`ModelError` for the first node without a target that can be imported and called."""
    from hydra.utils import get_object  # imported late: only a framework needs it

    for option, node in nodes.items():
        target = node.get("_target_") if isinstance(node, dict) else None
        if not isinstance(target, str):
            raise ModelError(
                f"model.{option} must name a class or function and its arguments, as "
                f"model.{option}={{_target_: package.module.Name}}, and model._recursive_=false; got {node!r}"
            )
        try:
            part = get_object(target)
        except Exception as error:  # whatever an import raises, the option is what is wrong
            raise ModelError(f"model.{option}._target_={target}: {error}") from error
        if not callable(part):
            raise ModelError(f"model.{option}._target_={target} is {part!r}, which cannot be called")
