"""Depthwise convolution: one multiply-add of a whole row for each tap.

Channels do not mix, so there is no matrix product in it; what is fast is a long inner loop. The
taps' weights are repeated along the width, which makes every row of W*C numbers one run.
"""

from __future__ import annotations

import numpy as np

from cnnviz.ops.blocks import BLOCK_BYTES, block_input, blocks
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
    parts = list(blocks(len(x), *geometry.out, BLOCK_BYTES // (8 * filters * x.itemsize)))
    if not parts:
        return y
    widest = parts[0].shape[2]
    weights = np.tile(kernel.reshape(kh, kw, 1, filters), (1, 1, widest, 1)).reshape(kh, kw, -1)
    product = np.empty((*parts[0].shape[:2], widest * filters), x.dtype)
    for part in parts:
        block, target = block_input(x, geometry, part), y[part]
        count, height, width = part.shape
        run = width * filters
        total = target.reshape(count, height, run)
        scratch = product[:count, :height, :run]
        for u in range(kh):
            for v in range(kw):
                top, left = u * rows.dilation, v * cols.dilation
                tap = block[
                    :,
                    top : top + (height - 1) * rows.stride + 1 : rows.stride,
                    left : left + (width - 1) * cols.stride + 1 : cols.stride,
                ].reshape(total.shape)
                if u == v == 0:
                    np.multiply(tap, weights[u, v, :run], out=total)
                else:
                    total += np.multiply(tap, weights[u, v, :run], out=scratch)
        if bias is not None:
            total += np.tile(bias, width)
        # Part of a row is not contiguous in y: then `total` was a copy.
        if not np.may_share_memory(total, target):
            target[...] = total.reshape(target.shape)
    return y
