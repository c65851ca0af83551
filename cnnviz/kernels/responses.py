"""What the kernels of a first layer answer to: the part of any image that excites each the most.

Only what a kernel computes by itself counts, before bias and activation. No image is made up that would
excite it more than a real one; only the largest possible response is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.ops.convolution import conv2d

_AT_A_TIME = 100
"""Images: their responses then take a few megabytes."""


@dataclass(frozen=True, eq=False)
class ExcitingPatch:
    """The part of some images that one kernel answers to most.

    Parameters
    ----------
    kernel
        Its number.
    image, row, col
        Which image, and the part's first row and column.
    patch
        float32 (height, width, C), 0 to 1.
    response
        The sum of weight times pixel.
    possible
        The most that any pixels from 0 to 1 could give: the sum of the positive weights.
    """

    kernel: int
    image: int
    row: int
    col: int
    patch: np.ndarray
    response: float
    possible: float

    @property
    def bottom(self) -> int:
        """Its last row."""
        return self.row + self.patch.shape[0] - 1

    @property
    def right(self) -> int:
        """Its last column."""
        return self.col + self.patch.shape[1] - 1


def exciting_patches(
    weights: Any, images: Any, progress: Callable[[int, int], None] | None = None
) -> list[ExcitingPatch]:
    """For each kernel of a layer that reads pixels, the part of some images that excites it most.

    Parameters
    ----------
    weights
        (height, width, C, N), as Keras keeps them.
    images
        (M, H, W) or (M, H, W, C), uint8, at least one.
    progress
        Called with how many images are done, and of how many.

    Returns
    -------
    list of ExcitingPatch
        One a kernel; of equals the first.

    Raises
    ------
    ValueError
        for other shapes or another dtype.

    Examples
    --------
    >>> corner = np.zeros((1, 5, 5), np.uint8)
    >>> corner[0, 3:, 2:] = 255
    >>> found = exciting_patches(np.float32([[-1, -1], [1, 1]]).reshape(2, 2, 1, 1), corner)[0]
    >>> found.row, found.col, found.response, found.possible
    (2, 2, 2.0, 2.0)
    """
    weights, images = np.asarray(weights), np.asarray(images)
    if weights.ndim != 4:
        raise ValueError(f"weights must be (height, width, C, N), got shape {weights.shape}")
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or not len(images) or images.dtype != np.uint8:
        raise ValueError(
            f"images must be uint8 (M, H, W) or (M, H, W, C) and not empty, got {images.dtype} {images.shape}"
        )
    height, width, _, count = weights.shape
    best = np.full(count, -np.inf)
    places = np.zeros((count, 3), int)
    for first in range(0, len(images), _AT_A_TIME):
        responses = conv2d(images[first : first + _AT_A_TIME] / np.float32(255), weights.astype(np.float32))
        flat = responses.reshape(-1, count)
        values = flat.max(axis=0)
        for better in np.flatnonzero(values > best):
            at = np.unravel_index(int(flat[:, better].argmax()), responses.shape[:3])
            best[better], places[better] = values[better], (first + at[0], *at[1:])
        if progress:
            progress(min(first + _AT_A_TIME, len(images)), len(images))
    patches = []
    for k, (image, row, col) in enumerate(places.tolist()):
        patch = images[image, row : row + height, col : col + width] / np.float32(255)
        possible = float(np.maximum(weights[..., k], 0).sum(dtype=np.float64))
        patches.append(ExcitingPatch(k, image, row, col, patch, float(best[k]), possible))
    return patches
