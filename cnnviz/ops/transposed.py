"""Transposed convolution: every input cell stamps its kernel on the output.

One matrix product gives all stamps of a block; each tap is then added to the output cells that it
falls on, a strided slice. It is also the gradient of a convolution with respect to its input.
"""

from __future__ import annotations

import numpy as np

from cnnviz.ops.blocks import BLOCK_BYTES
from cnnviz.ops.geometry import Window


def scatter(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, F, C), checked; geometry as of `transposed_window`.

    An output is a sum of at most K = kh*kw products of C terms, and a bias: an error below
    (C + K + 1)*u*(sum|x||w| + |bias|).
    """
    kh, kw, filters, channels = kernel.shape
    rows, cols = geometry
    y = np.zeros((x.shape[0], rows.size, cols.size, filters), x.dtype)
    taps = [
        (rows.tap(u), cols.tap(v), np.ascontiguousarray(kernel[u, v].T)) for u in range(kh) for v in range(kw)
    ]
    step = max(1, BLOCK_BYTES // max(x[:1].size // max(channels, 1) * filters * x.itemsize, 1))
    for first in range(0, x.shape[0], step):
        part, target = x[first : first + step], y[first : first + step]
        for (out_rows, in_rows), (out_cols, in_cols), matrix in taps:
            stamp = part[:, in_rows, in_cols] @ matrix
            target[:, out_rows, out_cols] += stamp
    if bias is not None:
        y += bias
    return y
