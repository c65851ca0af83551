"""Depthwise convolution: one multiply-add of a whole row for each tap.

Channels do not mix, so there is no matrix product in it; what is fast is a long inner loop. The
taps' weights are repeated along the width, which makes every row of W*C numbers one run.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cnnviz.ops.blocks import BLOCK_BYTES, Block, BlockInput, Blocks, windows
from cnnviz.ops.padding import Window
from cnnviz.ops.parallel import in_parallel


def depthwise(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, C, multiplier), checked already.

    Every output is a sum of K = kh*kw products and a bias, rounded once for each product and
    each addition: an error below (K + 1)*u*(sum|x||w| + |bias|).
    """
    kh, kw, channels, multiplier = kernel.shape
    y = np.empty((len(x), *geometry.out, channels * multiplier), x.dtype)
    parts = Blocks(len(x), *geometry.out, _cells(kernel.shape, geometry, x.itemsize))
    width = max((part.shape[2] for part in parts), default=0)
    weights = np.tile(kernel.reshape(kh, kw, -1), (1, 1, width))

    def work(share: Iterable[Block]) -> None:
        read = BlockInput(x, geometry, parts[0])
        for block in share:
            cells = read(block)
            if multiplier > 1:
                cells = np.repeat(cells, multiplier, axis=3)
            taps = windows(cells, block.shape[1:], geometry).transpose(3, 4, 0, 1, 2, 5)
            taps = taps.reshape(*taps.shape[:4], -1)  # without a copy where columns are next to each other
            sums = np.reshape(y[block], taps.shape[2:], copy=False)
            np.einsum("uvnix,uvx->nix", taps, weights[..., : taps.shape[4]], out=sums)
            if bias is not None:
                sums += np.tile(bias, block.shape[2])

    in_parallel(work, parts)
    return y


def _cells(kernel_shape: tuple[int, ...], geometry: Window, itemsize: int) -> int:
    """Output cells in a block: it and what is copied of its input, within BLOCK_BYTES."""
    kh, kw, channels, multiplier = kernel_shape
    strided = geometry.cols.stride > 1
    copies = 1 + geometry.read_by_cell + (kh * kw if strided else 0)
    return max(1, BLOCK_BYTES // (copies * channels * multiplier * itemsize))
