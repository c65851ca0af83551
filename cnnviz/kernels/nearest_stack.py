"""What a stack of small kernels can be of one large kernel: the nearest that it makes, and what is left.

From one map to one map, strides of 1, nothing between the layers: then a stack is one kernel, the
convolution of its kernels with each other. Its weights are fewer than the large kernel's, so most large
kernels are out of its reach. Maps side by side between the layers, and activations, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.numbers import brief

STARTS, FINALISTS = 64, 4
"""Searches that begin, and those that are followed to their end."""
FIRST_STEPS, STEPS = 25, 200
_SEED = 0
LARGEST = 21
"""Cells a side of the kernel that is looked for: of 10 layers of 3x3."""


@dataclass(frozen=True, eq=False)
class NearestStack:
    """The nearest kernel that a stack makes.

    Parameters
    ----------
    wanted
        (n, n), float64: what it was to be.
    kernels
        (layers, 3, 3): the stack, from the image up.
    """

    wanted: np.ndarray
    kernels: np.ndarray

    @property
    def made(self) -> np.ndarray:
        """(n, n): the one kernel that the stack is."""
        return composed(self.kernels)

    @property
    def left(self) -> np.ndarray:
        """(n, n): what is wanted and not made."""
        return self.wanted - self.made

    @property
    def share_left(self) -> float:
        """The sum of the squares that are left over that of those wanted; 0 where nothing is wanted."""
        strength = np.abs(self.wanted).max(initial=0.0) or 1.0
        whole = float(np.square(self.wanted / strength).sum())
        return float(np.square(self.left / strength).sum()) / whole if whole else 0.0


def composed(kernels: Sequence[Any] | np.ndarray) -> np.ndarray:
    """The one kernel that kernels in a row are, with nothing between them.

    Parameters
    ----------
    kernels
        Each (k, k), from the image up.

    Returns
    -------
    np.ndarray
        float64 (n, n), n = the sum of the sizes less one for each but the first.

    Examples
    --------
    >>> composed([np.ones((3, 3)), np.ones((3, 3))])[0]
    array([1., 2., 3., 2., 1.])
    """
    whole = np.ones((1, 1))
    for kernel in kernels:
        whole = _convolved(whole, np.asarray(kernel, np.float64))
    return whole


def nearest_stack(wanted: Any) -> NearestStack:
    """The 3x3 kernels in a row that come nearest to one large kernel, by least squares.

    There is no formula for them: `STARTS` searches begin at random kernels, each goes downhill by damped
    Gauss-Newton steps, and the best is returned. A search may miss a nearer one, so what is left is an upper
    bound; it is 0, up to rounding, only if a stack makes the kernel.

    Parameters
    ----------
    wanted
        (n, n), n odd, from 3 to 21; finite.

    Returns
    -------
    NearestStack
        (n - 1) / 2 kernels, of equal strength: a factor can be moved from one to another at will.

    Raises
    ------
    ValueError
        for another shape, or numbers that are not finite.

    Examples
    --------
    >>> corners = np.zeros((7, 7))
    >>> corners[[0, 0, 6], [0, 6, 0]] = 1
    >>> found = nearest_stack(corners)
    >>> found.kernels.shape, 0.1 < found.share_left < 0.9
    ((3, 3, 3), True)

    Source: damping after Marquardt, "An algorithm for least-squares estimation of nonlinear parameters",
    SIAM Journal on Applied Mathematics, 1963.
    """
    wanted = np.asarray(wanted, np.float64)
    size = len(wanted) if wanted.ndim else 0
    if wanted.shape != (size, size) or size % 2 == 0 or not 3 <= size <= LARGEST:
        raise ValueError(f"wanted must be (n, n), n odd and from 3 to {LARGEST}, got shape {wanted.shape}")
    if not np.isfinite(wanted).all():
        raise ValueError(f"wanted must be finite, got {brief(wanted)}")
    depth, strength = size // 2, float(np.abs(wanted).max())
    if not strength or depth == 1:
        return NearestStack(wanted, np.zeros((depth, 3, 3)) if depth > 1 else wanted[np.newaxis])
    # At a strength of 1 no square overflows, and all starts are about as far away.
    target = wanted / strength
    starts = np.random.default_rng(_SEED).normal(size=(STARTS, depth, 3, 3))
    kernels = _search(target, _search(target, starts, FIRST_STEPS)[:FINALISTS], STEPS)
    return NearestStack(wanted, _balanced(kernels[0]) * strength ** (1 / depth))


def _balanced(kernels: np.ndarray) -> np.ndarray:
    """Kernels (..., layers, 3, 3) of equal strength, which make the same."""
    norms = np.linalg.norm(kernels, axis=(-2, -1), keepdims=True)
    together = np.exp(np.log(np.maximum(norms, 1e-300)).mean(axis=-3, keepdims=True))
    return kernels / np.maximum(norms, 1e-300) * together


def _search(target: np.ndarray, kernels: np.ndarray, steps: int) -> np.ndarray:
    """Go downhill from several stacks (starts, layers, 3, 3) at once: where they come to, nearest first."""
    count, weights = len(kernels), kernels[0].size
    damping = np.ones(count)
    left = target - _composed(kernels)
    loss = np.square(left).sum(axis=(1, 2))
    for _ in range(steps):
        slopes = _slopes(kernels)
        square = slopes @ slopes.swapaxes(1, 2)
        # Moving a factor from one kernel to another changes nothing, so without damping there is no one step.
        scale = np.trace(square, axis1=1, axis2=2) / weights
        square += (damping * scale)[:, np.newaxis, np.newaxis] * np.eye(weights)
        step = np.linalg.solve(square, slopes @ left.reshape(count, -1, 1))
        tried = kernels + step.reshape(kernels.shape)
        left_then = target - _composed(tried)
        loss_then = np.square(left_then).sum(axis=(1, 2))
        better = loss_then < loss
        settled = ~better & (damping > 1e6) | better & (loss - loss_then <= 1e-12 * loss)
        kernels = np.where(better[:, np.newaxis, np.newaxis, np.newaxis], _balanced(tried), kernels)
        left = np.where(better[:, np.newaxis, np.newaxis], left_then, left)
        loss = np.where(better, loss_then, loss)
        damping = np.clip(np.where(better, damping / 4, damping * 4), 1e-11, 1e9)
        if settled.all() or loss.min() < 1e-28:
            break
    return kernels[loss.argsort()]


def _slopes(kernels: np.ndarray) -> np.ndarray:
    """(starts, weights, cells): how each weight of a stack moves each cell of the one kernel."""
    depth = kernels.shape[1]
    size = 2 * depth + 1
    slopes = np.zeros((len(kernels), depth, 3, 3, size, size))
    for place in range(depth):
        others = _composed(np.delete(kernels, place, axis=1))
        for row in range(3):
            for col in range(3):
                slopes[:, place, row, col, row : row + size - 2, col : col + size - 2] = others
    return slopes.reshape(len(kernels), -1, size * size)


def _composed(kernels: np.ndarray) -> np.ndarray:
    """The one kernel (..., n, n) that each stack (..., layers, k, k) is."""
    whole = np.ones((*kernels.shape[:-3], 1, 1))
    for place in range(kernels.shape[-3]):
        whole = _convolved(whole, kernels[..., place, :, :])
    return whole


def _convolved(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    side = one.shape[-1]
    size = side + other.shape[-1] - 1
    whole = np.zeros((*one.shape[:-2], size, size))
    for row in range(other.shape[-2]):
        for col in range(other.shape[-1]):
            whole[..., row : row + side, col : col + side] += other[..., row, col, None, None] * one
    return whole


def large_kernels(size: int = 7) -> dict[str, np.ndarray]:
    """Large kernels by name to put a stack to the test: some it makes exactly, some it cannot.

    A column times a row is a product of polynomials of one variable, and a diagonal line a polynomial of the
    product of both; such a polynomial is a product of quadratic ones with real numbers, which are 3x3
    kernels.

    Parameters
    ----------
    size
        Cells a side, odd, at least 3.

    Examples
    --------
    >>> list(large_kernels())
    ['ring', 'cross', 'three corners', 'noise', 'soft spot', 'diagonal line']
    """
    if size < 3 or size % 2 == 0:
        raise ValueError(f"size must be odd and at least 3, got {brief(size)}")
    away = np.arange(size) - size // 2
    ring = np.zeros((size, size))
    ring[[0, -1]] = ring[:, [0, -1]] = 1
    cross = ((away[:, np.newaxis] == 0) | (away == 0)).astype(float)
    corners = np.zeros((size, size))
    corners[0, 0] = corners[0, -1] = corners[-1, 0] = 1
    noise = np.random.default_rng(_SEED).normal(size=(size, size)).round(1)
    row = np.ones(1)
    for _ in range(size - 1):
        row = np.convolve(row, [0.5, 0.5])
    soft = np.outer(row, row)
    return {
        "ring": ring,
        "cross": cross,
        "three corners": corners,
        "noise": noise,
        "soft spot": soft / soft.max(),
        "diagonal line": np.eye(size),
    }
