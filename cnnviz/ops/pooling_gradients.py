"""The gradients of pooling: which cells of a window get how much of its gradient.

Where a maximum is shared, the first cell of a window gets all of it, in row-major order, and in a
global maximum each an equal part, as in TensorFlow. Where it is NaN, so is the cell that gets it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.ops.arrays import floats, images, quiet
from cnnviz.ops.blocks import BLOCK_BYTES
from cnnviz.ops.gradient_arguments import check_grad, image_grad, parse_image_shape
from cnnviz.ops.padding import Axis, Window
from cnnviz.ops.pooling import max_pool2d, pooling_window, window_counts


@quiet
def max_pool2d_grad(
    x: Any, grad: Any, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid"
) -> np.ndarray:
    """The gradient of `max_pool2d`: each window's goes to its largest cell, the first one of several.

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W).
    grad
        The gradient with respect to the result, of its shape.
    pool_size, strides, padding
        As in the forward call.

    Returns
    -------
    array of x's shape
        float64 if x or grad is, else float32. A window with NaN in it gives to its first NaN.

    Raises
    ------
    ValueError, TypeError
        as `max_pool2d`; for a grad that does not have the result's shape.

    Examples
    --------
    >>> max_pool2d_grad([[1, 5, 5], [2, 5, 0]], [[10.0, 1.0]], strides=1)
    array([[ 0., 11.,  0.],
           [ 0.,  0.,  0.]])
    """
    x, grad = floats(x, grad, names=("x", "grad"))
    given = x.shape
    x, _ = images(x)
    geometry = pooling_window(x.shape, pool_size, strides, padding)
    grad = image_grad(grad, len(given), (len(x), *geometry.out, x.shape[3]))
    x_grad = np.zeros(x.shape, x.dtype)
    largest = max_pool2d(x, pool_size, strides=strides, padding=padding)
    step = max(1, BLOCK_BYTES // max(x[:1].nbytes, 1))
    for first in range(0, len(x), step):
        part = slice(first, first + step)
        _give_to_largest(x[part], largest[part], grad[part], geometry, x_grad[part])
    return x_grad.reshape(given)


def _give_to_largest(
    x: np.ndarray, largest: np.ndarray, grad: np.ndarray, geometry: Window, x_grad: np.ndarray
) -> None:
    rows, cols = geometry
    waiting = np.ones(largest.shape, bool)
    missing = bool(np.isnan(largest).any())
    for u in range(rows.kernel):
        for v in range(cols.kernel):
            (in_rows, out_rows), (in_cols, out_cols) = rows.tap(u), cols.tap(v)
            cells, outputs = x[:, in_rows, in_cols], np.s_[:, out_rows, out_cols]
            chosen = cells == largest[outputs]
            if missing:
                chosen |= np.isnan(cells)
            chosen &= waiting[outputs]
            waiting[outputs] ^= chosen
            x_grad[:, in_rows, in_cols] += np.where(chosen, grad[outputs], 0)


@quiet
def avg_pool2d_grad(
    grad: Any, input_shape: Any, pool_size: Any = 2, *, strides: Any = None, padding: Any = "valid"
) -> np.ndarray:
    """The gradient of `avg_pool2d`: each window's is shared equally by the cells that are there.

    Parameters
    ----------
    grad
        The gradient with respect to the result, of its shape.
    input_shape
        (N, H, W, C), (H, W, C) or (H, W).
    pool_size, strides, padding
        As in the forward call.

    Returns
    -------
    array of input_shape

    Raises
    ------
    ValueError, TypeError
        as `avg_pool2d`; for a grad that does not have the result's shape.

    Examples
    --------
    >>> avg_pool2d_grad([[4.0, 8.0]], (2, 3), strides=1)
    array([[1., 3., 2.],
           [1., 3., 2.]])
    """
    (grad,) = floats(grad, names=("grad",))
    given, full = parse_image_shape(input_shape)
    geometry = pooling_window(full, pool_size, strides, padding)
    grad = image_grad(grad, len(given), (full[0], *geometry.out, full[3]))
    share = grad / window_counts(geometry).astype(grad.dtype)[..., np.newaxis]
    return _spread(_spread(share, geometry.cols, 2), geometry.rows, 1).reshape(given)


def _spread(grad: np.ndarray, axis: Axis, dim: int) -> np.ndarray:
    """Each number to all cells of its window along one axis."""
    result = np.zeros((*grad.shape[:dim], axis.size, *grad.shape[dim + 1 :]), grad.dtype)
    lead = (slice(None),) * dim
    for t in range(axis.kernel):
        inputs, outputs = axis.tap(t)
        result[(*lead, inputs)] += grad[(*lead, outputs)]
    return result


@quiet
def global_max_pool2d_grad(x: Any, grad: Any, *, keepdims: bool = False) -> np.ndarray:
    """The gradient of `global_max_pool2d`, shared equally by all cells that are the largest.

    Parameters
    ----------
    x
        (N, H, W, C), (H, W, C) or (H, W).
    grad
        The gradient with respect to the result, of its shape.
    keepdims
        As in the forward call.

    Returns
    -------
    array of x's shape
        NaN in all cells of a map that has NaN in it, as in TensorFlow.

    Raises
    ------
    ValueError, TypeError
        as `global_max_pool2d`; for a grad that does not have the result's shape.

    Examples
    --------
    >>> global_max_pool2d_grad([[1, 4], [4, 2]], 10.0)
    array([[0., 5.],
           [5., 0.]])
    """
    x, grad = floats(x, grad, names=("x", "grad"))
    given = x.shape
    x, _ = images(x)
    grad = _over_maps(grad, len(given), x.shape, keepdims)
    chosen = (x == x.max(axis=(1, 2), keepdims=True)).astype(x.dtype)
    return (chosen / chosen.sum(axis=(1, 2), keepdims=True) * grad).reshape(given)


@quiet
def global_avg_pool2d_grad(grad: Any, input_shape: Any, *, keepdims: bool = False) -> np.ndarray:
    """The gradient of `global_avg_pool2d`, shared equally by all cells.

    Parameters
    ----------
    grad
        The gradient with respect to the result, of its shape.
    input_shape
        (N, H, W, C), (H, W, C) or (H, W).
    keepdims
        As in the forward call.

    Returns
    -------
    array of input_shape

    Raises
    ------
    ValueError, TypeError
        as `global_avg_pool2d`; for a grad that does not have the result's shape.

    Examples
    --------
    >>> global_avg_pool2d_grad(8.0, (2, 2))
    array([[2., 2.],
           [2., 2.]])
    """
    (grad,) = floats(grad, names=("grad",))
    given, full = parse_image_shape(input_shape)
    share = _over_maps(grad, len(given), full, keepdims) / (full[1] * full[2])
    return np.broadcast_to(share, full).reshape(given).copy()


def _over_maps(grad: np.ndarray, rank: int, shape: tuple[int, ...], keepdims: bool) -> np.ndarray:
    """grad as (N, 1, 1, C)."""
    count, height, width, channels = shape
    if not (height and width):
        raise ValueError(f"there are no cells to pool in images of shape {shape}")
    kept = (1, 1) if keepdims else ()
    check_grad(grad, {2: kept, 3: (*kept, channels), 4: (count, *kept, channels)}[rank])
    return grad.reshape(count, 1, 1, channels)
