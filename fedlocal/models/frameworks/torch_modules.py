"""The PyTorch modules of the presets: the paper's multilayer perceptron, and a small network for images."""

import itertools
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from fedlocal.models.protocol import ModelError


def torch_mlp(inputs: int, outputs: int, hidden: Sequence[int] = (512, 256)) -> nn.Sequential:
    """Make dense layers with ReLU between them, and fedlocal's own initial weights.

    Parameters
    ----------
    inputs, outputs : int
        Features of an example, of whatever shape; logits or real values.
    hidden : sequence of int
        Widths of the hidden layers.
    """
    widths = [inputs, *hidden, outputs]
    layers = OrderedDict[str, nn.Module](flatten=nn.Flatten())
    for index, (ins, outs) in enumerate(itertools.pairwise(widths)):
        layer = nn.Linear(ins, outs)
        last = index == len(hidden)
        (nn.init.xavier_normal_ if last else _he)(layer.weight)
        nn.init.zeros_(layer.bias)
        layers[f"layer{index}"] = layer
        if not last:
            layers[f"relu{index}"] = nn.ReLU()
    return nn.Sequential(layers)


def torch_cnn(
    shape: Sequence[int], outputs: int, channels: Sequence[int] = (32, 64), hidden: int = 128
) -> nn.Sequential:
    """Make two or more convolutions of 3 x 3, each with ReLU and pooling by 2, and two dense layers.

    Parameters
    ----------
    shape : sequence of int
        Channels, height and width of an image; each pooling halves the last two.
    outputs : int
        Logits or real values.
    channels : sequence of int
        Of each convolution's output.
    hidden : int
        Width of the dense layer before the last.

    Raises
    ------
    ModelError
        If the examples are no images, or too small.
    """
    least = 2 ** len(channels)
    if len(shape) != 3 or min(shape[1:]) < least:
        raise ModelError(
            f"it takes images of at least {least} x {least} pixels, these examples have shape {list(shape)}; "
            "use model=torch or model=mlp, or give model.input_shape=[channels,height,width]"
        )
    layers = OrderedDict[str, nn.Module]()
    for index, (ins, outs) in enumerate(itertools.pairwise([shape[0], *channels])):
        layers[f"convolution{index}"] = nn.Conv2d(ins, outs, kernel_size=3, padding=1)
        layers[f"relu{index}"] = nn.ReLU()
        layers[f"pool{index}"] = nn.MaxPool2d(2)
    pixels = (shape[1] // least) * (shape[2] // least)
    layers["flatten"] = nn.Flatten()
    layers["dense"] = nn.Linear(channels[-1] * pixels, hidden)
    layers["relu"] = nn.ReLU()
    layers["output"] = nn.Linear(hidden, outputs)
    return nn.Sequential(layers)


def _he(weight: torch.Tensor) -> torch.Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")
