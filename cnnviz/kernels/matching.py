"""Which named kernel a trained one is nearest to, and how much nearer than chance that is.

Only the kernel's shape counts, not its size or sign; kernels that are named for one direction are
tried in all their directions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from cnnviz.kernels.collection import gallery
from cnnviz.kernels.definitions import SIZES, emboss, gabor, matrix, prewitt, rotate, scharr, sobel

_TIED = 1e-9
"""Cosines that differ by less are the same but for rounding; the earlier name is taken."""


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
    # Scaled first, so that the squares of very large or small weights stay numbers.
    largest = float(np.abs(kernel).max())
    if largest == 0:
        raise ValueError("kernel must not be all zero")
    candidates = _candidates(kernel.shape)
    direction = kernel.ravel() / largest
    cosines = candidates.directions @ (direction / np.linalg.norm(direction))
    sizes = np.abs(cosines)
    best = int(np.argmax(sizes >= sizes.max() - _TIED))
    similarity = min(float(sizes[best]), 1.0)
    return Match(candidates.names[best], similarity, bool(cosines[best] < 0), candidates.kernels[best])


@lru_cache
def chance_similarity(size: int = 3, quantile: float = 0.5, samples: int = 1000) -> float:
    """How near a kernel of random numbers comes to some named one: what to compare a match with.

    Parameters
    ----------
    size
        Of the kernels, (size, size).
    quantile
        0.5 is the median over the samples.
    samples
        Kernels of independent normal numbers, the same ones every time.

    Raises
    ------
    ValueError
        for a size in which no kernel is named.

    Examples
    --------
    >>> 0.6 < chance_similarity(3) < 0.8
    True
    """
    candidates = _candidates((size, size))
    random = np.random.default_rng(0).standard_normal((samples, size * size))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    return float(np.quantile(np.abs(random @ candidates.directions.T).max(axis=1), quantile))


class _Candidates(NamedTuple):
    names: tuple[str, ...]
    kernels: tuple[np.ndarray, ...]
    directions: np.ndarray
    """The kernels as rows of length 1."""


@lru_cache
def _candidates(shape: tuple[int, int]) -> _Candidates:
    """Every named kernel of a size, in every direction it can be turned to (clockwise, in degrees)."""
    if shape[0] != shape[1] or shape[0] not in SIZES:
        raise ValueError(f"no kernel is named in the size {shape}")
    entries = [(k.name, k.kernel) for k in gallery(shape[0])]
    if shape[0] == 3:
        turned = [("emboss", emboss()), ("sobel", sobel()), ("prewitt", prewitt()), ("scharr", scharr())]
        for name, kernel in turned:
            for turns in range(1, 8):
                if name == "emboss" or turns in (1, 3):
                    entries.append((f"{name} {45 * turns}°", rotate(kernel, turns)))
    for angle in (22.5, 67.5, 112.5, 157.5):
        if shape[0] > 3:
            entries.append((f"gabor {angle:g}°", gabor(shape[0], angle)))
    if shape[0] > 2:
        entries += [(f"odd gabor {angle}°", gabor(shape[0], angle, phase=90)) for angle in (0, 45, 90, 135)]
    names, kernels = zip(*entries, strict=True)
    directions = np.stack([kernel.ravel() / np.linalg.norm(kernel) for kernel in kernels])
    return _Candidates(names, kernels, directions)
