"""Joining branches: elementwise sums, products and extremes, and concatenation; and their gradients.

Arguments of an elementwise merge must broadcast against each other by NumPy's rule. Keras's layers
do the same, except that they give an input of lower rank its missing axes behind the batch axis.

A gradient has one array for each argument, in order; where arguments were broadcast, theirs are sums. Where
arguments are equal, the first counts as the extreme, as in TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.arguments import Shape, check_grad, floats, gradient, parse_shape, quiet, sum_to
from cnnviz.ops.padding import integer

Grads = tuple[np.ndarray, ...]

ARGUMENTS = {
    "xs": "A list or tuple of the arguments.",
    "input_shapes": "A list or tuple of the arguments' shapes.",
}


@quiet
def add(*xs: Any) -> np.ndarray:
    """The sum of all arguments.

    >>> add([1, 2], [10, 20])
    array([11., 22.], dtype=float32)
    """
    return reduce(np.add, _merged(xs, "add"))


@gradient("add", "tuple of arrays of these shapes", **ARGUMENTS)
def add_grad(grad: Any, input_shapes: Any) -> Grads:
    """The gradients of `add`: grad for every argument.

    >>> add_grad([1.0, 2.0], [(2,), (1,)])
    (array([1., 2.]), array([3.]))
    """
    grad, shapes = _broadcast(grad, input_shapes)
    return tuple(sum_to(grad, shape) for shape in shapes)


@quiet
def subtract(a: Any, b: Any) -> np.ndarray:
    """a - b.

    >>> subtract([3], [1])
    array([2.], dtype=float32)
    """
    return np.subtract(*_merged((a, b), "subtract"))


@gradient("subtract", "tuple of arrays of these shapes", **ARGUMENTS)
def subtract_grad(grad: Any, input_shapes: Any) -> Grads:
    """The gradients of `subtract`: grad and -grad.

    >>> subtract_grad([1.0, 2.0], [(2,), (2,)])
    (array([1., 2.]), array([-1., -2.]))
    """
    grad, shapes = _broadcast(grad, input_shapes)
    if len(shapes) != 2:
        raise ValueError(f"input_shapes must be two shapes, got {brief(input_shapes)}")
    return sum_to(grad, shapes[0]), -sum_to(grad, shapes[1])


@quiet
def average(*xs: Any) -> np.ndarray:
    """The mean of all arguments.

    >>> average([1], [2])
    array([1.5], dtype=float32)
    """
    return reduce(np.add, _merged(xs, "average")) / len(xs)


@gradient("average", "tuple of arrays of these shapes", **ARGUMENTS)
def average_grad(grad: Any, input_shapes: Any) -> Grads:
    """The gradients of `average`: an equal share of grad.

    >>> average_grad([1.0, 2.0], [(2,), (2,)])
    (array([0.5, 1. ]), array([0.5, 1. ]))
    """
    grad, shapes = _broadcast(grad, input_shapes)
    return tuple(sum_to(grad / len(shapes), shape) for shape in shapes)


@quiet
def multiply(*xs: Any) -> np.ndarray:
    """The product of all arguments.

    >>> multiply([2, 3], [4, 5])
    array([ 8., 15.], dtype=float32)
    """
    return reduce(np.multiply, _merged(xs, "multiply"))


@gradient("multiply", "tuple of arrays of the arguments' shapes", **ARGUMENTS)
def multiply_grad(xs: Any, grad: Any) -> Grads:
    """The gradients of `multiply`: grad times the product of the others.

    >>> multiply_grad([[2.0], [3.0], [5.0]], [1.0])
    (array([15.]), array([10.]), array([6.]))
    """
    arrays, grad = _arguments(xs, grad)
    before = list(accumulate(arrays, np.multiply))
    grads = []
    for k in range(len(arrays) - 1, 0, -1):
        grads.append(sum_to(grad * before[k - 1], arrays[k].shape))
        grad = sum_to(grad * arrays[k], before[k - 1].shape)
    return sum_to(grad, arrays[0].shape), *reversed(grads)


def maximum(*xs: Any) -> np.ndarray:
    """The largest of all arguments.

    >>> maximum([1, 5], [2, 4])
    array([2., 5.], dtype=float32)
    """
    return reduce(np.maximum, _merged(xs, "maximum"))


@gradient("maximum", "tuple of arrays of the arguments' shapes", **ARGUMENTS)
def maximum_grad(xs: Any, grad: Any) -> Grads:
    """The gradients of `maximum`: grad where the argument is the largest.

    >>> maximum_grad([[1.0, 5.0], [1.0, 7.0]], [10.0, 20.0])
    (array([10.,  0.]), array([ 0., 20.]))
    """
    return _extreme(xs, grad, np.maximum, np.greater_equal)


def minimum(*xs: Any) -> np.ndarray:
    """The smallest of all arguments.

    >>> minimum([1, 5], [2, 4])
    array([1., 4.], dtype=float32)
    """
    return reduce(np.minimum, _merged(xs, "minimum"))


@gradient("minimum", "tuple of arrays of the arguments' shapes", **ARGUMENTS)
def minimum_grad(xs: Any, grad: Any) -> Grads:
    """The gradients of `minimum`: grad where the argument is the smallest.

    >>> minimum_grad([[1.0, 5.0], [1.0, 7.0]], [10.0, 20.0])
    (array([10., 20.]), array([0., 0.]))
    """
    return _extreme(xs, grad, np.minimum, np.less_equal)


@quiet
def concatenate(xs: Any, axis: int = -1) -> np.ndarray:
    """The arrays of a sequence, side by side along an axis, channels by default.

    >>> concatenate([[1, 2], [3]])
    array([1., 2., 3.], dtype=float32)
    """
    arrays = floats(**_by_name(xs))
    if not arrays:
        raise ValueError("concatenate needs at least one array, got none")
    shapes = [array.shape for array in arrays]
    _check_axis(shapes, axis, "shapes")
    return np.concatenate(arrays, axis)


@gradient("concatenate", "tuple of arrays of these shapes", **ARGUMENTS)
def concatenate_grad(grad: Any, input_shapes: Any, axis: int = -1) -> Grads:
    """The gradients of `concatenate`: each argument's part of grad.

    >>> concatenate_grad([1.0, 2.0, 3.0], [(2,), (1,)])
    (array([1., 2.]), array([3.]))
    """
    (grad,) = floats(grad=grad)
    shapes = _shapes(input_shapes)
    place = _check_axis(shapes, axis, "input_shapes")
    ends = list(accumulate(shape[place] for shape in shapes))
    check_grad(grad, (*shapes[0][:place], ends[-1], *shapes[0][place + 1 :]))
    return tuple(np.split(grad, ends[:-1], axis=place))


def _check_axis(shapes: list[Shape], axis: Any, name: str) -> int:
    """The axis counted from the front; ValueError unless the shapes agree along all others."""
    rank = len(shapes[0])
    if not -rank <= integer(axis, "axis") < rank:
        raise ValueError(f"axis must be an axis of the arrays, got axis={brief(axis)} for shapes {shapes}")
    place = axis % rank
    if len({(len(shape), shape[:place], shape[place + 1 :]) for shape in shapes}) > 1:
        raise ValueError(f"{name} must agree except along axis {axis}, got {shapes}")
    return place


def _merged(xs: tuple[Any, ...], name: str) -> list[np.ndarray]:
    if not xs:
        raise ValueError(f"{name} needs at least one array, got none")
    arrays = floats(**{f"argument {i}": x for i, x in enumerate(xs)})
    try:
        np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        raise ValueError(
            f"{name} needs shapes that broadcast, got {[array.shape for array in arrays]}"
        ) from None
    return arrays if len(arrays) > 1 else [arrays[0].copy()]


def _extreme(
    xs: Any, grad: Any, combine: np.ufunc, wins: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Grads:
    """From the last argument to the first, each against the extreme of those before it."""
    arrays, grad = _arguments(xs, grad)
    before = list(accumulate(arrays, combine))
    grads = []
    for k in range(len(arrays) - 1, 0, -1):
        earlier = wins(before[k - 1], arrays[k])
        grads.append(sum_to(np.where(earlier, 0, grad), arrays[k].shape))
        grad = sum_to(np.where(earlier, grad, 0), before[k - 1].shape)
    return sum_to(grad, arrays[0].shape), *reversed(grads)


def _by_name(xs: Any) -> dict[str, Any]:
    """The arguments in a list by what error messages call them."""
    if not isinstance(xs, tuple | list):
        raise TypeError(f"xs must be a list or tuple of arrays, got {brief(xs)}")
    return {f"xs[{i}]": x for i, x in enumerate(xs)}


def _arguments(xs: Any, grad: Any) -> tuple[list[np.ndarray], np.ndarray]:
    *arrays, grad = floats(**_by_name(xs), grad=grad)
    check_grad(grad, _result([array.shape for array in arrays]))
    return arrays, grad


def _broadcast(grad: Any, input_shapes: Any) -> tuple[np.ndarray, list[Shape]]:
    (grad,) = floats(grad=grad)
    shapes = _shapes(input_shapes)
    check_grad(grad, _result(shapes))
    return grad, shapes


def _shapes(input_shapes: Any) -> list[Shape]:
    if not isinstance(input_shapes, tuple | list):
        raise TypeError(f"input_shapes must be a list or tuple of shapes, got {brief(input_shapes)}")
    if not input_shapes:
        raise ValueError("input_shapes must hold at least one shape, got none")
    return [parse_shape(shape, f"input_shapes[{i}]") for i, shape in enumerate(input_shapes)]


def _result(shapes: list[Shape]) -> Shape:
    if not shapes:
        raise ValueError("xs must hold at least one array, got none")
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"the arguments' shapes must broadcast, got {shapes}") from None
