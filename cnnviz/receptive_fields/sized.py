"""SizedField: what the units of one layer see of another in a graph whose sizes are all known.

Behind it are the closed form for sizes, strides and centres, marks carried through the graph for
boxes and exact cells, and tables for what all units see. Answers for several graphs are compared in `field`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.ops.padding import integer
from cnnviz.receptive_fields.closed_form import ClosedForm, Hull
from cnnviz.receptive_fields.extents import Bounds, UnitGrid, unit_axes
from cnnviz.receptive_fields.graph import Graph, Node
from cnnviz.receptive_fields.marks import Marks

Interval = tuple[int, int]
"""First and last row or column, both included; (0, -1) if there is none."""
Box = tuple[Interval, ...]
"""((top, bottom), (left, right)), both ends included; ((first, last),) in a vector."""
Segment = tuple[int | None, ...]

NOTHING: Interval = (0, -1)


class MisalignedError(ValueError):
    """Branches that join disagree on where a unit's receptive field is centred."""


class SizedField:
    """The units of node `node` and what they see of node `origin`, by their indices in `graph`."""

    def __init__(self, graph: Graph, node: int, origin: int) -> None:
        self.graph = graph
        self._index, self._origin_index = node, origin
        self.node, self.origin = graph.nodes[node], graph.nodes[origin]

    # Theory -------------------------------------------------------------------------------------

    @cached_property
    def grid(self) -> UnitGrid | None:
        """The closed form, if the layer is a map or a sequence, or what became of one."""
        field = self.graph.theory(self._origin_index)[self._index]
        if isinstance(field, Bounds):
            return None
        return field.as_map(self.node.shape) if len(self.node.shape) == 3 else field

    @cached_property
    def lines(self) -> list[tuple[ClosedForm, int]] | None:
        """What rows and columns of units see, and how many there are; a vector's in the origin's order."""
        if self.grid is None:
            return None
        rows, cols = zip(self.grid.lines, self.grid.shape, strict=False)
        hulls = [line.hull for line in self.grid.lines]
        crossed = [hull.origin for hull in hulls if hull] == [1, 0]
        lines = [cols, rows] if crossed and len(self.node.shape) != 3 else [rows, cols]
        return lines[: self.grid.axes]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        sizes = [line.size(units) for line, units in self.lines or ()]
        known = tuple(size for size in sizes if size is not None)
        return known if len(known) == unit_axes(self.origin.shape) else self.bounds(clip=False).sizes

    @property
    def strides(self) -> tuple[Fraction | None, ...]:
        return tuple(None if hull is None else hull.stride for hull in self._hulls)

    @property
    def paddings(self) -> tuple[Fraction | None, ...]:
        return tuple(None if hull is None else hull.padding for hull in self._hulls)

    @property
    def aligned(self) -> bool:
        return self.grid is not None and all(line.aligned for line in self.grid.lines)

    def center(self, place: Segment) -> tuple[float, ...]:
        """The centre of a unit's field along each axis of the origin."""
        if self.grid is None or not self.aligned:
            raise MisalignedError(
                f"units of {self.node.name!r} have no common centre on {self.origin.name!r}: "
                f"paths to them, or their axes, disagree on strides or centres"
            )
        at = (0, 0) if self.grid.constant else self._grid_place(place, self.grid)
        centers = {}
        for line, u in zip(self.grid.lines, at, strict=True):
            assert line.hull is not None
            assert line.hull.center is not None
            centers[line.hull.origin] = float(line.hull.center + u * line.hull.stride)
        return tuple(centers[axis] for axis in range(self.grid.axes))

    # Units --------------------------------------------------------------------------------------

    def bounds(self, clip: bool) -> Bounds:
        """First and last cells of all units."""
        return self.graph.bounds(self._origin_index)[self._index] if clip else self._unclipped

    @cached_property
    def _unclipped(self) -> Bounds:
        field = self.graph.theory(self._origin_index)[self._index]
        return field.bounds(self.node.shape) if isinstance(field, UnitGrid) else field

    @cached_property
    def _seeing(self) -> Bounds | None:
        """First and last cells of all units, where that is little to keep and each of them sees something."""
        bounds = self.bounds(clip=True) if self.graph.small else None
        return bounds if bounds is not None and bounds.live.whole else None

    def box(self, place: Segment, clip: bool) -> Box:
        axes = range(unit_axes(self.origin.shape))
        if clip:
            seeing = None if None in place else self._seeing
            if seeing is None:
                return self.marks(place).box(len(axes))
            ends = [_ends(seeing, axis, place) for axis in axes]
        elif self.grid is not None and None not in place:
            ends = [self.grid.at(self._grid_place(place, self.grid), axis) or NOTHING for axis in axes]
        else:
            ends = [_ends(self._unclipped, axis, place) for axis in axes]
        return (NOTHING,) * len(ends) if NOTHING in ends else tuple(ends)

    def interval(self, axis: int, u: int, clip: bool) -> Interval:
        along, place = self.axis_seen(axis), self.line_of_units(axis, u)
        return self.box(place, clip)[along] if clip else _ends(self._unclipped, along, place)

    def intervals(self, axis: int, clip: bool) -> np.ndarray:
        along, own = self.axis_seen(axis), self._own_axis(axis)
        others = tuple(i for i in range(len(self.node.shape)) if i != own)
        bounds = self.bounds(clip)
        first, last = bounds.of_live(along)
        table = np.empty((self.node.shape[own], 2), int)
        table[:, 0], table[:, 1] = first.min(axis=others), last.max(axis=others)
        dead = (table[:, 0] > table[:, 1]) | ~bounds.live.along(own)
        return np.where(dead[:, np.newaxis], NOTHING, table)

    def cells(self, axis: int, u: int) -> tuple[int, ...]:
        along = self.axis_seen(axis)
        return tuple(np.flatnonzero(self.marks(self.line_of_units(axis, u)).along(along)).tolist())

    def mask(self, place: Segment) -> np.ndarray:
        return self.marks(place).mask(unit_axes(self.origin.shape))

    def marks(self, place: Segment) -> Marks:
        """The cells of the origin that reach a unit."""
        return self.feeding(place)[self._origin_index]

    def feeding(self, place: Segment) -> dict[int, Marks]:
        """The cells, of all layers from the origin on, that reach a unit."""
        return self.graph.feeding(self._index, place, self._origin_index)

    def projective_box(self, place: Segment) -> Box:
        return self._fed(place).box(unit_axes(self.node.shape))

    def projective_mask(self, place: Segment) -> np.ndarray:
        return self._fed(place).mask(unit_axes(self.node.shape))

    def _fed(self, place: Segment) -> Marks:
        _check_countable(self.node)
        return self.graph.fed(self._origin_index, place)[self._index]

    # Axes and indices ---------------------------------------------------------------------------

    @cached_property
    def axes(self) -> tuple[int, ...]:
        """The axis of the origin along which each axis of the layer runs; a vector has the origin's."""
        last = unit_axes(self.origin.shape) - 1
        axes = list(range(last + 1 if len(self.node.shape) == 1 else unit_axes(self.node.shape)))
        if self.lines is not None and len(self.node.shape) == 3:
            for axis, (line, _) in enumerate(self.lines):
                origins = {hull.origin for hull in line.hulls}
                axes[axis] = origins.pop() if len(origins) == 1 else axis
        return tuple(min(axis, last) for axis in axes)

    def axis_seen(self, axis: int) -> int:
        """The axis of the origin along which an axis of the layer runs, checked."""
        _check_countable(self.node)
        if axis not in range(len(self.axes)):
            raise ValueError(f"axis must be {' or '.join(map(str, range(len(self.axes))))}, got {axis!r}")
        return self.axes[axis]

    def line_of_units(self, axis: int, u: int) -> Segment:
        """The place of all units of one row or column; in a vector, of one unit."""
        own = self._own_axis(axis)
        place: list[int | None] = [None] * unit_axes(self.node.shape)
        place[own] = _checked(u, own, self.node)
        return tuple(place)

    def _own_axis(self, axis: int) -> int:
        return axis if unit_axes(self.node.shape) > 1 else 0

    @property
    def _hulls(self) -> Sequence[Hull | None]:
        return [None] * len(self.sizes) if self.lines is None else [line.hull for line, _ in self.lines]

    def _grid_place(self, place: Segment, grid: UnitGrid) -> tuple[int, int]:
        """The row and column of a unit in the map that the layer is, or is made of."""
        if None in place:
            raise ValueError(f"center needs one unit of {self.node.name!r}, got {place_name(place)}")
        inner = (0,) * (len(self.node.shape) - len(place))
        flat = np.ravel_multi_index((*place, *inner), self.node.shape)  # type: ignore[arg-type]
        row, col, _ = np.unravel_index(flat, grid.shape)
        return int(row), int(col)


