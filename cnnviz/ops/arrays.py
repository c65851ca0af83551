"""Arguments of the engine, normalised once at the edge: dtypes, ranks, shapes.

The core of every operation sees float arrays of rank four and tuples of ints only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnviz.ops.padding import integer

Restore = Callable[[np.ndarray], np.ndarray]

quiet = np.errstate(all="ignore")
"""Decorates the operations: what overflows is inf and what has no value NaN, without a warning."""


def floats(*arrays: Any, names: tuple[str, ...], optional: int = 0) -> list[Any]:
    """The arguments as arrays of one dtype: float64 if any is, else float32.

    Integers, booleans and float16 become float32. The last `optional` arguments may be None, and
    stay it. Anything else is a TypeError.
    """
    converted: list[Any] = []
    for place, (array, name) in enumerate(zip(arrays, names, strict=True)):
        if array is None:
            if place < len(arrays) - optional:
                raise TypeError(f"{name} must be an array of numbers, got None")
            converted.append(None)
            continue
        try:
            array = np.asarray(array)
        except ValueError as error:
            raise ValueError(f"{name} must be an array of numbers: {error}") from None
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(f"{name} must hold real numbers of at most 64 bits, got dtype {array.dtype}")
        converted.append(array)
    present = [array for array in converted if array is not None]
    dtype = np.float64 if any(array.dtype == np.float64 for array in present) else np.float32
    return [array if array is None else np.asarray(array, dtype) for array in converted]


def images(x: np.ndarray, name: str = "x") -> tuple[np.ndarray, Restore]:
    """x as (N, H, W, C), and how to give a result x's own rank back.

    2-D means (H, W), 3-D (H, W, C). What was missing comes back missing: the batch axis always,
    the channel axis where the result has one channel.
    """
    if x.ndim == 4:
        return x, _same
    if x.ndim == 3:
        return x[np.newaxis], _without_batch
    if x.ndim == 2:
        return x[np.newaxis, :, :, np.newaxis], _without_batch_and_channel
    raise ValueError(f"{name} must be (H, W), (H, W, C) or (N, H, W, C), got {name}.shape={x.shape}")


def _same(y: np.ndarray) -> np.ndarray:
    return y


def _without_batch(y: np.ndarray) -> np.ndarray:
    return y[0]


def _without_batch_and_channel(y: np.ndarray) -> np.ndarray:
    return y[0, ..., 0] if y.shape[-1] == 1 else y[0]


def check_bias(bias: np.ndarray | None, channels: int) -> None:
    if bias is not None and bias.shape != (channels,):
        raise ValueError(
            f"bias must have one number for each output channel, ({channels},), got bias.shape={bias.shape}"
        )


def check_groups(x_shape: tuple[int, ...], kernel_shape: tuple[int, ...], groups: Any) -> int:
    """groups as an int, if x's channels and the kernel's filters can be cut into as many."""
    count, depth, filters = integer(groups, "groups"), *kernel_shape[2:]
    if count < 1 or filters % count:
        raise ValueError(f"groups must be at least 1 and divide the {filters} filters, got groups={groups!r}")
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
    """Whether an array of `shape` can be combined with one of `target` without enlarging that.

    >>> broadcasts_to((3,), (2, 3)), broadcasts_to((2, 3), (1, 3))
    (True, False)
    """
    return len(shape) <= len(target) and all(
        size in (1, whole) for size, whole in zip(reversed(shape), reversed(target), strict=False)
    )
