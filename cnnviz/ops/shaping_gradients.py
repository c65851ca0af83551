"""The gradients of the operations that move, repeat, add, drop and scale cells: the way back.

Axes follow `shaping`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnviz.ops.arrays import broadcasts_to, floats, images, quiet
from cnnviz.ops.gradient_arguments import check_grad, parse_shape, sum_to
from cnnviz.ops.padding import cells, integers, pair
from cnnviz.ops.shaping import zero_pad2d


def zero_pad2d_grad(grad: Any, padding: Any = 1) -> np.ndarray:
    """The gradient of `zero_pad2d`: grad without its border.

    Parameters
    ----------
    grad
        (N, H, W, C), (H, W, C) or (H, W), the gradient with respect to the result.
    padding
        As in the forward call.

    Returns
    -------
    array of the input's shape

    Raises
    ------
    ValueError, TypeError
        as `zero_pad2d`; for a grad that is smaller than the padding.

    Examples
    --------
    >>> zero_pad2d_grad([[1, 2], [3, 4]], ((0, 1), (1, 0)))
    array([[2.]], dtype=float32)
    """
    (grad,) = floats(grad, names=("grad",))
    grad, restore = images(grad, "grad")
    (top, bottom), (left, right) = cells(padding, "padding")
    height, width = grad.shape[1] - bottom, grad.shape[2] - right
    if top > height or left > width:
        raise ValueError(f"padding must fit into grad, got {padding!r} for grad.shape={grad.shape}")
    return restore(grad[:, top:height, left:width].copy())


def crop2d_grad(grad: Any, cropping: Any = 0) -> np.ndarray:
    """The gradient of `crop2d`: zeros where cells were cut off. Arguments as in `zero_pad2d_grad`.

    >>> crop2d_grad([[5]], ((0, 1), (1, 0)))
    array([[0., 5.],
           [0., 0.]], dtype=float32)
    """
    (grad,) = floats(grad, names=("grad",))
    grad, restore = images(grad, "grad")
    return restore(zero_pad2d(grad, cells(cropping, "cropping")))


@quiet
def upsample2d_grad(grad: Any, size: Any = 2) -> np.ndarray:
    """The gradient of `upsample2d`: each cell gets the sum over its copies.

    Parameters
    ----------
    grad
        (N, H * size, W * size, C), (H * size, W * size, C) or (H * size, W * size).
    size
        As in the forward call.

    Returns
    -------
    array of the input's shape

    Raises
    ------
    ValueError, TypeError
        as `upsample2d`; for a grad whose height or width is not a multiple of size.

    Examples
    --------
    >>> upsample2d_grad([[1, 2, 3, 4]], (1, 2))
    array([[3., 7.]], dtype=float32)
    """
    (grad,) = floats(grad, names=("grad",))
    grad, restore = images(grad, "grad")
    height, width = pair(size, "size")
    count, rows, cols, channels = grad.shape
    if rows % height or cols % width:
        raise ValueError(
            f"grad's height and width must be multiples of size={size!r}, got grad.shape={grad.shape}"
        )
    copies = grad.reshape(count, rows // height, height, cols // width, width, channels)
    return restore(copies.sum(axis=(2, 4)))


def flatten_grad(grad: Any, input_shape: Any) -> np.ndarray:
    """The gradient of `flatten`: grad in the input's shape.

    >>> flatten_grad([[1, 2, 3, 4]], (1, 2, 2)).shape
    (1, 2, 2)
    """
    return reshape_grad(grad, input_shape)


def reshape_grad(grad: Any, input_shape: Any) -> np.ndarray:
    """The gradient of `reshape`: grad in the input's shape.

    Parameters
    ----------
    grad
        (N, ...), the gradient with respect to the result.
    input_shape
        (N, ...), with as many cells.

    Returns
    -------
    array of input_shape

    Raises
    ------
    ValueError
        if grad has another batch size or another number of cells.

    Examples
    --------
    >>> reshape_grad([[1, 2, 3, 4]], (1, 2, 2)).shape
    (1, 2, 2)
    """
    (grad,) = floats(grad, names=("grad",))
    shape = parse_shape(input_shape, "input_shape")
    if not shape or grad.shape[:1] != shape[:1] or grad.size != math.prod(shape):
        raise ValueError(
            f"grad must have the batch size and the cells of input_shape={shape}, got grad.shape={grad.shape}"
        )
    return grad.reshape(shape)


def permute_grad(grad: Any, dims: Any) -> np.ndarray:
    """The gradient of `permute`: the axes back in their order; dims as in the forward call.

    >>> permute_grad(np.zeros((1, 3, 2)), (2, 1)).shape
    (1, 2, 3)
    """
    (grad,) = floats(grad, names=("grad",))
    order = integers(dims, "dims")
    if sorted(order) != list(range(1, grad.ndim)):
        raise ValueError(
            f"dims must be 1 to {grad.ndim - 1} in some order for grad.shape={grad.shape}, got {dims!r}"
        )
    return grad.transpose(0, *(order.index(axis) + 1 for axis in range(1, grad.ndim)))


@quiet
def rescale_grad(grad: Any, scale: Any) -> np.ndarray:
    """The gradient of `rescale`: grad * scale; scale is a number or one for each channel.

    >>> rescale_grad([1, 2], 10)
    array([10., 20.], dtype=float32)
    """
    (grad,) = floats(grad, names=("grad",))
    (array,) = floats(scale, names=("scale",))
    if array.ndim and array.shape != grad.shape[-1:]:
        raise ValueError(
            f"scale must be a number or one for each channel of grad.shape={grad.shape}, got {scale!r}"
        )
    return grad * np.asarray(scale, grad.dtype)


@quiet
def normalize_grad(grad: Any, variance: Any) -> np.ndarray:
    """The gradient of `normalize` with respect to x: grad / sqrt(variance), the root kept above 1e-7.

    Parameters
    ----------
    grad
        The gradient with respect to the result, of x's shape.
    variance
        As in the forward call.

    Returns
    -------
    array of grad's shape

    Raises
    ------
    ValueError
        if variance does not broadcast to grad.

    Examples
    --------
    >>> normalize_grad([[3.0]], [4.0])
    array([[1.5]])
    """
    grad, variance = floats(grad, variance, names=("grad", "variance"))
    _check_broadcasts(variance.shape, grad.shape, "variance")
    return grad / _deviation(variance)


@quiet
def normalize_mean_grad(grad: Any, mean_shape: Any, variance: Any) -> np.ndarray:
    """The gradient of `normalize` with respect to the mean, of mean_shape.

    >>> normalize_mean_grad([[3.0], [5.0]], (1,), [4.0])
    array([-4.])
    """
    shape = parse_shape(mean_shape, "mean_shape")
    x_grad = normalize_grad(grad, variance)
    _check_broadcasts(shape, x_grad.shape, "mean")
    return -sum_to(x_grad, shape)


@quiet
def normalize_variance_grad(x: Any, grad: Any, mean: Any, variance: Any) -> np.ndarray:
    """The gradient of `normalize` with respect to the variance; 0 where the root is 1e-7.

    >>> normalize_variance_grad([[3.0], [5.0]], [[1.0], [1.0]], [1.0], [4.0])
    array([-0.375])
    """
    x, grad, mean, variance = floats(x, grad, mean, variance, names=("x", "grad", "mean", "variance"))
    check_grad(grad, x.shape)
    for name, array in (("mean", mean), ("variance", variance)):
        _check_broadcasts(array.shape, x.shape, name)
    deviation = _deviation(variance)
    slope = np.where(np.sqrt(variance) >= x.dtype.type(1e-7), -0.5 / deviation**3, 0)
    return sum_to(grad * (x - mean), variance.shape) * slope


def _deviation(variance: np.ndarray) -> np.ndarray:
    return np.maximum(np.sqrt(variance), variance.dtype.type(1e-7))


def _check_broadcasts(shape: tuple[int, ...], target: tuple[int, ...], name: str) -> None:
    if not broadcasts_to(shape, target):
        raise ValueError(f"{name} must broadcast to shape {target}, got {name}.shape={shape}")
