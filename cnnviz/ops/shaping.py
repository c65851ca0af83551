"""Operations that move, repeat, add or drop cells and scale them, without mixing any; and their gradients.

Axis 0 is the batch in flatten, reshape and permute, whose results may be views of x; the spatial
ones copy, and follow the rule for missing axes: (H, W), (H, W, C) or (N, H, W, C).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.arguments import float_images, floats, gradient, parse_shape, quiet
from cnnviz.ops.padding import cells, integers, pair, zeros_around
from cnnviz.ops.recycling import check_memory

ROWS = "(N, ...)."


@quiet
def zero_pad2d(x: Any, padding: Any = 1) -> np.ndarray:
    """Rows and columns of zeros around each map.

    `padding` is an int, (height, width) or ((top, bottom), (left, right)).

    >>> zero_pad2d([[5]], ((0, 1), (1, 0)))
    array([[0., 5.],
           [0., 0.]], dtype=float32)
    """
    x, restore = float_images(x)
    return restore(zeros_around(x, cells(padding, "padding")))


@gradient("zero_pad2d", "array of the input's shape")
def zero_pad2d_grad(grad: Any, padding: Any = 1) -> np.ndarray:
    """The gradient of `zero_pad2d`: grad without its border.

    >>> zero_pad2d_grad([[1, 2], [3, 4]], ((0, 1), (1, 0)))
    array([[2.]], dtype=float32)
    """
    grad, restore = float_images(grad, "grad")
    (top, bottom), (left, right) = cells(padding, "padding")
    height, width = grad.shape[1] - bottom, grad.shape[2] - right
    if top > height or left > width:
        raise ValueError(f"padding must fit into grad, got {brief(padding)} for grad.shape={grad.shape}")
    return restore(grad[:, top:height, left:width].copy())


@quiet
def crop2d(x: Any, cropping: Any = 0) -> np.ndarray:
    """Rows and columns cut off each map.

    `cropping` is an int, (height, width) or ((top, bottom), (left, right)); something must be left.

    >>> crop2d([[1, 2], [3, 4]], ((1, 0), (0, 1)))
    array([[3.]], dtype=float32)
    """
    x, restore = float_images(x)
    (top, bottom), (left, right) = cells(cropping, "cropping")
    height, width = x.shape[1] - bottom, x.shape[2] - right
    if top >= height or left >= width:
        raise ValueError(
            f"cropping must leave at least one cell, got {brief(cropping)} for x.shape={x.shape}"
        )
    return restore(x[:, top:height, left:width].copy())


@gradient("crop2d", "array of the input's shape")
def crop2d_grad(grad: Any, cropping: Any = 0) -> np.ndarray:
    """The gradient of `crop2d`: zeros where cells were cut off.

    >>> crop2d_grad([[5]], ((0, 1), (1, 0)))
    array([[0., 5.],
           [0., 0.]], dtype=float32)
    """
    grad, restore = float_images(grad, "grad")
    return restore(zeros_around(grad, cells(cropping, "cropping")))


@quiet
def upsample2d(x: Any, size: Any = 2) -> np.ndarray:
    """Each cell repeated size times along the rows and the columns (nearest neighbour).

    >>> upsample2d([[1, 2]], (1, 2))
    array([[1., 1., 2., 2.]], dtype=float32)
    """
    x, restore = float_images(x)
    height, width = pair(size, "size")
    check_memory((len(x), x.shape[1] * height, x.shape[2] * width, x.shape[3]), x.dtype)
    return restore(x.repeat(height, axis=1).repeat(width, axis=2))


@gradient("upsample2d", "array of the input's shape")
def upsample2d_grad(grad: Any, size: Any = 2) -> np.ndarray:
    """The gradient of `upsample2d`: each cell gets the sum over its copies.

    >>> upsample2d_grad([[1, 2, 3, 4]], (1, 2))
    array([[3., 7.]], dtype=float32)
    """
    grad, restore = float_images(grad, "grad")
    height, width = pair(size, "size")
    count, rows, cols, channels = grad.shape
    if rows % height or cols % width:
        raise ValueError(
            f"grad's height and width must be multiples of size={brief(size)}, got grad.shape={grad.shape}"
        )
    copies = grad.reshape(count, rows // height, height, cols // width, width, channels)
    return restore(copies.sum(axis=(2, 4)))


@quiet
def flatten(x: Any) -> np.ndarray:
    """(N, ...) as (N, everything), channels fastest.

    >>> flatten([[[1, 2], [3, 4]]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """
    x = _with_batch(x)
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))


@gradient("flatten", "array of input_shape", input_shape=ROWS)
def flatten_grad(grad: Any, input_shape: Any) -> np.ndarray:
    """The gradient of `flatten`: grad in the input's shape.

    >>> flatten_grad([[1, 2, 3, 4]], (1, 2, 2)).shape
    (1, 2, 2)
    """
    return reshape_grad(grad, input_shape)


@quiet
def reshape(x: Any, shape: Any) -> np.ndarray:
    """(N, ...) as (N, *shape); one entry of shape may be -1.

    >>> reshape([[1, 2, 3, 4]], (2, -1)).shape
    (1, 2, 2)
    """
    x = _with_batch(x)
    target = list(integers(shape, "shape"))
    each = math.prod(x.shape[1:])
    known = math.prod(entry for entry in target if entry != -1)
    if target.count(-1) == 1 and known and each % known == 0:
        target[target.index(-1)] = each // known
    if min(target, default=1) < 0 or math.prod(target) != each:
        raise ValueError(
            f"shape must hold the {each} cells of each item of x.shape={x.shape}, got {brief(shape)}"
        )
    return x.reshape(x.shape[0], *target)


@gradient("reshape", "array of input_shape", input_shape=ROWS)
def reshape_grad(grad: Any, input_shape: Any) -> np.ndarray:
    """The gradient of `reshape`: grad in the input's shape.

    >>> reshape_grad([[1, 2, 3, 4]], (1, 2, 2)).shape
    (1, 2, 2)
    """
    (grad,) = floats(grad=grad)
    shape = parse_shape(input_shape, "input_shape")
    if not shape or grad.shape[:1] != shape[:1] or grad.size != math.prod(shape):
        raise ValueError(
            f"grad must have the batch size and the cells of input_shape={shape}, got grad.shape={grad.shape}"
        )
    return grad.reshape(shape)


@quiet
def permute(x: Any, dims: Any) -> np.ndarray:
    """The axes behind the batch in another order; dims counts them from 1, as Keras does.

    >>> permute(np.zeros((1, 2, 3)), (2, 1)).shape
    (1, 3, 2)
    """
    (x,) = floats(x=x)
    return x.transpose(0, *_order(dims, x, "x"))


@gradient("permute", "array of the input's shape")
def permute_grad(grad: Any, dims: Any) -> np.ndarray:
    """The gradient of `permute`: the axes back in their order.

    >>> permute_grad(np.zeros((1, 3, 2)), (2, 1)).shape
    (1, 2, 3)
    """
    (grad,) = floats(grad=grad)
    order = _order(dims, grad, "grad")
    return grad.transpose(0, *(order.index(axis) + 1 for axis in range(1, grad.ndim)))


@quiet
def rescale(x: Any, scale: Any, offset: Any = 0.0) -> np.ndarray:
    """x * scale + offset; scale and offset are numbers or broadcast along the last axis.

    >>> rescale([0, 255], 1 / 255)
    array([0., 1.], dtype=float32)
    """
    (x,) = floats(x=x)
    return x * _for_channels(scale, "scale", x, "x") + _for_channels(offset, "offset", x, "x")


@gradient("rescale", "array of the input's shape", scale="A number, or one for each channel.")
def rescale_grad(grad: Any, scale: Any) -> np.ndarray:
    """The gradient of `rescale`: grad * scale.

    >>> rescale_grad([1, 2], 10)
    array([10., 20.], dtype=float32)
    """
    (grad,) = floats(grad=grad)
    return grad * _for_channels(scale, "scale", grad, "grad")


def _with_batch(x: Any) -> np.ndarray:
    (x,) = floats(x=x)
    if x.ndim < 1:
        raise ValueError(f"x must have a batch axis, got x.shape={x.shape}")
    return x


def _order(dims: Any, x: np.ndarray, name: str) -> tuple[int, ...]:
    order = integers(dims, "dims")
    if sorted(order) != list(range(1, x.ndim)):
        raise ValueError(
            f"dims must be 1 to {x.ndim - 1} in some order for {name}.shape={x.shape}, got {brief(dims)}"
        )
    return order


def _for_channels(value: Any, name: str, x: np.ndarray, x_name: str) -> np.ndarray:
    """value, in x's dtype."""
    (array,) = floats(**{name: value})
    if array.ndim and array.shape != x.shape[-1:]:
        raise ValueError(
            f"{name} must be a number or one for each channel of {x_name}.shape={x.shape}, got {brief(value)}"
        )
    return np.asarray(value, x.dtype)
