"""The gradients of a depthwise convolution, tap by tap over whole rows, as its forward pass.

No channels are mixed, so there is no matrix product to be had.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cnnviz.ops.blocks import BLOCK_BYTES
from cnnviz.ops.padding import Window
from cnnviz.ops.parallel import in_parallel, summed


def depthwise_input_gradient(grad: np.ndarray, kernel: np.ndarray, geometry: Window) -> np.ndarray:
    """grad (N, H_out, W_out, C*M) with kernel (kh, kw, C, M), checked already.

    Every number is a sum of at most K = kh*kw sums of M products: an error below
    (K + M)*u*(sum|grad||w|).
    """
    kh, kw, channels, multiplier = kernel.shape
    rows, cols = geometry
    x_grad = np.zeros((len(grad), rows.size, cols.size, channels), grad.dtype)
    weights = np.tile(kernel.reshape(kh, kw, 1, -1), (1, 1, cols.out, 1)).reshape(kh, kw, -1)

    def work(batches: Iterable[slice]) -> None:
        for images in batches:
            part, target = grad[images], x_grad[images]
            for u in range(kh):
                for v in range(kw):
                    (in_rows, out_rows), (in_cols, out_cols) = rows.tap(u), cols.tap(v)
                    tap = part[:, out_rows, out_cols]
                    run = tap.shape[2] * tap.shape[3]
                    product = tap.reshape(*tap.shape[:2], run) * weights[u, v, :run]
                    product = product.reshape(*tap.shape[:3], channels, multiplier)
                    target[:, in_rows, in_cols] += product.sum(-1) if multiplier > 1 else product[..., 0]

    in_parallel(work, _batches(grad))
    return x_grad


def depthwise_kernel_gradient(
    x: np.ndarray, grad: np.ndarray, kernel_shape: tuple[int, ...], geometry: Window
) -> np.ndarray:
    """x (N, H, W, C) and grad (N, H_out, W_out, C*M), checked; kernel_shape is (kh, kw, C, M).

    Every number is a sum of K = N*H_out*W_out products: an error below K*u*sum|x||grad|.
    """
    kh, kw, channels, multiplier = kernel_shape
    rows, cols = geometry

    def work(batches: Iterable[slice], total: np.ndarray) -> None:
        for images in batches:
            part, gradient = x[images], grad[images]
            if multiplier > 1:
                part = np.repeat(part, multiplier, axis=3)
            for u in range(kh):
                for v in range(kw):
                    (in_rows, out_rows), (in_cols, out_cols) = rows.tap(u), cols.tap(v)
                    product = part[:, in_rows, in_cols] * gradient[:, out_rows, out_cols]
                    count, height, width, filters = product.shape
                    # Whole rows first: sums over long runs are the fast ones.
                    by_column = product.reshape(count * height, width * filters).sum(axis=0)
                    total[u, v] += by_column.reshape(width, filters).sum(axis=0)

    return summed(work, _batches(grad), (kh, kw, channels * multiplier), x.dtype).reshape(kernel_shape)


def _batches(grad: np.ndarray) -> list[slice]:
    step = max(1, BLOCK_BYTES // max(grad[:1].nbytes, 1))
    return [slice(first, first + step) for first in range(0, len(grad), step)]
