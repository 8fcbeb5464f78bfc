"""Keras models that tests name by ``_target_``."""

from typing import Any

import keras


def dropping(shape: tuple[int, ...], outputs: int) -> Any:
    dense = keras.layers.Dense
    layers = [keras.layers.Flatten(), dense(16, "relu"), keras.layers.Dropout(0.5), dense(outputs)]
    return keras.Sequential([keras.Input(shape), *layers])


def normalised(shape: tuple[int, ...], outputs: int) -> Any:
    dense, normalise = keras.layers.Dense, keras.layers.BatchNormalization
    layers = [keras.layers.Flatten(), dense(16), normalise(), keras.layers.ReLU(), dense(outputs)]
    return keras.Sequential([keras.Input(shape), *layers])


def convolving(outputs: int) -> Any:
    """Return a model that is not built yet."""
    layers = [
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(outputs),
    ]
    return keras.Sequential(layers)


def penalised(shape: tuple[int, ...], outputs: int) -> Any:
    heavy = keras.layers.Dense(outputs, kernel_regularizer=keras.regularizers.L2(1.0))
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), heavy])


def no_model() -> str:
    return "nothing to train"
