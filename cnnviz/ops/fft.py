"""Convolution through the Fourier transform: sliding products become products of spectra.

Its cost does not grow with the kernel, so it wins where kernels are large and channels few.
Every output mixes rounding errors of the whole image, which is why "auto" never takes it.
"""

from __future__ import annotations

import numpy as np
from scipy import fft as transform

from cnnviz.ops.blocks import Block, BlockInput
from cnnviz.ops.padding import Window
from cnnviz.ops.parallel import threads
from cnnviz.ops.recycling import empty, zeros

SPECTRA_BYTES = 4 << 20
"""What the spectra of one round of filters may take."""


def fft(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, geometry: Window, groups: int = 1
) -> np.ndarray:
    """x (N, H, W, C) with kernel (kh, kw, C // groups, F), checked already.

    Stride 1 is computed and the strided outputs are picked; a dilated kernel is spread out with
    zeros. Its error is bounded relative to norms and not to single windows (tests/harness/rounding.py).
    """
    y = empty((len(x), *geometry.out, kernel.shape[3]), x.dtype)
    if not y.size:
        return y
    size = lengths(geometry)
    rows, cols = geometry
    spread = zeros((rows.extent, cols.extent, *kernel.shape[2:]), kernel.dtype)
    spread[:: rows.dilation, :: cols.dilation] = kernel
    for group in range(groups):
        _group(x, spread, y, geometry, size, group, groups)
    if bias is not None:
        y += bias
    return y


def lengths(geometry: Window) -> tuple[int, int]:
    """The transforms' sizes: the padded input's, rounded up to one that is fast.

    A circular correlation of this size wraps only into outputs that are not kept.
    """
    rows, cols = (transform.next_fast_len(axis.padded, real=True) for axis in geometry)
    return rows, cols


def filters_at_once(size: tuple[int, int], depth: int, itemsize: int) -> int:
    """How many filters' spectra are held at a time."""
    spectrum = size[0] * (size[1] // 2 + 1) * 2 * itemsize
    return max(1, SPECTRA_BYTES // (spectrum * depth))


def _group(
    x: np.ndarray,
    kernel: np.ndarray,
    y: np.ndarray,
    geometry: Window,
    size: tuple[int, int],
    group: int,
    groups: int,
) -> None:
    """One group's outputs: correlate each image with a few filters at a time."""
    depth, share = kernel.shape[2], kernel.shape[3] // groups
    rows, cols = geometry
    channels = slice(group * depth, (group + 1) * depth)
    step = filters_at_once(size, depth, x.itemsize)
    whole = [slice(0, axis.out) for axis in geometry]
    read = BlockInput(x, geometry, Block(slice(0, 1), *whole))
    for first in range(group * share, (group + 1) * share, step):
        mine = slice(first, min(first + step, (group + 1) * share))
        weights = transform.rfft2(kernel[..., mine], size, axes=(0, 1), workers=threads()).conj()
        for image in range(len(x)):
            sums = _correlate(read(Block(slice(image, image + 1), *whole))[0, ..., channels], weights, size)
            y[image, ..., mine] = sums[
                : rows.out * rows.stride : rows.stride, : cols.out * cols.stride : cols.stride
            ][: rows.out, : cols.out]


def _correlate(image: np.ndarray, weights: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image (H, W, C) with spectra of kernels (rows, columns, C, F), in a circle of that size."""
    spectra = transform.rfft2(image, size, axes=(0, 1), workers=threads())
    products = np.matmul(spectra[:, :, np.newaxis], weights)[:, :, 0]
    return transform.irfft2(products, size, axes=(0, 1), workers=threads())
