"""Arguments of the engine, normalised once at the edge: dtypes, ranks, shapes.

The core of every operation sees only float arrays of rank four and tuples of ints. What docstrings say about
the arguments that a family of operations shares is written once too, by `operation`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import wraps
from itertools import groupby
from textwrap import indent
from typing import Any, TypeVar, cast

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.annotations import check_numbers, in_brief
from cnnviz.ops.padding import LIMIT, integer, integers

Shape = tuple[int, ...]
Restore = Callable[[np.ndarray], np.ndarray]
Function = TypeVar("Function", bound=Callable[..., Any])


def quiet(function: Function) -> Function:
    """Decorates the operations: what overflows is inf and what has no value NaN, without a warning.

    Where memory is too small for it, the error says what the operation was asked for.
    """

    @wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        try:
            with np.errstate(all="ignore"):
                return function(*args, **named)
        except TooLarge:
            raise
        except MemoryError as error:
            asked = inspect.signature(function).bind(*args, **named).arguments
            given = ", ".join(f"{name}{in_brief(value)}" for name, value in asked.items())
            raise TooLarge(
                f"{function.__name__} would take more memory than there is with {given}: {error}"
            ) from None

    return cast(Function, call)


class TooLarge(MemoryError):
    """What an operation was asked for does not fit into memory."""


# Docstrings -------------------------------------------------------------------------------------

IMAGES = "(N, H, W, C), (H, W, C) or (H, W)."
FORWARD_CALL = "As in the forward call."

GRADIENT_PARAMETERS = {
    "x": IMAGES,
    "grad": "The gradient with respect to the result of the forward call, of its shape.",
    "input_shape": IMAGES,
    **dict.fromkeys(["strides", "padding", "output_padding", "dilation_rate", "groups"], FORWARD_CALL),
    **dict.fromkeys(["pool_size", "keepdims", "size", "cropping", "dims", "axis", "epsilon"], FORWARD_CALL),
    "default_value": FORWARD_CALL,
    **dict.fromkeys(["alpha", "negative_slope", "max_value", "threshold", "approximate", "b"], FORWARD_CALL),
}
"""What the arguments of gradients are, where a family does not say otherwise."""


def operation(parameters: Mapping[str, str], *, returns: str, raises: str) -> Callable[[Function], Function]:
    """Decorates operations: they are `quiet`, and their docstrings say what they share with their family.

    Parameters, Returns and Raises go before the examples. Each argument is described by its entry in
    `parameters`, neighbours with the same entry together.
    """

    def decorate(function: Function) -> Function:
        if function.__doc__:  # none with python -OO
            summary, prompt, examples = inspect.cleandoc(function.__doc__).partition(">>>")
            alike = groupby(inspect.signature(function).parameters, key=parameters.__getitem__)
            entries = [f"{', '.join(names)}\n{indent(text, '    ')}" for text, names in alike]
            sections = {"Parameters": "\n".join(entries), "Returns": returns, "Raises": raises}
            sections["Examples"] = prompt + examples
            underlined = (f"{title}\n{'-' * len(title)}\n{text}" for title, text in sections.items())
            function.__doc__ = summary + "\n\n".join(underlined)
        return quiet(function)

    return decorate


def gradient(forward: str, returns: str, **parameters: str) -> Callable[[Function], Function]:
    """`operation` for a gradient of the operation of that name; `parameters` are what is special to it."""
    return operation(
        {**GRADIENT_PARAMETERS, **parameters},
        returns=f"{returns}\n    float64 if any argument is, else float32.",
        raises=f"ValueError, TypeError\n    as `{forward}`; for a grad of another shape than its result.",
    )


# Arrays -----------------------------------------------------------------------------------------


def floats(*, optional: int = 0, **arrays: Any) -> list[Any]:
    """The arguments, given by their names, as arrays of one dtype: float64 if any is, else float32.

    Integers, booleans and float16 become float32. The last `optional` arguments may be None, and
    stay None. Anything else is a TypeError.
    """
    converted: list[Any] = []
    for place, (name, array) in enumerate(arrays.items()):
        if array is None:
            if place < len(arrays) - optional:
                raise TypeError(f"{name} must be an array of numbers, got None")
            converted.append(None)
            continue
        converted.append(real(array, name))
    present = [array for array in converted if array is not None]
    dtype = np.float64 if any(array.dtype == np.float64 for array in present) else np.float32
    return [array if array is None else np.asarray(array, dtype) for array in converted]


def array(value: Any, name: str, dtype: Any = None) -> np.ndarray:
    """A value as an array: `np.asarray`'s, or an error that names it.

    What no memory has room for is refused before it is read: a range can have any number of items.

    >>> array([[1, 2]], "kernel", float)
    array([[1., 2.]])
    """
    check_numbers(value, name)
    try:
        return np.asarray(value, dtype)
    except Exception as error:  # An object's __array__ and __getitem__ can raise anything.
        said = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{name} must be an array of numbers, got {brief(value)}: {said}") from None


def real(value: Any, name: str, dtype: Any = None) -> np.ndarray:
    """A value as an array of real numbers, of a dtype if one is said.

    >>> real([[1, 2]], "kernel", float)
    array([[1., 2.]])
    """
    numbers = array(value, name)
    if numbers.dtype.kind not in "biuf" or numbers.dtype.itemsize > 8:
        raise TypeError(f"{name} must hold real numbers of at most 64 bits, got dtype {numbers.dtype}")
    return numbers if dtype is None else numbers.astype(dtype, copy=False)


def images(x: np.ndarray, name: str = "x") -> tuple[np.ndarray, Restore]:
    """x as (N, H, W, C), and how to give a result x's own rank back.

    2-D means (H, W), 3-D (H, W, C). What was missing comes back missing: the batch axis always,
    the channel axis where the result has one channel.
    """
    if x.ndim == 4:
        return x, lambda y: y
    if x.ndim == 3:
        return x[np.newaxis], lambda y: y[0]
    if x.ndim == 2:
        return x[np.newaxis, :, :, np.newaxis], lambda y: y[0, ..., 0] if y.shape[-1] == 1 else y[0]
    raise ValueError(f"{name} must be (H, W), (H, W, C) or (N, H, W, C), got {name}.shape={x.shape}")


def float_images(x: Any, name: str = "x") -> tuple[np.ndarray, Restore]:
    """x as floats (N, H, W, C), and how to give a result x's own rank back: see `images`."""
    return images(floats(**{name: x})[0], name)


