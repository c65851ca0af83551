"""How a layer's options are read: from what Keras writes in a config to one form, checked; and written again.

Each reader takes (value, name) and returns the normal form, or raises an error that names the
option, its value and the rule. An entry says which options its layers have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.padding import Padding, Sides, cells, pair, parse_padding

Reader = Callable[[Any, str], Any]
Options = Mapping[str, tuple[Reader, Any]]
"""Names of options, each with its reader and Keras's default; no default is None."""
Shape = tuple[int | None, ...]
"""Sizes without the batch axis; None where a size is not known until there is an input."""

LARGEST = 65_536
"""No window, stride or padding is larger: a file that says otherwise is damaged or hostile."""

MOST_AXES = 30
"""Of an input, behind the batch: NumPy broadcasts arrays of up to 32 axes."""


def all_of(options: Options, config: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a config has, the others at their defaults; its other entries are left out."""
    return {name: reader(config.get(name, default), name) for name, (reader, default) in options.items()}


def optional(reader: Reader) -> Reader:
    """None, or what the reader reads."""
    return lambda value, name: None if value is None else reader(value, name)


def only(expected: Any, why: str) -> Reader:
    """The one value that is supported."""

    def read(value: Any, name: str) -> Any:
        if value != expected:
            raise ValueError(f"{name}={brief(value)} is not supported: {why}")
        return value

    return read


def choice(*expected: str) -> Reader:
    """One of a few words."""

    def read(value: Any, name: str) -> str:
        if value not in expected:
            words = ", ".join(map(repr, expected[:-1]))
            raise ValueError(f"{name} must be {words} or {expected[-1]!r}, got {brief(value)}")
        return str(value)

    return read


def size(value: Any, name: str, minimum: int = 1) -> tuple[int, int]:
    """An int or (height, width), as (height, width).

    >>> size(3, "strides")
    (3, 3)
    """
    numbers = pair(value, name, minimum)
    if max(numbers) > LARGEST:
        raise ValueError(f"{name} must be at most {LARGEST}, got {brief(value)}")
    return numbers


def length(value: Any, name: str) -> int:
    """A size of a sequence: an int, alone or in a list.

    >>> length([3], "strides")
    3
    """
    entries = ints(value, name)
    if len(entries) != 1 or not 1 <= entries[0] <= LARGEST:
        raise ValueError(f"{name} must be one int from 1 to {LARGEST}, got {brief(value)}")
    return entries[0]


def sides(value: Any, name: str) -> Sides:
    """An int, (height, width) or all four sides, as ((top, bottom), (left, right))."""
    numbers = cells(value, name)
    if max(map(max, numbers)) > LARGEST:
        raise ValueError(f"{name} must be at most {LARGEST}, got {brief(value)}")
    return numbers


def padding(value: Any, name: str) -> Padding:
    """'valid', 'same' or ((top, bottom), (left, right))."""
    parsed = parse_padding(value, name)
    return parsed if isinstance(parsed, str) else sides(parsed, name)


def count(value: Any, name: str) -> int:
    """A positive int."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive int, got {brief(value)}")
    return value


def flag(value: Any, name: str) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {brief(value)}")
    return value


def number(value: Any, name: str) -> float:
    """A finite number, as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {brief(value)}")
    return float(value)


def share(value: Any, name: str) -> float:
    """A number from 0 to 1.

    >>> share(0.5, "rate")
    0.5
    """
    if not 0 <= number(value, name) <= 1:
        raise ValueError(f"{name} must be from 0 to 1, got {brief(value)}")
    return float(value)


def numbers(value: Any, name: str) -> float | np.ndarray:
    """A finite number as a float, or an array of numbers as a float64 array that stays as it is."""
    if not isinstance(value, list | tuple | np.ndarray):
        return number(value, name)
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number or an array of numbers, got {brief(value)}") from None
    array.flags.writeable = False
    return array


def ints(value: Any, name: str) -> tuple[int, ...]:
    """An int or several, as a tuple."""
    entries = tuple(value) if isinstance(value, list | tuple) else (value,)
    if any(isinstance(entry, bool) or not isinstance(entry, int) for entry in entries):
        raise ValueError(f"{name} must be an int or several, got {brief(value)}")
    return entries


def axes(value: Any, name: str) -> tuple[int, ...]:
    """No axis, one or several, as a tuple."""
    return () if value is None else ints(value, name)


def axis(value: Any, name: str) -> int:
    """One axis, alone or in a list."""
    entries = ints(value, name)
    if len(entries) != 1:
        raise ValueError(f"{name} must be one axis, got {brief(value)}")
    return entries[0]


def batch_shape(value: Any, name: str) -> Shape:
    """An input's shape with its batch axis, whose size is not kept.

    >>> batch_shape([32, 28, 28, 1], "batch_shape")
    (None, 28, 28, 1)
    """
    sizes = tuple(value[1:]) if isinstance(value, list | tuple) else ()
    if not sizes or any(entry is not None and not _positive(entry) for entry in sizes):
        raise ValueError(f"{name} must be (batch, then sizes, None where unknown), got {brief(value)}")
    if len(sizes) > MOST_AXES:
        raise ValueError(f"{name} must have at most {MOST_AXES} sizes behind the batch, got {len(sizes)}")
    return None, *sizes


def noise_shape(value: Any, name: str) -> Shape:
    """The shape of what a dropout draws, None where it is the input's."""
    sizes = tuple(value) if isinstance(value, list | tuple) else ()
    if not sizes or any(entry is not None and not _positive(entry) for entry in sizes):
        raise ValueError(f"{name} must be sizes, None where they are the input's, got {brief(value)}")
    return sizes


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


# The way back -----------------------------------------------------------------------------------


def default_of(reader: Reader, default: Any, name: str) -> Any:
    """An option's default in the form in which options are kept; None where it must be said."""
    return None if default is None else reader(default, name)


def same(one: Any, other: Any) -> bool:
    """Whether an option has the same value twice; it may be an array."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)


def as_json(value: Any, name: str, reader: Reader | None = None) -> Any:
    """An option's value as Keras writes it; ValueError where Keras has no such value."""
    if reader is padding and not isinstance(value, str):
        raise ValueError(
            f"{name}={value} is no padding of Keras's: put a ZeroPadding layer in front, and 'valid' here"
        )
    if hasattr(value, "serialized"):
        return value.serialized()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, slice):
        ends = {"start": value.start, "stop": value.stop, "step": value.step}
        return {"class_name": "__slice__", "config": ends}
    if value is ...:
        return {"class_name": "__ellipsis__", "config": {}}
    if value == () and reader is axes:
        return None
    if isinstance(value, list | tuple):
        return [as_json(each, name) for each in value]
    return value.item() if isinstance(value, np.generic) else value
