"""Random affine changes of images while a network learns: turned, sheared, zoomed, shifted."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Augment(Protocol):
    """What changes images at random: all numbers of an epoch are drawn first, then used batch by batch."""

    def draw(self, random: np.random.Generator, count: int) -> np.ndarray:
        """(count, ...): what is drawn for so many images."""
        ...

    def __call__(self, images: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        """The images, changed by what was drawn for them."""
        ...


def affine(images: Any, matrices: np.ndarray) -> np.ndarray:
    """Images moved by affine maps, read between their pixels (bilinear), 0 outside.

    Parameters
    ----------
    images
        (N, H, W) or (N, H, W, C); uint8 0..255 become floats 0..1.
    matrices
        (N, 8), as `affine_matrices` gives them, the convention of `keras.ops.image.affine_transform`: an
        output pixel (x, y) reads the input at (a0 x + a1 y + a2, a3 x + a4 y + a5).

    Returns
    -------
    float32 array of the images' shape

    Examples
    --------
    >>> affine(np.array([[[0, 255]]], np.uint8), np.array([[1, 0, 0.5, 0, 1, 0, 0, 0.0]]))
    array([[[0.5, 0.5]]], dtype=float32)
    """
    given = np.asarray(images)
    x = given.astype(np.float32) / np.float32(255) if given.dtype == np.uint8 else given.astype(np.float32)
    maps = x.reshape(*x.shape[:3], -1)
    count, height, width, channels = maps.shape
    a = matrices.astype(np.float32)[:, :6, np.newaxis, np.newaxis]
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, np.newaxis]
    at_x = np.clip(a[:, 0] * across + a[:, 1] * down + a[:, 2], -1, width)
    at_y = np.clip(a[:, 3] * across + a[:, 4] * down + a[:, 5], -1, height)
    left, top = np.floor(at_x), np.floor(at_y)
    right_share, low_share = at_x - left, at_y - top
    # One row and column of zeros around, two at the far sides, stand for all that is outside.
    padded = np.zeros((count, height + 3, width + 3, channels), np.float32)
    padded[:, 1 : height + 1, 1 : width + 1] = maps
    flat = padded.reshape(-1, channels)
    first = np.arange(count).reshape(-1, 1, 1) * ((height + 3) * (width + 3))
    corner = first + (top.astype(np.intp) + 1) * (width + 3) + left.astype(np.intp) + 1
    moved = np.zeros(maps.shape, np.float32)
    for step, share in (
        (0, (1 - low_share) * (1 - right_share)),
        (1, (1 - low_share) * right_share),
        (width + 3, low_share * (1 - right_share)),
        (width + 4, low_share * right_share),
    ):
        moved += flat[corner + step] * share[..., np.newaxis]
    return moved.reshape(x.shape)