def check_bias(bias: np.ndarray | None, channels: int) -> None:
    if bias is not None and bias.shape != (channels,):
        raise ValueError(
            f"bias must have one number for each output channel, ({channels},), got bias.shape={bias.shape}"
        )


def parse_groups(groups: Any, filters: int) -> int:
    """groups as an int, if a kernel's filters can be cut into as many."""
    count = integer(groups, "groups")
    if count < 1 or filters % count:
        raise ValueError(
            f"groups must be at least 1 and divide the {filters} filters, got groups={brief(groups)}"
        )
    return count


def check_groups(x_shape: tuple[int, ...], kernel_shape: tuple[int, ...], groups: Any) -> int:
    """groups as an int, if x's channels and the kernel's filters can be cut into as many."""
    depth, filters = kernel_shape[2:]
    count = parse_groups(groups, filters)
    if x_shape[3] != depth * count:
        per_group = f" in each of {count} groups" if count > 1 else ""
        raise ValueError(
            f"kernel expects {depth} input channels{per_group} (kernel.shape={kernel_shape}), "
            f"x has {x_shape[3]} (x.shape={x_shape})"
        )
    return count


def check_rank(array: np.ndarray, rank: int, name: str, axes: str) -> None:
    if array.ndim != rank:
        raise ValueError(f"{name} must be {axes}, got {name}.shape={array.shape}")
    if 0 in array.shape:
        raise ValueError(f"{name} must not be empty, got {name}.shape={array.shape}")


def broadcasts_to(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether an array of `shape` can be combined with one of `target` without enlarging it.

    >>> broadcasts_to((3,), (2, 3)), broadcasts_to((2, 3), (1, 3))
    (True, False)
    """
    return len(shape) <= len(target) and all(
        size in (1, whole) for size, whole in zip(reversed(shape), reversed(target), strict=False)
    )


def number(value: Any, name: str, *, infinite: bool = False) -> float:
    """A real scalar argument as a Python float, which leaves the array's dtype alone.

    Never NaN; infinity where it is a limit that is never reached.
    """
    try:
        if isinstance(value, (str, bytes, bytearray)) or np.ndim(value):
            raise TypeError
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be a number, got {brief(value)}") from None
    if math.isnan(found) or (math.isinf(found) and not infinite):
        raise ValueError(
            f"{name} must be {'a number' if infinite else 'a finite number'}, got {brief(value)}"
        )
    return found


def flag(value: Any, name: str) -> bool:
    """True or False, of Python's or NumPy's kind."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {brief(value)}")
    return bool(value)


