"""Random changes of images while a network learns: turned, sheared, zoomed, shifted, elastically distorted.

The elastic distortion is that of Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural
Networks Applied to Visual Document Analysis" (ICDAR 2003), section 2: random displacements, smoothed by a
Gaussian of width sigma and scaled by alpha.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
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


def affine(images: Any, matrices: np.ndarray, moved: np.ndarray | None = None) -> np.ndarray:
    """Images moved by affine maps, read between their pixels (bilinear), 0 outside.

    Parameters
    ----------
    images
        (N, H, W) or (N, H, W, C); uint8 0..255 become floats 0..1.
    matrices
        (N, 8), as `affine_matrices` gives them, the convention of `keras.ops.image.affine_transform`: an
        output pixel (x, y) reads the input at (a0 x + a1 y + a2, a3 x + a4 y + a5).
    moved
        (N, 2, H, W): how many pixels further right and down each pixel is read, as `displacements` gives it.

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
    at_x = a[:, 0] * across + a[:, 1] * down + a[:, 2]
    at_y = a[:, 3] * across + a[:, 4] * down + a[:, 5]
    if moved is not None:
        at_x, at_y = at_x + moved[:, 0], at_y + moved[:, 1]
    at_x, at_y = np.clip(at_x, -1, width), np.clip(at_y, -1, height)
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


def displacements(seeds: Iterable[int], size: tuple[int, int], alpha: float, sigma: float) -> np.ndarray:
    """How far each pixel of an image is displaced: at random, but nearly as far as its neighbours.

    Parameters
    ----------
    seeds
        One integer an image; its displacements are drawn from it alone.
    size
        (H, W).
    alpha
        What the smoothed numbers are multiplied by. In the middle of a large image the displacements have the
        standard deviation alpha / (sigma sqrt(12 pi)).
    sigma
        The Gaussian's standard deviation in pixels.

    Returns
    -------
    float32 array (N, 2, H, W)
        In pixels, to the right and down.

    Examples
    --------
    >>> moved = displacements(range(500), (28, 28), alpha=36.0, sigma=6.0)[:, :, 14, 14]
    >>> moved.shape, bool(abs(moved.std() - 36 / (6 * np.sqrt(12 * np.pi))) < 0.05)
    ((500, 2), True)
    """
    shape = (2, *size)
    numbers = [
        np.random.Generator(np.random.Philox(key=int(seed))).random(shape, np.float32) for seed in seeds
    ]
    rows, columns = (smoothing(side, sigma) for side in size)
    centred = 2 * np.reshape(np.array(numbers, np.float32), (-1, *shape)) - 1
    return np.float32(alpha) * (rows @ centred @ columns)


@functools.lru_cache(maxsize=8)
def smoothing(side: int, sigma: float) -> np.ndarray:
    """The symmetric matrix (side, side) that smooths a row of numbers by a Gaussian, with zeros outside.

    >>> smooth = smoothing(28, 4.0)
    >>> smooth.shape, bool(smooth[14].sum() > 0.999), bool(0.5 < smooth[0].sum() < 0.6)
    ((28, 28), True, True)
    """
    distances = np.subtract.outer(np.arange(side), np.arange(side))
    return (np.exp(-0.5 * (distances / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))).astype(np.float32)
