"""Extents: what every unit of a layer sees, as tables of first and last cells or in closed form.

`Bounds` are tables, exact for every kind of step. A `UnitGrid` is the closed form, with borders ignored. It
lasts as long as rows and columns of units run along rows and columns of the origin; where they are reshaped
into one another its tables take over, and count the borders from there on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from math import prod

import numpy as np

from cnnviz.layers.links import (
    FAR,
    FIRST,
    LAST,
    Expand,
    Gather,
    Link,
    Regroup,
    Resample,
    Segment,
    Shape,
    Slide,
    Spread,
    Transpose,
    forward,
    positions,
)
from cnnviz.receptive_fields.closed_form import ClosedForm, Hull, join


def unit_axes(shape: Shape) -> int:
    """How many axes tell a layer's units apart: all but the channels', a vector's only one.

    >>> unit_axes((24, 24, 10)), unit_axes((10,)), unit_axes(())
    (2, 1, 0)
    """
    return max(len(shape) - 1, min(len(shape), 1))


@dataclass(frozen=True, eq=False)
class Bounds:
    """The first and the last cell that every unit sees, along each axis of the origin: compact arrays.

    A unit that sees nothing has a last cell before its first.
    """

    first: tuple[np.ndarray, ...]
    last: tuple[np.ndarray, ...]

    @classmethod
    def of_origin(cls, shape: Shape) -> Bounds:
        """Every cell sees itself."""
        cells = tuple(positions(shape, axis) for axis in range(unit_axes(shape)))
        return cls(cells, cells)

    def after(self, steps: Sequence[Link]) -> Bounds:
        return Bounds(
            tuple(forward(steps, values, FIRST) for values in self.first),
            tuple(forward(steps, values, LAST) for values in self.last),
        )

    @staticmethod
    def union(fields: Sequence[Bounds]) -> Bounds:
        axes = range(len(fields[0].first))
        return Bounds(
            tuple(reduce(np.minimum, (field.first[axis] for field in fields)) for axis in axes),
            tuple(reduce(np.maximum, (field.last[axis] for field in fields)) for axis in axes),
        )

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The longest field along each axis of the origin."""
        lengths = (last - first + 1 for first, last in zip(self.first, self.last, strict=True))
        return tuple(max(int(length.max()), 0) for length in lengths)


