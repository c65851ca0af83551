"""Arguments that only gradients have: shapes of the forward pass, and gradients that must fit them.

A gradient has the shape of the forward operation's result, axes left out included.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnviz.ops.padding import LIMIT, integers

IMAGE_AXES = "(H, W), (H, W, C) or (N, H, W, C)"


def parse_shape(value: Any, name: str) -> tuple[int, ...]:
    """The shape of an array: a sequence of ints, none negative.

    >>> parse_shape([2, 3], "input_shape")
    (2, 3)
    """
    shape = integers(value, name)
    if any(not 0 <= size < LIMIT for size in shape):
        raise ValueError(f"{name} must have sizes from 0 to below 2**31, got {value!r}")
    return shape


def parse_kernel_shape(value: Any, name: str, axes: str) -> tuple[int, ...]:
    """The shape of a kernel: four positive ints."""
    shape = parse_shape(value, name)
    if len(shape) != 4 or 0 in shape:
        raise ValueError(f"{name} must be {axes} with no size 0, got {value!r}")
    return shape


def parse_image_shape(value: Any, name: str = "input_shape") -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape of images as given, and as (N, H, W, C).

    >>> parse_image_shape((28, 28))
    ((28, 28), (1, 28, 28, 1))
    """
    given = parse_shape(value, name)
    full = {2: (1, *given, 1), 3: (1, *given), 4: given}.get(len(given))
    if full is None:
        raise ValueError(f"{name} must be {IMAGE_AXES}, got {value!r}")
    return given, full


def image_grad(grad: np.ndarray, rank: int, shape: tuple[int, ...]) -> np.ndarray:
    """grad as (N, H_out, W_out, F): an operation on images of this rank gave a result of this shape."""
    returned = shape if rank == 4 else shape[1:3] if rank == 2 and shape[3] == 1 else shape[1:]
    check_grad(grad, returned)
    return grad.reshape(shape)


def check_grad(grad: np.ndarray, shape: tuple[int, ...], name: str = "grad") -> None:
    """ValueError unless grad has the shape of the forward operation's result."""
    if grad.shape != shape:
        raise ValueError(f"{name} must have the result's shape, {shape}, got {name}.shape={grad.shape}")


def sum_to(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """grad summed over the axes along which an array of `shape` was broadcast.

    >>> sum_to(np.ones((2, 3)), (3,))
    array([2., 2., 2.])
    """
    if grad.shape == shape:
        return grad
    missing = grad.ndim - len(shape)
    stretched = (missing + axis for axis, size in enumerate(shape) if size != grad.shape[missing + axis])
    return grad.sum(axis=(*range(missing), *stretched)).reshape(shape)


def sum_over_all_but_channels(grad: np.ndarray) -> np.ndarray:
    """(..., C) to (C,): a product with ones, which BLAS blocks.

    >>> sum_over_all_but_channels(np.ones((2, 3, 4)))
    array([6., 6., 6., 6.])
    """
    cells = math.prod(grad.shape[:-1])
    return np.ones(cells, grad.dtype) @ grad.reshape(cells, grad.shape[-1])