def check_last_axis(x: np.ndarray, expected: int, source: str, name: str = "x") -> None:
    if x.ndim < 1 or x.shape[-1] != expected:
        raise ValueError(
            f"the last axis of {name} must have {expected} channels ({source}), got {name}.shape={x.shape}"
        )


# Shapes and gradients ----------------------------------------------------------------------------


def parse_shape(value: Any, name: str) -> Shape:
    """The shape of an array: a sequence of ints, none negative.

    >>> parse_shape([2, 3], "input_shape")
    (2, 3)
    """
    shape = integers(value, name)
    if any(not 0 <= size < LIMIT for size in shape):
        raise ValueError(f"{name} must have sizes from 0 to below 2**31, got {brief(value)}")
    return shape


def parse_kernel_shape(value: Any, name: str, axes: str) -> Shape:
    """The shape of a kernel: four positive ints."""
    shape = parse_shape(value, name)
    if len(shape) != 4 or 0 in shape:
        raise ValueError(f"{name} must be {axes} with no size 0, got {brief(value)}")
    return shape


def parse_image_shape(value: Any) -> tuple[Shape, Shape]:
    """An input_shape of images as given, and as (N, H, W, C).

    >>> parse_image_shape((28, 28))
    ((28, 28), (1, 28, 28, 1))
    """
    shape = parse_shape(value, "input_shape")
    full = {2: (1, *shape, 1), 3: (1, *shape), 4: shape}.get(len(shape))
    if full is None:
        raise ValueError(f"input_shape must be (H, W), (H, W, C) or (N, H, W, C), got {brief(value)}")
    return shape, full


def image_grad(grad: np.ndarray, rank: int, shape: Shape) -> np.ndarray:
    """grad as (N, H_out, W_out, F): an operation on images of this rank gave a result of this shape."""
    returned = shape if rank == 4 else shape[1:3] if rank == 2 and shape[3] == 1 else shape[1:]
    check_grad(grad, returned)
    return grad.reshape(shape)


def check_grad(grad: np.ndarray, shape: Shape) -> None:
    """ValueError unless grad has the shape of the forward operation's result."""
    if grad.shape != shape:
        raise ValueError(f"grad must have the result's shape, {shape}, got grad.shape={grad.shape}")


def sum_to(grad: np.ndarray, shape: Shape) -> np.ndarray:
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


def channel_sums(grad: Any) -> np.ndarray:
    """grad (..., C), checked and summed to (C,): the gradient of what is added to each channel."""
    (grad,) = floats(grad=grad)
    if grad.ndim < 1:
        raise ValueError(f"grad must be (..., channels), got grad.shape={grad.shape}")
    return sum_over_all_but_channels(grad)


def for_input_gradient(
    grad: Any, kernel: Any, input_shape: Any, axes: str
) -> tuple[np.ndarray, np.ndarray, Shape, Shape]:
    """What a gradient with respect to the input takes: grad, the kernel, input_shape as given and in full."""
    grad, kernel = floats(grad=grad, kernel=kernel)
    check_rank(kernel, 4, "kernel", axes)
    return grad, kernel, *parse_image_shape(input_shape)


def for_kernel_gradient(
    x: Any, grad: Any, kernel_shape: Any, axes: str
) -> tuple[np.ndarray, np.ndarray, Shape, int]:
    """What a gradient with respect to the kernel takes: x in full, grad, the kernel's shape, x's rank."""
    x, grad = floats(x=x, grad=grad)
    return images(x)[0], grad, parse_kernel_shape(kernel_shape, "kernel_shape", axes), x.ndim


def check_input_channels(x: np.ndarray, expected: int, kernel_shape: Shape, name: str = "kernel") -> None:
    """ValueError unless x (N, H, W, C) has the channels that a kernel of the forward call expects."""
    if x.shape[3] != expected:
        raise ValueError(
            f"{name} expects {expected} input channels ({name}.shape={kernel_shape}), "
            f"x has {x.shape[3]} (x.shape={x.shape})"
        )


def check_channels(shape: Shape, name: str, kernel_shape: Shape, kernel_name: str, expected: int) -> None:
    """ValueError unless an input of `shape` has the channels that a kernel expects."""
    if shape[3] != expected:
        raise ValueError(
            f"{kernel_name}={kernel_shape} expects {expected} input channels, {name}={shape} has {shape[3]}"
        )