@dataclass(frozen=True)
class UnitGrid:
    """A layer's units as the cells of a map, in the same order, with a line for each of its axes.

    A flattened map keeps its grid; the grid of a dense layer's n units is 1 x 1 with n channels.
    """

    lines: tuple[ClosedForm, ClosedForm]
    shape: tuple[int, int, int]
    axes: int = 2
    """Those of the origin: 1 if it is a sequence, which is a map of one column."""

    @classmethod
    def of_origin(cls, shape: Shape) -> UnitGrid:
        """Every cell of a map or a sequence sees itself."""
        rows, cols = (ClosedForm((Hull(axis, 1, ((0, 0),), Fraction(0)),)) for axis in (0, 1))
        axes = unit_axes(shape)
        return cls((rows, cols), (shape[0], shape[1] if axes == 2 else 1, shape[-1]), axes)

    def bounds(self, shape: Shape) -> Bounds:
        """The tables, for units in the given shape."""
        back = Regroup(self.shape, shape)
        first, last = [], []
        for origin in range(self.axes):
            ends = [line.bounds(n, origin) for line, n in zip(self.lines, self.shape, strict=False)]
            places = ((-1, 1, 1), (1, -1, 1))
            tables = [
                (end[0].reshape(place), end[1].reshape(place))
                for end, place in zip(ends, places, strict=True)
                if end
            ] or [(np.full((1, 1, 1), FAR), np.full((1, 1, 1), -FAR))]
            first.append(back.forward(reduce(np.minimum, (table[0] for table in tables)), FIRST))
            last.append(back.forward(reduce(np.maximum, (table[1] for table in tables)), LAST))
        return Bounds(tuple(first), tuple(last))

    def after(self, step: Link, shape: Shape) -> UnitGrid | None:
        """The grid behind a step from units in `shape`; None if rows and columns are lost in it."""
        if isinstance(step, Regroup):
            return self
        if isinstance(step, Transpose):
            return self._transposed(step, shape)
        grid = self.as_map(shape)
        if grid is None:
            return self._vector_after(step, shape)
        height, width, channels = grid.shape
        if step.axis == 2:
            return UnitGrid(grid.lines, (height, width, step.after(shape)[2]), self.axes)
        if isinstance(step, Segment):
            return None
        lines, lengths = list(grid.lines), [height, width]
        lines[step.axis] = lines[step.axis].after(step, lengths[step.axis])
        lengths[step.axis] = step.after(shape)[step.axis]
        return UnitGrid((lines[0], lines[1]), (lengths[0], lengths[1], channels), self.axes)

    @property
    def constant(self) -> bool:
        """Whether all units see the same."""
        return all(line.constant for line in self.lines)

    def as_map(self, shape: Shape) -> UnitGrid | None:
        """The grid in the shape of a map, if rows and columns of that map are its own."""
        if shape == self.shape:
            return self
        if len(shape) == 3 and (self.constant or self.shape[:2] == (1, 1)):
            rows, cols = (line.all_of(1) for line in self.lines)
            return UnitGrid((rows, cols), (shape[0], shape[1], shape[2]), self.axes)
        return None

    def _vector_after(
        self, step: Slide | Spread | Resample | Gather | Expand, shape: Shape
    ) -> UnitGrid | None:
        """Steps in another shape than the map's.

        Its first axis may still be the rows; its last is all units, the channels, a whole row, or neither.
        """
        height, width, channels = self.shape
        if step.axis == 1 and len(shape) == 3 and shape[1] == 1 and step.after(shape) == shape:
            # The one column of a sequence.
            return self
        if step.axis == 0 and len(shape) > 1 and shape[0] == height and not isinstance(step, Segment):
            rows = self.lines[0].after(step, height)
            return UnitGrid((rows, self.lines[1]), (step.after(shape)[0], width, channels), self.axes)
        if step.axis != len(shape) - 1:
            return None
        if isinstance(step, Gather) and shape == (prod(self.shape),):
            rows, cols = (line.all_of(n) for line, n in zip(self.lines, (height, width), strict=True))
            return UnitGrid((rows, cols), (1, 1, 1), self.axes)
        if shape[-1] == channels:
            return UnitGrid(self.lines, (height, width, step.after(shape)[-1]), self.axes)
        if isinstance(step, Gather) and shape[0] == height and shape[-1] == width * channels:
            return UnitGrid((self.lines[0], self.lines[1].all_of(width)), (height, 1, 1), self.axes)
        return None

    def _transposed(self, step: Transpose, shape: Shape) -> UnitGrid | None:
        after = step.after(shape)
        if self.axes == 2 and (grid := self.as_map(shape)) and step.order == (1, 0, 2):
            return UnitGrid(grid.lines[::-1], (after[0], after[1], after[2]))
        if step.order[:2] == (0, 1) and shape[:2] == self.shape[:2]:
            return self
        return self if self.constant else None


Field = UnitGrid | Bounds
"""A layer's fields with borders ignored: in closed form where there is one."""


def after(field: Field, steps: Sequence[Link], shape: Shape) -> Field:
    """The fields of the units behind some steps from units in `shape`."""
    for step in steps:
        if isinstance(field, UnitGrid):
            grid = field.after(step, shape)
            field = grid or field.bounds(shape).after([step])
        else:
            field = field.after([step])
        shape = step.after(shape)
    return field


def union(fields: Sequence[Field], shape: Shape) -> Field:
    """The fields of units in `shape` that read several paths."""
    if len(fields) == 1:
        return fields[0]
    grids = [field for field in fields if isinstance(field, UnitGrid)]
    if len(grids) == len(fields):
        own = [grid.shape for grid in grids if not grid.constant] or [grids[0].shape]
        if len(set(own)) == 1:
            rows, cols = (join(hull for grid in grids for hull in grid.lines[axis].hulls) for axis in (0, 1))
            return UnitGrid((rows, cols), own[0], grids[0].axes)
    return Bounds.union([field.bounds(shape) if isinstance(field, UnitGrid) else field for field in fields])