def place_in(node: Node, row: int | None, col: int | None, unit: Any) -> Segment:
    """A unit's indices from the arguments row and col, or unit; all None for the whole layer."""
    count = unit_axes(node.shape)
    wanted = {1: "one index, unit", 2: "a row and a col"}.get(count, f"unit, a tuple of {count} indices")
    indices: tuple[Any, ...] = (row, col)
    if unit is not None:
        indices = tuple(unit) if isinstance(unit, Sequence) else (unit,)
    elif row is None and col is None:
        return (None,) * count
    elif count == 1 and col is None:
        indices = (row,)
    _check_countable(node)
    if len(indices) != count or None in indices:
        raise ValueError(f"a unit of {node.name!r} {node.shape} has {wanted}, got {place_name(indices)}")
    return tuple(_checked(i, axis, node) for axis, i in enumerate(indices))


def _check_countable(node: Node) -> None:
    if not node.countable:
        raise ValueError(
            f"the units of {node.name!r} are not known: give the layers before it their filters or units"
        )


def place_name(place: Sequence[Any]) -> str:
    return "no index" if set(place) <= {None} else f"({', '.join(map(str, place))})"


def _checked(u: int, axis: int, node: Node) -> int:
    names = ("row", "column") if unit_axes(node.shape) == 2 else ("unit",)
    name = names[min(axis, len(names) - 1)]
    u = integer(u, name)
    if not 0 <= u < node.shape[axis]:
        raise IndexError(f"{name} {u} is outside 0 .. {node.shape[axis] - 1} of {node.name!r} {node.shape}")
    return u


def _ends(bounds: Bounds, axis: int, place: Segment) -> Interval:
    """The first and last cell along an axis of the origin that reach the units at a place."""
    if not bounds.live.any_at(place):
        return NOTHING
    low = int(_at(bounds.first[axis], place).min())
    high = int(_at(bounds.last[axis], place).max())
    return (low, high) if low <= high else NOTHING


def _at(values: np.ndarray, place: Segment) -> np.ndarray:
    """The entries of a compact array at a place."""
    lengths = zip(place, values.shape, strict=False)
    return values[tuple(slice(None) if u is None or length == 1 else u for u, length in lengths)]
