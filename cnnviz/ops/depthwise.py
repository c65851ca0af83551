"""Depthwise convolution: one multiply-add of a whole row for each tap.

Channels do not mix, so there is no matrix product in it; what is fast is a long inner loop. The
taps' weights are repeated along the width, which makes every row of W*C numbers one run.
"""

from __future__ import annotations

import numpy as np

from cnnviz.ops.blocks import block_input, blocks
from cnnviz.ops.geometry import Window


def depthwise(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, C, multiplier), checked already.

    Every output is a sum of K = kh*kw products and a bias, rounded once for each product and
    each addition: an error below (K + 1)*u*(sum|x||w| + |bias|).
    """
    kh, kw, channels, multiplier = kernel.shape
    if multiplier > 1:
        x, kernel = np.repeat(x, multiplier, axis=3), kernel.reshape(kh, kw, 1, -1)
    filters = channels * multiplier
    rows, cols = geometry
    y = np.empty((x.shape[0], *geometry.out, filters), x.dtype)
    run = cols.out * filters
    weights = np.tile(kernel.reshape(kh, kw, 1, filters), (1, 1, cols.out, 1)).reshape(kh, kw, run)
    for images, band in blocks(x.shape[0], rows.out, cols.out, filters, 2 * filters, x.itemsize):
        block = block_input(x, geometry, images, band)
        count = band.stop - band.start
        total = y[images, band].reshape(-1, count, run)
        product = np.empty_like(total)
        for u in range(kh):
            for v in range(kw):
                top, left = u * rows.dilation, v * cols.dilation
                tap = block[
                    :,
                    top : top + (count - 1) * rows.stride + 1 : rows.stride,
                    left : left + (cols.out - 1) * cols.stride + 1 : cols.stride,
                ].reshape(total.shape)
                if u == v == 0:
                    np.multiply(tap, weights[u, v], out=total)
                else:
                    total += np.multiply(tap, weights[u, v], out=product)
        if bias is not None:
            y[images, band] += bias
    return y
