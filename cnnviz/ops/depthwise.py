"""Depthwise convolution: one multiply-add of a whole row for each tap.

Channels do not mix, so there is no matrix product in it; what is fast is a long inner loop. The
taps' weights are repeated along the width, which makes every row of W*C numbers one run.
"""

from __future__ import annotations

import numpy as np

from cnnviz.ops.blocks import Block, block_input, blocks
from cnnviz.ops.geometry import Window

PADDED_BYTES = 1 << 21
"""What the padded copy of a part's input may take."""

BAND_BYTES = 200_000
"""A band's sums, products and inputs stay in the second-level cache together."""


def depthwise(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, C, multiplier), checked already.

    Every output is a sum of K = kh*kw products and a bias, rounded once for each product and
    each addition: an error below (K + 1)*u*(sum|x||w| + |bias|).
    """
    kh, kw, channels, multiplier = kernel.shape
    if multiplier > 1:
        x, kernel = np.repeat(x, multiplier, axis=3), kernel.reshape(kh, kw, 1, -1)
    y = np.empty((len(x), *geometry.out, channels * multiplier), x.dtype)
    bytes_per_cell = y.shape[3] * y.itemsize
    for part in blocks(
        len(x), *geometry.out, PADDED_BYTES // (bytes_per_cell * max(geometry.read_by_cell, 1))
    ):
        block, target = block_input(x, geometry, part), y[part]
        bands = list(blocks(*part.shape, BAND_BYTES // bytes_per_cell))
        weights = np.tile(kernel.reshape(kh, kw, 1, -1), (1, 1, bands[0].shape[2], 1)).reshape(kh, kw, -1)
        for band in bands:
            _band(block, weights, bias, geometry, band, target[band])
        del block  # before the next part's padded copy is made
    return y


def _band(
    block: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray | None,
    geometry: Window,
    band: Block,
    y: np.ndarray,
) -> None:
    """The outputs y (N, rows, cols, F) of a band, from its block's padded input."""
    kh, kw, _ = weights.shape
    rows, cols = geometry
    count, height, width = band.shape
    shape, run = (count, height, width * y.shape[3]), width * y.shape[3]
    total = np.empty(shape, y.dtype)
    product = np.empty(shape, y.dtype)
    for u in range(kh):
        for v in range(kw):
            top = band.rows.start * rows.stride + u * rows.dilation
            left = band.cols.start * cols.stride + v * cols.dilation
            tap = block[
                band.images,
                top : top + (height - 1) * rows.stride + 1 : rows.stride,
                left : left + (width - 1) * cols.stride + 1 : cols.stride,
            ].reshape(shape)
            if u == v == 0:
                np.multiply(tap, weights[0, 0, :run], out=total)
            else:
                np.multiply(tap, weights[u, v, :run], out=product)
                np.add(total, product, out=total)
    if bias is not None:
        np.add(total, np.tile(bias, width), out=total)
    y[...] = total.reshape(y.shape)
