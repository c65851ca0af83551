"""Joining branches: elementwise sums, products and extremes, and concatenation.

Arguments of an elementwise merge must broadcast against each other by NumPy's rule. Keras's layers
do the same, except that they give an input of lower rank its missing axes behind the batch axis.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from cnnviz.ops.arrays import floats, quiet
from cnnviz.ops.padding import integer


@quiet
def add(*xs: Any) -> np.ndarray:
    """The sum of all arguments.

    >>> add([1, 2], [10, 20])
    array([11., 22.], dtype=float32)
    """
    return reduce(np.add, _merged(xs, "add"))


@quiet
def subtract(a: Any, b: Any) -> np.ndarray:
    """a - b.

    >>> subtract([3], [1])
    array([2.], dtype=float32)
    """
    return np.subtract(*_merged((a, b), "subtract"))


@quiet
def multiply(*xs: Any) -> np.ndarray:
    """The product of all arguments.

    >>> multiply([2, 3], [4, 5])
    array([ 8., 15.], dtype=float32)
    """
    return reduce(np.multiply, _merged(xs, "multiply"))


@quiet
def average(*xs: Any) -> np.ndarray:
    """The mean of all arguments.

    >>> average([1], [2])
    array([1.5], dtype=float32)
    """
    return reduce(np.add, _merged(xs, "average")) / len(xs)


def maximum(*xs: Any) -> np.ndarray:
    """The largest of all arguments.

    >>> maximum([1, 5], [2, 4])
    array([2., 5.], dtype=float32)
    """
    return reduce(np.maximum, _merged(xs, "maximum"))


def minimum(*xs: Any) -> np.ndarray:
    """The smallest of all arguments.

    >>> minimum([1, 5], [2, 4])
    array([1., 4.], dtype=float32)
    """
    return reduce(np.minimum, _merged(xs, "minimum"))


def concatenate(xs: Any, axis: int = -1) -> np.ndarray:
    """The arrays of a sequence, side by side along an axis, channels by default.

    >>> concatenate([[1, 2], [3]])
    array([1., 2., 3.], dtype=float32)
    """
    if not isinstance(xs, (tuple, list)):
        raise TypeError(f"xs must be a list or tuple of arrays, got {xs!r}")
    arrays = floats(*xs, names=tuple(f"xs[{i}]" for i in range(len(xs))))
    if not arrays:
        raise ValueError("concatenate needs at least one array, got none")
    shapes = [array.shape for array in arrays]
    rank = arrays[0].ndim
    if not -rank <= integer(axis, "axis") < rank:
        raise ValueError(f"axis must be an axis of the arrays, got axis={axis!r} for shapes {shapes}")
    across = {(len(shape), shape[: axis % rank], shape[axis % rank + 1 :]) for shape in shapes}
    if len(across) > 1:
        raise ValueError(f"shapes must agree but along axis {axis}, got {shapes}")
    return np.concatenate(arrays, axis)


def _merged(xs: tuple[Any, ...], name: str) -> list[np.ndarray]:
    if not xs:
        raise ValueError(f"{name} needs at least one array, got none")
    arrays = floats(*xs, names=tuple(f"argument {i}" for i in range(len(xs))))
    try:
        np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        raise ValueError(
            f"{name} needs shapes that broadcast, got {[array.shape for array in arrays]}"
        ) from None
    return arrays if len(arrays) > 1 else [arrays[0].copy()]
