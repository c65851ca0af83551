"""Pictures of four classes that colour or form alone tells apart: what a network in grey cannot learn.

Red and blue discs are drawn in colours of one brightness, in Rec. 601's weights of red, green and blue, with
which Pillow, and so `load_image`, makes a picture grey. Squares and triangles are drawn in one green.
"""

from __future__ import annotations

import numpy as np

CLASSES = ("red disc", "blue disc", "green square", "green triangle")
"""The first two differ in colour alone, the last two in form alone."""

BRIGHTNESS = np.array([0.299, 0.587, 0.114])
"""Rec. 601 luma: how much red, green and blue add to a grey."""

_RED, _GREEN = np.array([0.9, 0.1, 0.1]), np.array([0.15, 0.6, 0.2])
_BLUE = np.array([0.1, 0.0, 0.9])
_BLUE[1] = (BRIGHTNESS @ _RED - BRIGHTNESS @ _BLUE) / BRIGHTNESS[1]


def colour_shapes(count: int, seed: int = 0, side: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of the four classes, at any place and of any of a few sizes, on paper with a little noise.

    Parameters
    ----------
    count
        How many; the classes follow each other, so that each has as many, as far as that goes.
    seed
        The same pictures for the same seed.
    side
        Rows and columns of a picture, at least 16.

    Returns
    -------
    (images, labels)
        float32 (count, side, side, 3) from 0 to 1, and int64 (count,).

    Raises
    ------
    ValueError
        for a smaller side, or no picture.

    Examples
    --------
    >>> images, labels = colour_shapes(8)
    >>> images.shape, labels.tolist()
    ((8, 20, 20, 3), [0, 1, 2, 3, 0, 1, 2, 3])
    """
    if side < 16 or count < 1:
        raise ValueError(f"side must be at least 16 and count at least 1, got {side} and {count}")
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[:side, :side] + 0.5
    images, labels = np.empty((count, side, side, 3)), np.arange(count) % len(CLASSES)
    for image, label in zip(images, labels, strict=True):
        radius = rng.uniform(3.5, 5.5)
        down, right = row - rng.uniform(radius, side - radius), col - rng.uniform(radius, side - radius)
        if label < 2:
            inside = down**2 + right**2 <= radius**2
        elif label == 2:
            inside = np.maximum(abs(down), abs(right)) <= 0.85 * radius
        else:
            inside = (abs(down) <= radius) & (abs(right) <= (down + radius) / 2)
        image[:] = np.where(inside[..., None], (_RED, _BLUE, _GREEN, _GREEN)[label], 0.92)
        # One grey of noise on all three colours, so that it says nothing of the colour.
        image += rng.normal(0, 0.03, (side, side, 1))
    return np.clip(images, 0, 1).astype(np.float32), labels


def in_grey(images: np.ndarray) -> np.ndarray:
    """The same pictures in grey, (count, side, side, 1).

    >>> red, blue = in_grey(colour_shapes(2)[0])
    >>> bool(abs(red.min() - blue.min()) < 0.1)
    True
    """
    return (images @ BRIGHTNESS.astype(images.dtype))[..., None]
