"""Arguments of the engine, normalised once at the edge: dtypes, ranks, shapes.

The core of every operation sees float arrays of rank four and tuples of ints only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Restore = Callable[[np.ndarray], np.ndarray]


def floats(*arrays: Any, names: tuple[str, ...]) -> list[Any]:
    """The arguments as arrays of one dtype: float64 if any is, else float32.

    Integers, booleans and float16 become float32; None stays None. Anything else is a TypeError.
    """
    converted: list[Any] = []
    for array, name in zip(arrays, names, strict=True):
        if array is None:
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


def check_rank(array: np.ndarray, rank: int, name: str, axes: str) -> None:
    if array.ndim != rank:
        raise ValueError(f"{name} must be {axes}, got {name}.shape={array.shape}")
    if 0 in array.shape:
        raise ValueError(f"{name} must not be empty, got {name}.shape={array.shape}")
