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
from operator import or_

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
    Rule,
    Segment,
    Shape,
    Slide,
    Spread,
    Transpose,
    check_size,
    positions,
)
from cnnviz.receptive_fields.closed_form import ClosedForm, Hull, join
from cnnviz.receptive_fields.marks import Marks

MOST_TABLE_CELLS = 1 << 22
"""Rows and columns of units, of all layers together, that tables of first and last cells are made for."""


def unit_axes(shape: Shape) -> int:
    """How many axes tell a layer's units apart: all but the channels', a vector's only one.

    >>> unit_axes((24, 24, 10)), unit_axes((10,)), unit_axes(())
    (2, 1, 0)
    """
    return max(len(shape) - 1, min(len(shape), 1))


@dataclass(frozen=True, eq=False)
class Bounds:
    """The first and the last cell that every unit sees, along each axis of the origin: compact arrays.

    They hold for the units that see anything, which `live` marks. Along an axis on which the cells depend, a
    unit that sees nothing has a last cell before its first; whether it sees nothing along another axis is
    left to `live`, so that rows stay rows.
    """

    first: tuple[np.ndarray, ...]
    last: tuple[np.ndarray, ...]
    live: Marks

    @classmethod
    def of_origin(cls, shape: Shape) -> Bounds:
        """Every cell sees itself."""
        cells = tuple(positions(shape, axis) for axis in range(unit_axes(shape)))
        return cls(cells, cells, Marks.everywhere(shape))

    def after(self, steps: Sequence[Link]) -> Bounds:
        return Bounds(
            tuple(_moved(steps, values, FIRST) for values in self.first),
            tuple(_moved(steps, values, LAST) for values in self.last),
            self.live.forward(tuple(steps)),
        )

    @staticmethod
    def union(fields: Sequence[Bounds]) -> Bounds:
        if len(fields) == 1:
            return fields[0]
        axes = range(len(fields[0].first))
        return Bounds(
            tuple(_united([(field.first[axis], field.live) for field in fields], FIRST) for axis in axes),
            tuple(_united([(field.last[axis], field.live) for field in fields], LAST) for axis in axes),
            reduce(or_, (field.live for field in fields)),
        )

    @cached_property
    def ends(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """First and last cells along each axis of the origin; the last before the first without `live`."""
        return [self._ends_along(axis) for axis in range(len(self.first))]

    def _ends_along(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        first, last = self.first[axis], self.last[axis]
        return self.live.where(first, FIRST.nothing), self.live.where(last, LAST.nothing)

    def of_live(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """First and last cells along an axis of the origin; units that see nothing count only in one line.

        In a table they would hide what the others in their row or column see.
        """
        first, last = self.first[axis], self.last[axis]
        in_one_line = sum(size > 1 for size in np.broadcast_shapes(first.shape, last.shape)) < 2
        return (first, last) if in_one_line else self._ends_along(axis)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The longest field along each axis of the origin."""
        if not self.live.products:
            return (0,) * len(self.first)
        lengths = (last - first + 1 for first, last in map(self.of_live, range(len(self.first))))
        return tuple(max(int(length.max()), 0) for length in lengths)


def _moved(steps: Sequence[Link], values: np.ndarray, rule: Rule) -> np.ndarray:
    """Values behind some steps; those that are the same along a step's axis stay so."""
    for step in steps:
        if not isinstance(step, Slide | Spread | Resample) or values.shape[step.axis] > 1:
            values = step.forward(values, rule)
    return values


def _united(paths: Sequence[tuple[np.ndarray, Marks]], rule: Rule) -> np.ndarray:
    """What units hold that read several paths, each of them with its own live units."""
    (values, _), *others = paths
    check_size(np.broadcast_shapes(*(each.shape for each, _ in paths)), MOST_TABLE_CELLS)
    if all(np.array_equal(values, other) for other, _ in others):
        return values
    return reduce(rule.combine, (live.where(values, rule.nothing) for values, live in paths))


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

    def at(self, place: tuple[int, int], origin: int) -> tuple[int, int] | None:
        """What one unit, at a row and column of the grid, sees along an axis of the origin."""
        ends = [line.at(u, origin) for line, u in zip(self.lines, place, strict=True)]
        live = [end for end in ends if end]
        return (min(end[0] for end in live), max(end[1] for end in live)) if live else None

    def bounds(self, shape: Shape) -> Bounds:
        """The tables, for units in the given shape."""
        # In the order of the grid one array holds rows, and another one columns.
        check_size((max(self.shape[:2]),) if shape == self.shape else self.shape[:2], MOST_TABLE_CELLS)
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
        return Bounds(tuple(first), tuple(last), Marks.everywhere(shape))

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
