"""The gradients of the merging operations: one for each argument, in order.

Where arguments were broadcast, theirs are sums. Of equal arguments the first is the extreme, as in
TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np

from cnnviz.ops.arrays import floats, quiet
from cnnviz.ops.gradient_arguments import check_grad, parse_shape, sum_to
from cnnviz.ops.padding import integer

Grads = tuple[np.ndarray, ...]


@quiet
def add_grad(grad: Any, input_shapes: Any) -> Grads:
    """The gradients of `add`: grad for every argument.

    Parameters
    ----------
    grad
        The gradient with respect to the result, of its shape.
    input_shapes
        A list or tuple of the arguments' shapes.

    Returns
    -------
    tuple of arrays of these shapes

    Raises
    ------
    ValueError
        for shapes that do not broadcast, and a grad that does not have the shape they broadcast to.
    TypeError
        for what is not a sequence of shapes, or does not hold real numbers.

    Examples
    --------
    >>> add_grad([1.0, 2.0], [(2,), (1,)])
    (array([1., 2.]), array([3.]))
    """
    grad, shapes = _broadcast(grad, input_shapes)
    return tuple(sum_to(grad, shape) for shape in shapes)


@quiet
def subtract_grad(grad: Any, input_shapes: Any) -> Grads:
    """The gradients of `subtract`: grad and -grad. Arguments as in `add_grad`, two shapes.

    >>> subtract_grad([1.0, 2.0], [(2,), (2,)])
    (array([1., 2.]), array([-1., -2.]))
    """
    grad, shapes = _broadcast(grad, input_shapes)
    if len(shapes) != 2:
        raise ValueError(f"input_shapes must be two shapes, got {input_shapes!r}")
    return sum_to(grad, shapes[0]), -sum_to(grad, shapes[1])


@quiet
def average_grad(grad: Any, input_shapes: Any) -> Grads:
    """The gradients of `average`: an equal share of grad. Arguments as in `add_grad`.

    >>> average_grad([1.0, 2.0], [(2,), (2,)])
    (array([0.5, 1. ]), array([0.5, 1. ]))
    """
    grad, shapes = _broadcast(grad, input_shapes)
    return tuple(sum_to(grad / len(shapes), shape) for shape in shapes)


@quiet
def multiply_grad(xs: Any, grad: Any) -> Grads:
    """The gradients of `multiply`: grad times the product of the others.

    Parameters
    ----------
    xs
        A list or tuple of the arguments.
    grad
        The gradient with respect to the result, of its shape.

    Returns
    -------
    tuple of arrays of the arguments' shapes

    Raises
    ------
    ValueError, TypeError
        as `add_grad`.

    Examples
    --------
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


@quiet
def maximum_grad(xs: Any, grad: Any) -> Grads:
    """The gradients of `maximum`: grad where the argument is the largest. Arguments as in `multiply_grad`.

    >>> maximum_grad([[1.0, 5.0], [1.0, 7.0]], [10.0, 20.0])
    (array([10.,  0.]), array([ 0., 20.]))
    """
    return _extreme(xs, grad, np.maximum, np.greater_equal)


@quiet
def minimum_grad(xs: Any, grad: Any) -> Grads:
    """The gradients of `minimum`: grad where the argument is the smallest. Arguments as in `multiply_grad`.

    >>> minimum_grad([[1.0, 5.0], [1.0, 7.0]], [10.0, 20.0])
    (array([10., 20.]), array([0., 0.]))
    """
    return _extreme(xs, grad, np.minimum, np.less_equal)


def concatenate_grad(grad: Any, input_shapes: Any, axis: int = -1) -> Grads:
    """The gradients of `concatenate`: each argument's part of grad. Arguments as in `add_grad`, and the axis.

    >>> concatenate_grad([1.0, 2.0, 3.0], [(2,), (1,)])
    (array([1., 2.]), array([3.]))
    """
    (grad,) = floats(grad, names=("grad",))
    shapes = _shapes(input_shapes)
    rank = len(shapes[0])
    if not -rank <= integer(axis, "axis") < rank:
        raise ValueError(f"axis must be an axis of the arrays, got axis={axis!r} for shapes {shapes}")
    place = axis % rank
    across = {(len(shape), shape[:place], shape[place + 1 :]) for shape in shapes}
    if len(across) > 1:
        raise ValueError(f"input_shapes must agree but along axis {axis}, got {shapes}")
    ends = list(accumulate(shape[place] for shape in shapes))
    check_grad(grad, (*shapes[0][:place], ends[-1], *shapes[0][place + 1 :]))
    return tuple(np.split(grad, ends[:-1], axis=place))


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


def _arguments(xs: Any, grad: Any) -> tuple[list[np.ndarray], np.ndarray]:
    if not isinstance(xs, tuple | list):
        raise TypeError(f"xs must be a list or tuple of arrays, got {xs!r}")
    names = tuple(f"xs[{i}]" for i in range(len(xs)))
    *arrays, grad = floats(*xs, grad, names=(*names, "grad"))
    check_grad(grad, _result([array.shape for array in arrays]))
    return arrays, grad


def _broadcast(grad: Any, input_shapes: Any) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    (grad,) = floats(grad, names=("grad",))
    shapes = _shapes(input_shapes)
    check_grad(grad, _result(shapes))
    return grad, shapes


def _shapes(input_shapes: Any) -> list[tuple[int, ...]]:
    if not isinstance(input_shapes, tuple | list):
        raise TypeError(f"input_shapes must be a list or tuple of shapes, got {input_shapes!r}")
    if not input_shapes:
        raise ValueError("input_shapes must hold at least one shape, got none")
    return [parse_shape(shape, f"input_shapes[{i}]") for i, shape in enumerate(input_shapes)]


def _result(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    if not shapes:
        raise ValueError("xs must hold at least one array, got none")
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"the arguments' shapes must broadcast, got {shapes}") from None
