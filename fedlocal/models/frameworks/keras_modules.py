"""The Keras model of the preset: the paper's multilayer perceptron."""

from collections.abc import Sequence

import keras


def keras_mlp(shape: Sequence[int], outputs: int, hidden: Sequence[int] = (512, 256)) -> keras.Model:
    """Make dense layers with ReLU between them, and fedlocal's own initial weights.

    Parameters
    ----------
    shape : sequence of int
        Of one example.
    outputs : int
        Logits or real values.
    hidden : sequence of int
        Widths of the hidden layers.
    """
    he, glorot = keras.initializers.HeNormal, keras.initializers.GlorotNormal
    layers = [keras.layers.Dense(width, activation="relu", kernel_initializer=he()) for width in hidden]
    last = keras.layers.Dense(outputs, kernel_initializer=glorot())
    return keras.Sequential([keras.Input(tuple(shape)), keras.layers.Flatten(), *layers, last])
