"""Winograd's minimal filtering for 3x3 kernels: fewer multiplications, paid for with additions.

F(2x2, 3x3) computes a 2x2 tile of outputs with 16 products instead of 36, F(4x4, 3x3) a 4x4 tile
with 36 instead of 144. The transforms follow from the interpolation points, as in Lavin and Gray,
"Fast Algorithms for Convolutional Neural Networks", CVPR 2016 (arXiv 1509.09308), section 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cnnviz.ops.blocks import BLOCK_BYTES, Block, Blocks
from cnnviz.ops.padding import Window
from cnnviz.ops.parallel import in_parallel
from cnnviz.ops.recycling import empty

TAPS = 3
TILES = (2, 4)
POINTS = (0, 1, -1, 2, -2)
"""Interpolation points, besides infinity; a tile of m outputs takes the first m + 1."""

SPECTRA_BYTES = 2 * BLOCK_BYTES
"""What the transformed inputs and outputs of a block may take: the more tiles, the longer the products."""


class Transforms(NamedTuple):
    """y = A.T @ ((G @ g) * (B.T @ d)): outputs of a tile, from a kernel g and inputs d."""

    output: np.ndarray
    kernel: np.ndarray
    input: np.ndarray


@lru_cache
def transforms(tile: int) -> Transforms:
    """A.T (m, m+2), G (m+2, 3) and B.T (m+2, m+2) in float64, for m outputs and three taps.

    Evaluating at m + 1 points and at infinity, multiplying, and interpolating is the Toom-Cook
    product of polynomials; its transpose is the correlation (Lavin and Gray, section 4.1).

    >>> transforms(2).input
    array([[ 1.,  0., -1.,  0.],
           [ 0.,  1.,  1.,  0.],
           [ 0., -1.,  1.,  0.],
           [ 0., -1.,  0.,  1.]])
    """
    points = [Fraction(p) for p in POINTS[: tile + 1]]
    scale = [math.prod(p - q for q in points if q != p) for p in points]
    output = [[p**power for p in points] + [Fraction(power == tile - 1)] for power in range(tile)]
    kernel = [[p**power / n for power in range(TAPS)] for p, n in zip(points, scale, strict=True)]
    kernel.append([Fraction(power == TAPS - 1) for power in range(TAPS)])
    rows = [[*_polynomial([q for q in points if q != p]), Fraction(0)] for p in points]
    rows.append(_polynomial(points))
    if scale[0] < 0:
        kernel[0], rows[0] = [-v for v in kernel[0]], [-v for v in rows[0]]
    return Transforms(*(np.array(matrix, np.float64) for matrix in (output, kernel, rows)))


def winograd(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    geometry: Window,
    groups: int = 1,
    tile: int = 2,
    matrices: Transforms | None = None,
) -> np.ndarray:
    """x (N, H, W, C) with kernel (3, 3, C // groups, F), stride 1, undilated, checked already.

    Both transforms of a tile are one matrix product with the Kronecker square of the
    one-dimensional ones. The error bound, which is larger than a plain sum's and reaches beyond the
    window, is derived in tests/harness/rounding.py, which passes its own `matrices`.
    """
    matrices = matrices or transforms(tile)
    y = empty((len(x), *geometry.out, kernel.shape[3]), x.dtype)
    depth, share = kernel.shape[2], kernel.shape[3] // groups
    weights = transformed_kernel(kernel, matrices.kernel)
    into = np.kron(matrices.input, matrices.input).astype(x.dtype)
    back = np.kron(matrices.output, matrices.output).astype(x.dtype)
    cells = cells_at_once(tile, x.shape[3], share, x.itemsize)
    down, along = (-(-axis.out // tile) for axis in geometry)

    def work(parts: Iterable[Block]) -> None:
        for block in parts:
            data = _tiles(x, geometry, block, tile)
            for group in range(groups):
                channels = slice(group * depth, (group + 1) * depth)
                mine = slice(group * share, (group + 1) * share)
                outputs = _multiply(data[..., channels], weights[..., mine], into, back)
                if bias is not None:
                    outputs += bias[mine]
                _place(y, outputs, block, tile, mine)

    in_parallel(work, Blocks(len(x), down, along, cells))
    return y


def cells_at_once(tile: int, channels: int, filters: int, itemsize: int) -> int:
    """Tiles in a block: their spectra stay within SPECTRA_BYTES."""
    return max(1, SPECTRA_BYTES // ((tile + TAPS - 1) ** 2 * (channels + filters) * itemsize))


def transformed_kernel(kernel: np.ndarray, g: np.ndarray) -> np.ndarray:
    """G kernel G.T for every pair of channels: ((m+2)**2, C, F), rounded to kernel's dtype once."""
    spread = np.einsum("au,bv,uvcf->abcf", g, g, kernel.astype(np.float64), optimize=True)
    return spread.reshape(-1, *kernel.shape[2:]).astype(kernel.dtype)


def _multiply(data: np.ndarray, weights: np.ndarray, into: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Output tiles (m*m, N, down, along, F) from input tiles ((m+2)**2, N, down, along, C)."""
    spectra = into @ data.reshape(len(into), -1)
    products = spectra.reshape(len(into), -1, data.shape[-1]) @ weights
    return (back @ products.reshape(len(into), -1)).reshape(len(back), *data.shape[1:4], weights.shape[2])


def _tiles(x: np.ndarray, geometry: Window, block: Block, tile: int) -> np.ndarray:
    """A block's overlapping input tiles, tile cell first, cells beyond the input as zeros."""
    side = tile + TAPS - 1
    count, down, along = block.shape
    height, width = down * tile + TAPS - 1, along * tile + TAPS - 1
    top = block.rows.start * tile - geometry.rows.before
    left = block.cols.start * tile - geometry.cols.before
    padded = np.zeros((count, height, width, x.shape[3]), x.dtype)
    rows = slice(max(top, 0), min(top + height, geometry.rows.size))
    cols = slice(max(left, 0), min(left + width, geometry.cols.size))
    padded[:, rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = x[
        block.images, rows, cols
    ]
    n, h, w, c = padded.strides
    tiles = as_strided(
        padded,
        (side, side, count, down, along, x.shape[3]),
        (h, w, n, h * tile, w * tile, c),
        writeable=False,
    )
    return tiles.reshape(side**2, *tiles.shape[2:])


def _place(y: np.ndarray, tiles: np.ndarray, block: Block, tile: int, filters: slice) -> None:
    """Write output tiles where they belong, without the cells beyond the output's border."""
    count, down, along = block.shape
    rows = slice(block.rows.start * tile, min(block.rows.stop * tile, y.shape[1]))
    cols = slice(block.cols.start * tile, min(block.cols.stop * tile, y.shape[2]))
    target = y[block.images, rows, cols, filters]
    tiles = tiles.reshape(tile, tile, *tiles.shape[1:])
    if target.shape[1:3] == (down * tile, along * tile):
        cut = target.reshape(count, down, tile, along, tile, -1)
        cut.transpose(2, 4, 0, 1, 3, 5)[...] = tiles
    else:
        joined = tiles.transpose(2, 3, 0, 4, 1, 5).reshape(count, down * tile, along * tile, -1)
        target[...] = joined[:, : target.shape[1], : target.shape[2]]


def _polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Coefficients of the product of (t - root), lowest power first."""
    coefficients = [Fraction(1)]
    for root in roots:
        coefficients = [
            high - root * low
            for high, low in zip([Fraction(0), *coefficients], [*coefficients, Fraction(0)], strict=True)
        ]
    return coefficients
