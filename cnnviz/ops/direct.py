"""Convolution as its definition says it: slide a window, multiply, add up.

The slowest and the most readable of the methods: windows are views, and nothing is rearranged.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from cnnviz.ops.blocks import BLOCK_BYTES, BlockInput, Blocks, windows
from cnnviz.ops.padding import Window
from cnnviz.ops.recycling import empty


def cells_at_once(channels: int, geometry: Window, itemsize: int) -> int:
    """Output cells in a block: only so that a padded copy of the input stays small."""
    return max(1, BLOCK_BYTES // (channels * max(geometry.read_by_cell, 1) * itemsize))


def direct(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window, groups: int = 1
) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, C // groups, F), checked already.

    Every output is a sum of K = kh*kw*C/groups products, added one by one, and a bias: an error
    below (K + 1)*u*(sum|x||w| + |bias|).
    """
    depth, filters = kernel.shape[2:]
    share = filters // groups
    y = empty((len(x), *geometry.out, filters), x.dtype)
    read = None
    for block in Blocks(len(x), *geometry.out, cells_at_once(x.shape[3], geometry, x.itemsize)):
        read = read or BlockInput(x, geometry, block, partial(windows, geometry=geometry))
        taps = read(block)
        for group in range(groups):
            channels, mine = _share(group, depth), _share(group, share)
            np.einsum("nijuvc,uvcf->nijf", taps[..., channels], kernel[..., mine], out=y[block][..., mine])
        if bias is not None:
            y[block] += bias
    return y


def _share(group: int, size: int) -> slice:
    return slice(group * size, (group + 1) * size)
