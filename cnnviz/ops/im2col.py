"""Convolution as one matrix product: every window becomes a row, the kernel a matrix.

The rows are written block by block into a buffer that stays in the cache, so the nine-fold copy
of the input that a 3x3 kernel asks for never reaches the main memory.
"""

from __future__ import annotations

import numpy as np

from cnnviz.ops.blocks import block_input, blocks, windows
from cnnviz.ops.geometry import Window


def im2col(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window, groups: int = 1
) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, C // groups, F), checked already.

    Every output is a sum of K = kh*kw*C/groups products and a bias: K + 1 roundings at most on
    any term, so its error is below (K + 1)*u*(sum|x||w| + |bias|) in any order of summation.
    """
    kh, kw, depth, filters = kernel.shape
    y = np.empty((x.shape[0], *geometry.out, filters), x.dtype)
    length, share = kh * kw * depth, filters // groups
    matrix = kernel.reshape(length, filters)
    row_bytes = geometry.cols.out * length * x.itemsize
    for images, rows in blocks(x.shape[0], geometry.rows.out, row_bytes):
        taps = windows(block_input(x, geometry, images, rows), geometry, rows.stop - rows.start)
        for group in range(groups):
            columns = taps[..., group * depth : (group + 1) * depth].reshape(-1, length)
            target = y[images, rows].reshape(-1, filters)[:, group * share : (group + 1) * share]
            np.matmul(columns, matrix[:, group * share : (group + 1) * share], out=target)
        if bias is not None:
            y[images, rows] += bias
    return y
