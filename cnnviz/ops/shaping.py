"""Operations that move, repeat, add or drop cells and scale them, without mixing any.

Axis 0 is the batch in flatten, reshape and permute, whose results may be views of x; the spatial
ones copy, and follow the rule for missing axes: (H, W), (H, W, C) or (N, H, W, C).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnviz.ops.arrays import broadcasts_to, floats, images, quiet
from cnnviz.ops.padding import cells, integers, pair


def zero_pad2d(x: Any, padding: Any = 1) -> np.ndarray:
    """Rows and columns of zeros around each map.

    `padding` is an int, (height, width) or ((top, bottom), (left, right)).

    >>> zero_pad2d([[5]], ((0, 1), (1, 0)))
    array([[0., 5.],
           [0., 0.]], dtype=float32)
    """
    (x,) = floats(x, names=("x",))
    x, restore = images(x)
    return restore(np.pad(x, ((0, 0), *cells(padding, "padding"), (0, 0))))


def crop2d(x: Any, cropping: Any = 0) -> np.ndarray:
    """Rows and columns cut off each map.

    `cropping` is an int, (height, width) or ((top, bottom), (left, right)); something must be left.

    >>> crop2d([[1, 2], [3, 4]], ((1, 0), (0, 1)))
    array([[3.]], dtype=float32)
    """
    (x,) = floats(x, names=("x",))
    x, restore = images(x)
    (top, bottom), (left, right) = cells(cropping, "cropping")
    height, width = x.shape[1] - bottom, x.shape[2] - right
    if top >= height or left >= width:
        raise ValueError(f"cropping must leave at least one cell, got {cropping!r} for x.shape={x.shape}")
    return restore(x[:, top:height, left:width].copy())


def upsample2d(x: Any, size: Any = 2) -> np.ndarray:
    """Each cell repeated size times along the rows and the columns (nearest neighbour).

    >>> upsample2d([[1, 2]], (1, 2))
    array([[1., 1., 2., 2.]], dtype=float32)
    """
    (x,) = floats(x, names=("x",))
    x, restore = images(x)
    height, width = pair(size, "size")
    return restore(x.repeat(height, axis=1).repeat(width, axis=2))


def flatten(x: Any) -> np.ndarray:
    """(N, ...) as (N, everything), channels fastest.

    >>> flatten([[[1, 2], [3, 4]]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """
    (x,) = floats(x, names=("x",))
    if x.ndim < 1:
        raise ValueError(f"x must have a batch axis, got x.shape={x.shape}")
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))


def reshape(x: Any, shape: Any) -> np.ndarray:
    """(N, ...) as (N, *shape); one entry of shape may be -1.

    >>> reshape([[1, 2, 3, 4]], (2, -1)).shape
    (1, 2, 2)
    """
    (x,) = floats(x, names=("x",))
    if x.ndim < 1:
        raise ValueError(f"x must have a batch axis, got x.shape={x.shape}")
    target = list(integers(shape, "shape"))
    each = math.prod(x.shape[1:])
    known = math.prod(entry for entry in target if entry != -1)
    if target.count(-1) == 1 and known and each % known == 0:
        target[target.index(-1)] = each // known
    if min(target, default=1) < 0 or math.prod(target) != each:
        raise ValueError(f"shape must hold the {each} cells of each item of x.shape={x.shape}, got {shape!r}")
    return x.reshape(x.shape[0], *target)


def permute(x: Any, dims: Any) -> np.ndarray:
    """The axes behind the batch in another order; dims counts them from 1, as Keras does.

    >>> permute(np.zeros((1, 2, 3)), (2, 1)).shape
    (1, 3, 2)
    """
    (x,) = floats(x, names=("x",))
    order = integers(dims, "dims")
    if sorted(order) != list(range(1, x.ndim)):
        raise ValueError(f"dims must be 1 to {x.ndim - 1} in some order for x.shape={x.shape}, got {dims!r}")
    return x.transpose(0, *order)


@quiet
def rescale(x: Any, scale: Any, offset: Any = 0.0) -> np.ndarray:
    """x * scale + offset; scale and offset are numbers or broadcast along the last axis.

    >>> rescale([0, 255], 1 / 255)
    array([0., 1.], dtype=float32)
    """
    (x,) = floats(x, names=("x",))
    factors = []
    for name, value in (("scale", scale), ("offset", offset)):
        (array,) = floats(value, names=(name,))
        if array.ndim and array.shape != x.shape[-1:]:
            raise ValueError(
                f"{name} must be a number or one for each channel of x.shape={x.shape}, got {value!r}"
            )
        factors.append(np.asarray(value, x.dtype))
    return x * factors[0] + factors[1]


@quiet
def normalize(x: Any, mean: Any, variance: Any) -> np.ndarray:
    """(x - mean) / sqrt(variance), the square root kept above 1e-7, as Keras's Normalization.

    >>> normalize([[3.0]], [1.0], [4.0])
    array([[1.]])
    """
    x, mean, variance = floats(x, mean, variance, names=("x", "mean", "variance"))
    for name, array in (("mean", mean), ("variance", variance)):
        if not broadcasts_to(array.shape, x.shape):
            raise ValueError(f"{name} must broadcast to x.shape={x.shape}, got {name}.shape={array.shape}")
    return (x - mean) / np.maximum(np.sqrt(variance), x.dtype.type(1e-7))
