"""Feature skew: what each client's sensor does to its rows. It composes with every partition.

A skew is applied when an actor opens its slice. It draws from the generator it is given and from nothing
else, so that the baseline can train on the same transformed rows.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fedlocal.data.errors import SkewError

Features = NDArray[np.float32]

CHUNK = 1 << 16  # numbers rotated at once: what is gathered stays in the cache


class Skew(Protocol):
    """Anything that changes the features of one client."""

    def __call__(
        self,
        x: Features,
        shape: tuple[int, ...],
        partition_id: int,
        partitions: int,
        rng: np.random.Generator,
    ) -> Features:
        """Return the client's features, float32[m, d], as it sees them: C-contiguous; `x` stays as it is.

        Parameters
        ----------
        x : ndarray of float32, shape (m, d)
            The rows of one partition.
        shape : tuple of int
            Shape of one example before it was flattened to d numbers.
        partition_id, partitions : int
            Which client, in 0..partitions-1.
        rng : numpy.random.Generator
            Of this client.

        Raises
        ------
        SkewError
            If the skew makes no sense for examples of this shape.
        """
        ...


@dataclass(frozen=True)
class NoSkew:
    """Every client sees its rows as they are."""

    def __call__(self, x: Features, *_client: Any, **_named: Any) -> Features:
        """Return the features themselves."""
        return x


@dataclass(frozen=True)
class GaussianNoise:
    """Client i of N adds Gaussian noise of variance ``level * (i + 1) / N`` to its features [1]_.

    Parameters
    ----------
    level : float
        Variance of the noise of the last client, in the unit of the scaled features; the paper takes 0.1.

    References
    ----------
    .. [1] Q. Li, Y. Diao, Q. Chen, B. He, "Federated Learning on Non-IID Data Silos: An Experimental Study",
       ICDE 2022, "noise-based feature imbalance".
    """

    level: float = 0.1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.level) and self.level >= 0):
            raise SkewError(f"noise: level={self.level}, expected a finite number of at least 0")

    def __call__(
        self,
        x: Features,
        shape: tuple[int, ...],  # noqa: ARG002 - the seam's
        partition_id: int,
        partitions: int,
        rng: np.random.Generator,
    ) -> Features:
        """Return noisy features."""
        noisy: Features = rng.standard_normal(x.shape, np.float32)
        noisy *= np.float32(math.sqrt(self.level * (partition_id + 1) / partitions))
        noisy += x
        return noisy


@dataclass(frozen=True)
class Rotation:
    """Client i of N turns its images counter-clockwise by ``max_angle * i / N`` degrees.

    With the full circle, four clients have 0, 90, 180 and 270 degrees, as in rotated MNIST [1]_. Between
    pixels the grey value is interpolated linearly; what comes from outside the image is 0. Quarter turns of
    square images are exact.

    Parameters
    ----------
    max_angle : float
        Degrees that the clients are spread over, evenly; the angle itself is not reached.

    References
    ----------
    .. [1] A. Ghosh et al., "An Efficient Framework for Clustered Federated Learning", NeurIPS 2020.
    """

    max_angle: float = 360.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.max_angle):
            raise SkewError(f"rotation: max_angle={self.max_angle}, expected a finite number of degrees")

    def __call__(
        self,
        x: Features,
        shape: tuple[int, ...],
        partition_id: int,
        partitions: int,
        rng: np.random.Generator,  # noqa: ARG002 - the seam's
    ) -> Features:
        """Return turned images."""
        if len(shape) not in (2, 3):
            raise SkewError(
                "rotation needs images of shape (height, width) or (height, width, channels), these examples "
                f"have shape {shape}; use skew=noise or skew=none"
            )
        sources, weights = _bilinear(
            shape[0], shape[1], math.radians(self.max_angle * partition_id / partitions)
        )
        images = x.reshape(len(x), shape[0] * shape[1], shape[2] if len(shape) == 3 else 1)
        turned = np.zeros_like(images)
        height = max(1, CHUNK // x.shape[1])
        for start in range(0, len(x), height):
            rows = slice(start, start + height)
            for source, weight in zip(sources, weights, strict=True):
                turned[rows] += weight[:, None] * images[rows].take(source, axis=1)
        return turned.reshape(x.shape)


def _bilinear(height: int, width: int, angle: float) -> tuple[NDArray[np.int64], Features]:
    """Return the four pixels that each pixel of a turned image comes from, and their weights: (4, h * w)."""
    rows, columns = np.indices((height, width), np.float64).reshape(2, -1)
    rows -= (height - 1) / 2
    columns -= (width - 1) / 2
    cosine, sine = math.cos(angle), math.sin(angle)
    # rounding takes away what cos(90 degrees) leaves over, and so makes quarter turns exact
    from_rows = np.round(cosine * rows + sine * columns + (height - 1) / 2, 9)
    from_columns = np.round(cosine * columns - sine * rows + (width - 1) / 2, 9)
    sources, weights = [], []
    for corner_rows in (np.floor(from_rows), np.floor(from_rows) + 1):
        for corner_columns in (np.floor(from_columns), np.floor(from_columns) + 1):
            inside = (
                (corner_rows >= 0) & (corner_rows < height) & (corner_columns >= 0) & (corner_columns < width)
            )
            overlap = (1 - np.abs(from_rows - corner_rows)) * (1 - np.abs(from_columns - corner_columns))
            sources.append(np.where(inside, corner_rows * width + corner_columns, 0).astype(np.int64))
            weights.append(np.where(inside, overlap, 0).astype(np.float32))
    return np.array(sources), np.array(weights)
