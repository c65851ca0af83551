"""Recipes of training: epochs, rates, augmentation; the ones that made the bundled networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cnnviz.training.augmentation import affine


@dataclass(frozen=True)
class Augmentation:
    """Random affine changes of a digit, uniform within +- each limit.

    Rotation in degrees, shear as a slope, zoom as a fraction, shift in pixels.
    """

    rotation: float = 12.0
    zoom: float = 0.12
    shear: float = 0.15
    shift: float = 2.0

    def draw(self, random: np.random.Generator, count: int) -> np.ndarray:
        """(count, 6) in [-1, 1]: what `affine_matrices` makes maps of."""
        return random.uniform(-1, 1, (count, 6))

    def __call__(self, images: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Square images, changed; see `augmentation.affine`."""
        return affine(images, affine_matrices(drawn, self, np.shape(images)[1]))


def affine_matrices(numbers: np.ndarray, limits: Augmentation, side: int = 28) -> np.ndarray:
    """The eight coefficients of an affine map about the image centre, one row an image.

    `numbers` is (N, 6) in [-1, 1]: rotation, zoom x, zoom y, shear, shift x, shift y. The result
    (N, 8) maps an output pixel (x, y) to (a0 x + a1 y + a2, a3 x + a4 y + a5) of the input, the
    convention of `keras.ops.image.affine_transform`.
    """
    angle = numbers[:, 0] * math.radians(limits.rotation)
    zoom_x, zoom_y = 1 + limits.zoom * numbers[:, 1], 1 + limits.zoom * numbers[:, 2]
    shear = limits.shear * numbers[:, 3]
    cos, sin = np.cos(angle), np.sin(angle)
    a0, a1 = zoom_x * cos, zoom_x * (shear * cos - sin)
    a3, a4 = zoom_y * sin, zoom_y * (shear * sin + cos)
    centre = (side - 1) / 2
    a2 = centre - a0 * centre - a1 * centre + limits.shift * numbers[:, 4]
    a5 = centre - a3 * centre - a4 * centre + limits.shift * numbers[:, 5]
    zero = np.zeros_like(a0)
    return np.stack([a0, a1, a2, a3, a4, a5, zero, zero], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Recipe:
    """All that decides a training run, except its seed and its images.

    `schedule` is "inverse" for lr/(1 + decay*epoch), epoch counted from 0, or "cosine" for
    lr/2*(1 + cos(pi*epoch/epochs)); both are constant within an epoch. `average` is the momentum
    of the exponential moving average over steps whose weights are kept (None keeps the last).
    """

    epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 0.003
    schedule: str = "inverse"
    decay: float = 0.319
    weight_decay: float | None = None
    dropout: float = 0.0
    augmentation: Augmentation | None = None
    average: float | None = None

    def steps(self, images: int) -> int:
        """Batches in an epoch over so many images; the last one may be smaller.

        >>> Recipe().steps(60_000)
        469
        """
        return math.ceil(images / self.batch_size)

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch counted from 0.

        >>> Recipe().rate(0), round(Recipe().rate(19), 6)
        (0.003, 0.000425)
        """
        if self.schedule == "inverse":
            return self.learning_rate / (1 + self.decay * epoch)
        if self.schedule == "cosine":
            return self.learning_rate / 2 * (1 + math.cos(math.pi * epoch / self.epochs))
        raise ValueError(f"schedule must be 'inverse' or 'cosine', got {self.schedule!r}")


RECIPES: dict[str, dict[str, Recipe]] = {
    "mnist_14k": {
        "best": Recipe(
            epochs=40,
            learning_rate=0.004,
            schedule="cosine",
            weight_decay=1e-4,
            dropout=0.03,
            augmentation=Augmentation(),
        ),
        "notes": Recipe(dropout=0.03, augmentation=Augmentation(), average=0.995),
    },
    "mnist_maxpool": {
        "plain": Recipe(
            epochs=20, schedule="cosine", dropout=0.1, augmentation=Augmentation(8.0, 0.08, 0.1, 1.0)
        ),
    },
}
"""Recipes by model and name; a model's first one is its default, and made the bundled weights.

"notes" has the course notes' schedule: 20 epochs, learning rate 0.003/(1 + 0.319*epoch).
"""
