"""Which named kernel a trained one is nearest to.

Only the kernel's shape counts, not its size or sign; kernels that are named for one direction are
tried in all their directions.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from cnnviz.kernels.collection import gallery
from cnnviz.kernels.definitions import SIZES, emboss, gabor, matrix, prewitt, rotate, scharr, sobel


class Match(NamedTuple):
    """The named kernel nearest to another: how alike they point, from 0 to 1, and which way."""

    name: str
    similarity: float
    inverted: bool
    kernel: np.ndarray

    def __str__(self) -> str:
        return f"{'minus ' if self.inverted else ''}{self.name} ({self.similarity:.2f})"


def nearest_named(kernel: Any) -> Match:
    """The named kernel that a trained one is nearest to, and how near.

    The measure is the cosine between the two as vectors, so size and sign do not count: 1 is the
    same shape (or its negative, then `inverted`), 0 nothing in common. Derivative and emboss kernels
    are tried in all their directions.

    Parameters
    ----------
    kernel
        (height, width), not all zero.

    Raises
    ------
    ValueError
        for another rank, a kernel of zeros or with numbers that are not finite, or a size in which
        no kernel is named.

    Examples
    --------
    >>> str(nearest_named([[2.0, 0.1, -2.1], [4.1, 0.0, -3.9], [2.0, 0.0, -2.0]]))
    'minus sobel x (1.00)'
    """
    kernel = matrix(kernel)
    length = float(np.linalg.norm(kernel))
    if not math.isfinite(length) or length == 0:
        raise ValueError("kernel must be finite and not all zero")
    candidates = _candidates(kernel.shape)
    if not candidates:
        raise ValueError(f"no kernel is named in the size {kernel.shape}")
    best = Match("", -1.0, False, kernel)
    for name, other in candidates:
        cosine = float((kernel * other).sum()) / (length * float(np.linalg.norm(other)))
        if abs(cosine) > best.similarity + 1e-9:
            best = Match(name, min(abs(cosine), 1.0), cosine < 0, other)
    return best


@lru_cache
def _candidates(shape: tuple[int, int]) -> list[tuple[str, np.ndarray]]:
    """Every named kernel of a size, in every direction it can be turned to (clockwise, in degrees)."""
    if shape[0] != shape[1] or shape[0] not in SIZES:
        return []
    found = [(k.name, k.kernel) for k in gallery(shape[0])]
    if shape[0] == 3:
        turned = [("emboss", emboss()), ("sobel", sobel()), ("prewitt", prewitt()), ("scharr", scharr())]
        for name, kernel in turned:
            for turns in range(1, 8):
                if name == "emboss" or turns in (1, 3):
                    found.append((f"{name} {45 * turns}°", rotate(kernel, turns)))
    for angle in (22.5, 67.5, 112.5, 157.5):
        if shape[0] > 3:
            found.append((f"gabor {angle:g}°", gabor(shape[0], angle)))
    if shape[0] > 2:
        found += [(f"odd gabor {angle}°", gabor(shape[0], angle, phase=90)) for angle in (0, 45, 90, 135)]
    return found
