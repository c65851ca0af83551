"""Slices as in x[:, 1:3, ::-1]: how Keras writes them, what they choose, and which cells each unit reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from cnnviz.layers.layer import literal
from cnnviz.layers.links import Links, Regroup, Resample, Shape, Slide, after
from cnnviz.numbers import brief
from cnnviz.ops.padding import Axis

Config = Mapping[str, Any]


def read_key(value: Any, name: str) -> tuple[Any, ...]:
    """What stands in the brackets of x[...], as Python or Keras writes it, as a tuple."""
    entries = tuple(value) if isinstance(value, list | tuple) else (value,)
    return tuple(_key_entry(entry, name) for entry in entries)


def _key_entry(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        config = value.get("config")
        if value.get("class_name") == "__ellipsis__":
            return ...
        if value.get("class_name") == "__slice__" and isinstance(config, Mapping):
            value = slice(*(config.get(end) for end in ("start", "stop", "step")))
    if isinstance(value, slice):
        ends = (value.start, value.stop, value.step)
        if all(end is None or (isinstance(end, int) and not isinstance(end, bool)) for end in ends):
            if value.step == 0:
                raise ValueError(f"{name} must not have a slice with the step 0, got {brief(value)}")
            return value
    elif value is None or value is ... or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError(
        f"{name} must be made of ints, slices with ints, ... and None, got {brief(value)}: cells that are "
        "chosen by other numbers are not supported"
    )


def _full_key(key: tuple[Any, ...], rank: int) -> list[Any]:
    """The entries for the axes behind the batch; ValueError where they do not fit, or change the batch."""
    cells = sum(entry is not None and entry is not ... for entry in key)
    if key.count(...) > 1 or cells > rank:
        raise ValueError(f"key must fit an array with {rank} axes, its batch included, got {key}")
    place = key.index(...) if ... in key else len(key)
    full = [*key[:place], *[slice(None)] * (rank - cells), *key[place + 1 :]]
    if full[0] not in (slice(None), slice(0, None), slice(None, None, 1), slice(0, None, 1)):
        raise ValueError(
            f"key must leave the batch, the first axis, as it is (begin with : or ...), got {literal(key)}"
        )
    return full[1:]


def sliced(x: np.ndarray, config: Config) -> np.ndarray:
    full = _full_key(config["key"], x.ndim)
    sizes = iter(x.shape[1:])
    for entry in full:
        if entry is not None:
            cells_of(entry, next(sizes))
    return x[(slice(None), *full)]


def cells_of(entry: Any, size: int) -> range:
    """The cells of an axis that an int or a slice chooses."""
    if isinstance(entry, slice):
        cells = range(*entry.indices(size))
        if not cells:
            raise ValueError(f"key must leave at least one cell of each axis, got {entry} of {size}")
        return cells
    if not -size <= entry < size:
        raise ValueError(f"key must name cells that there are, got {entry} of {size}")
    return range(entry % size, entry % size + 1)


def cells_along(axis: int, cells: range, size: int) -> Links:
    """The link of cells along an axis, a step apart."""
    if cells == range(size):
        return ()
    if cells.step > 0 or len(cells) == 1:
        step = cells.step if len(cells) > 1 else 1
        last = cells[-1] + 1
        return (Slide(axis, Axis(size, 1, stride=step, before=-cells.start, after=last - size)),)
    table = np.array(cells).reshape(-1, 1)
    return (Resample(axis, size, table, Fraction(cells.start), Fraction(cells.step), between=False),)


def sliced_links(shapes: Sequence[Shape], config: Config) -> list[Links]:
    (shape,) = shapes
    links: list[Any] = []
    kept: list[int] = []
    axis = 0
    for entry in _full_key(config["key"], len(shape) + 1):
        if entry is None:
            kept.append(1)
            continue
        cells = cells_of(entry, shape[axis])
        links += cells_along(axis, cells, shape[axis])
        if isinstance(entry, slice):
            kept.append(len(cells))
        axis += 1
    return [(*links, *regrouped(after(links, shape), tuple(kept)))]


def regrouped(old: Shape, new: Shape) -> Links:
    return () if old == new else (Regroup(old, new),)
