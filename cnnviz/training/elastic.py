"""Elastic distortion of digits: a displacement for every pixel, random but smooth.

Source: Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
Document Analysis" (ICDAR 2003), section 2: random displacements, smoothed by a Gaussian of width sigma and
scaled by alpha; the picture is read between its pixels by bilinear interpolation.
"""

from __future__ import annotations

import functools

import numpy as np


@functools.lru_cache(maxsize=8)
def smoothing(side: int, sigma: float) -> np.ndarray:
    """The matrix (side, side) that smooths a row of numbers by a Gaussian; zeros are beyond the border.

    >>> smooth = smoothing(28, 4.0)
    >>> smooth.shape, bool(smooth[14].sum() > 0.999), bool(0.5 < smooth[0].sum() < 0.6)
    ((28, 28), True, True)
    """
    distance = np.subtract.outer(np.arange(side), np.arange(side))
    return (np.exp(-0.5 * (distance / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))).astype(np.float32)


def displacements(numbers: np.ndarray, alpha: float, sigma: float) -> np.ndarray:
    """How far each pixel is moved, in pixels, from random numbers in [-1, 1].

    Parameters
    ----------
    numbers
        (N, 2, side, side): one number for x and one for y, at every pixel.
    alpha
        What the smoothed numbers are multiplied by. Of uniform numbers the displacements in the middle of the
        image have the standard deviation alpha / (sigma sqrt(12 pi)).
    sigma
        The Gaussian's standard deviation in pixels.

    Returns
    -------
    numpy.ndarray
        Of the same shape.

    Examples
    --------
    >>> numbers = np.random.default_rng(0).uniform(-1, 1, (500, 2, 28, 28)).astype(np.float32)
    >>> moved = displacements(numbers, 36.0, 6.0)[:, :, 14, 14]
    >>> bool(abs(moved.std() - 36 / (6 * np.sqrt(12 * np.pi))) < 0.05)
    True
    """
    smooth = smoothing(numbers.shape[-1], sigma)
    return np.float32(alpha) * (smooth @ numbers @ smooth)


def warp(images: np.ndarray, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Distort images by an affine map and a displacement of every pixel, in one bilinear interpolation.

    Parameters
    ----------
    images
        (N, side, side).
    matrices
        (N, 8), as `affine_matrices` returns them: where an output pixel is read.
    moved
        (N, 2, side, side): how much further to the right and down it is read.

    Returns
    -------
    numpy.ndarray
        float32, of the images' shape; beyond their border is 0.

    Examples
    --------
    >>> image, identity = np.eye(3)[None], np.array([[1, 0, 0, 0, 1, 0, 0, 0]])
    >>> right = np.broadcast_to([[[0.5]], [[0.0]]], (1, 2, 3, 3))
    >>> warp(image, identity, right)[0].tolist()
    [[0.5, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    count, side = images.shape[:2]
    a0, a1, a2, a3, a4, a5 = matrices.T[:6, :, None, None].astype(np.float32)
    y, x = np.arange(side, dtype=np.float32)[:, None], np.arange(side, dtype=np.float32)[None]
    # Two rows and columns of zeros: the second is the neighbour of what is read in the first or beyond it.
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2))).astype(np.float32)
    wide = side + 4
    column = np.clip(a0 * x + a1 * y + a2 + moved[:, 0], -2, side) + 2
    row = np.clip(a3 * x + a4 * y + a5 + moved[:, 1], -2, side) + 2
    left, top = column.astype(np.int32), row.astype(np.int32)
    right_share, bottom_share = column - left.astype(np.float32), row - top.astype(np.float32)
    place = (np.arange(count, dtype=np.int32)[:, None, None] * wide + top) * wide + left
    flat = padded.ravel()
    upper = flat[place] * (1 - right_share) + flat[place + 1] * right_share
    lower = flat[place + wide] * (1 - right_share) + flat[place + wide + 1] * right_share
    return upper * (1 - bottom_share) + lower * bottom_share
