"""Recipes of training: epochs, rates, augmentation; the ones that made the bundled networks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.annotations import check_fields
from cnnviz.ops.arguments import floats
from cnnviz.ops.padding import LIMIT
from cnnviz.training.augmentation import affine, displacements


@dataclass(frozen=True)
class Augmentation:
    """Random affine changes of a digit, uniform within +- each limit, and an elastic distortion.

    Rotation in degrees, shear as a slope, zoom as a fraction, shift in pixels; alpha and sigma as in
    `augmentation.displacements`, where an alpha of 0 leaves the distortion out.
    """

    rotation: float = 12.0
    zoom: float = 0.12
    shear: float = 0.15
    shift: float = 2.0
    alpha: float = 0.0
    sigma: float = 6.0

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in vars(self).items():
            if not math.isfinite(value):
                raise ValueError(f"{name} must be finite, got {brief(value)}")

    def draw(self, random: np.random.Generator, count: int) -> np.ndarray:
        """(count, 6) in [-1, 1], what `affine_matrices` makes maps of; for elastic distortion a seed more."""
        numbers = random.uniform(-1, 1, (count, 6))
        return np.c_[numbers, random.integers(2**53, size=count)] if self.alpha else numbers

    def __call__(self, images: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """Square images, changed; see `augmentation.affine`."""
        size = np.shape(images)[1:3]
        moved = displacements(drawn[:, 6], size, self.alpha, self.sigma) if self.alpha else None
        return affine(images, affine_matrices(drawn[:, :6], self, size[0]), moved)


def affine_matrices(numbers: np.ndarray, limits: Augmentation, side: int = 28) -> np.ndarray:
    """The eight coefficients of an affine map about the image centre, one row an image.

    `numbers` is (N, 6) in [-1, 1]: rotation, zoom x, zoom y, shear, shift x, shift y. The result
    (N, 8) maps an output pixel (x, y) to (a0 x + a1 y + a2, a3 x + a4 y + a5) of the input, the
    convention of `keras.ops.image.affine_transform`.
    """
    (numbers,) = floats(numbers=numbers)
    if numbers.ndim != 2 or numbers.shape[1] != 6:
        raise ValueError(f"numbers must be (N, 6), got numbers.shape={numbers.shape}")
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
    `images` is how many images of the training set are used, the first ones (None is all);
    `shuffled_labels` hands their labels out at random, once for the whole run.
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
    images: int | None = None
    shuffled_labels: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in vars(self).items():
            if isinstance(value, int | float) and not 0 <= value < math.inf:
                raise ValueError(f"{name} must be finite, 0 or more, got {brief(value)}")
        for name in ("epochs", "batch_size"):
            if not 1 <= getattr(self, name) < LIMIT:
                raise ValueError(f"{name} must be from 1 to below 2**31, got {brief(getattr(self, name))}")

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Recipe:
        """The recipe that a history tells; one from before an option was there leaves it out.

        Raises ValueError if it tells of no such recipe.

        >>> Recipe.of({"epochs": 3, "augmentation": {"shift": 1.0}}).augmentation.alpha
        0.0
        """
        augmentation = record.get("augmentation")
        try:
            return cls(**{**record, "augmentation": augmentation and Augmentation(**augmentation)})
        except (TypeError, ValueError) as error:
            raise ValueError(f"{record!r:.200} is not the record of a recipe: {error}") from None

    @property
    def sees(self) -> str:
        """How it sees its images, to be said behind the word.

        >>> Recipe(dropout=0.1).sees, Recipe(augmentation=Augmentation()).sees
        ('as they are, with dropout at work', 'distorted at random')
        """
        images = "as they are" if self.augmentation is None else "distorted at random"
        return images + ", with dropout at work" * bool(self.dropout)

    def training_set(
        self, images: np.ndarray, labels: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The images and labels that are trained on, of those there are.

        >>> images, labels = np.zeros((9, 28, 28)), np.arange(9)
        >>> images, labels = Recipe(images=5, shuffled_labels=True).training_set(images, labels, seed=0)
        >>> len(images), sorted(labels.tolist())
        (5, [0, 1, 2, 3, 4])
        """
        if self.images is not None and self.images > len(images):
            raise ValueError(f"the recipe takes {self.images:,} images, but there are only {len(images):,}")
        images, labels = images[: self.images], labels[: self.images]
        if self.shuffled_labels:
            # A key that no epoch's stream has.
            random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
            labels = random.permutation(labels)
        return images, labels

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


_SHORT = Recipe(epochs=10, batch_size=64, learning_rate=0.01, images=5_000)
_BY_HEART = Recipe(epochs=60, batch_size=16, schedule="cosine", images=500)

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
        "elastic": Recipe(
            epochs=60,
            learning_rate=0.004,
            schedule="cosine",
            weight_decay=1e-4,
            augmentation=Augmentation(alpha=24.0),
        ),
    },
    "mnist_maxpool": {
        "plain": Recipe(
            epochs=20, schedule="cosine", dropout=0.1, augmentation=Augmentation(8.0, 0.08, 0.1, 1.0)
        ),
        "short": _SHORT,
        "too_fast": replace(_SHORT, learning_rate=10 * _SHORT.learning_rate),
        "by_heart": _BY_HEART,
        "shuffled": replace(_BY_HEART, shuffled_labels=True),
    },
}
"""Recipes by model and name; a model's first one is its default, and made the bundled weights.

"notes" has the course notes' schedule: 20 epochs, learning rate 0.003/(1 + 0.319*epoch). "elastic" is what
was tried against "best". The others are small runs to learn from: "short" for a few images, the same with a
learning rate ten times too high, 500 images that are learned by heart, and the same with shuffled labels.
"""

OWN_RECIPE = Recipe(epochs=10, learning_rate=0.001, schedule="cosine")
"""For a network of one's own: Keras's Adam, its rate going down to 0."""
