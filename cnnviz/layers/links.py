"""Links: how the cells of one array feed the cells of the next, in a few moves that every layer is made of.

Each link carries values forwards (a unit gets the least, the largest or any of what it reads) and
marks backwards (a cell is marked if any unit that reads it is). Shapes have no batch axis. Arrays
are compact: along an axis on which nothing depends they have length 1 in place of the full one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import lcm, prod
from typing import Any, NamedTuple

import numpy as np

from cnnviz.ops.padding import Axis

Shape = tuple[int, ...]


class Rule(NamedTuple):
    """How a unit combines what it reads, and what it holds if it reads nothing."""

    combine: np.ufunc
    nothing: Any


FAR = 1 << 60
"""Beyond every cell. A unit that sees nothing has this as its first cell and its negative as its last."""

MOST_CELLS = 1 << 25
"""Arrays of more bytes than this are not made: of as many marks, or of an eighth as many numbers."""

FEW_TAPS = 3
"""Windows of so many cells are combined cell by cell, which is faster for them."""

FIRST = Rule(np.minimum, FAR)
LAST = Rule(np.maximum, -FAR)
ANY = Rule(np.logical_or, False)


@dataclass(frozen=True)
class Slide:
    """Windows along one axis: a convolution, a pooling, zero padding (one tap) or cropping."""

    axis: int
    window: Axis

    def after(self, shape: Shape) -> Shape:
        return _with(shape, self.axis, self.window.out)

    def forward(self, values: np.ndarray, rule: Rule) -> np.ndarray:
        return _carry(values, self.axis, self.window, rule)

    def backward(self, marks: np.ndarray) -> np.ndarray:
        return _carry(marks, self.axis, self.window, ANY, back=True)


class Segment(Slide):
    """One array's place along the axis on which several are concatenated."""


@dataclass(frozen=True)
class Spread:
    """A transposed convolution or an upsampling along one axis: `window` read backwards."""

    axis: int
    window: Axis

    def after(self, shape: Shape) -> Shape:
        return _with(shape, self.axis, self.window.size)

    def forward(self, values: np.ndarray, rule: Rule) -> np.ndarray:
        return _carry(values, self.axis, self.window, rule, back=True)

    def backward(self, marks: np.ndarray) -> np.ndarray:
        return _carry(marks, self.axis, self.window, ANY)


@dataclass(frozen=True, eq=False)
class Resample:
    """Resizing along one axis of `size` cells: unit u lies at first + u*step, between cells or near one.

    `cells` says which cells it reads there, borders and rounding included: a row for each unit. Entries
    outside the axis are padding or nothing.
    """

    axis: int
    size: int
    cells: np.ndarray
    first: Fraction
    step: Fraction
    between: bool
    """Whether a unit reads the cells on both sides, else the nearest."""
    radius: Fraction = Fraction(1)
    """How near the cells are that it reads then: nearer than this."""
    alone: bool = True
    """Whether a unit on the middle of a cell reads that cell only."""

    def without_borders(self, u: int) -> tuple[int, int]:
        """The first and the last cell that unit u reads if the axis goes on without end."""
        first, last = self.all_without_borders(u, 1)
        return int(first[0]), int(last[0])

    def all_without_borders(self, first: int, units: int) -> tuple[np.ndarray, np.ndarray]:
        """The same of so many units from unit `first` on: first cells, and last cells."""
        parts = lcm(self.first.denominator, self.step.denominator, self.radius.denominator, 2)
        start, step, radius = (int(number * parts) for number in (self.first, self.step, self.radius))
        largest = abs(start) + (abs(first) + units) * step + radius + parts
        # In parts of a cell, so that all of it are whole numbers.
        places = start + np.arange(first, first + units, dtype=np.int64 if largest < FAR else object) * step
        nearest = (places + parts // 2) // parts
        if not self.between:
            return nearest, nearest
        low, high = (places - radius) // parts + 1, -((-places - radius) // parts) - 1
        if not self.alone:
            return low, high
        on_cells = places % parts == 0
        return np.where(on_cells, nearest, low), np.where(on_cells, nearest, high)

    def after(self, shape: Shape) -> Shape:
        return _with(shape, self.axis, len(self.cells))

    def forward(self, values: np.ndarray, rule: Rule) -> np.ndarray:
        if values.shape[self.axis] == 1:
            return _where(np.asarray(self._inside.any(axis=1)), values, self.axis, rule)
        source = np.moveaxis(values, self.axis, 0)
        check_size(self._inside.shape + source.shape[1:], MOST_CELLS // source.itemsize)
        read = source[np.where(self._inside, self.cells, 0)]
        there = self._inside.reshape(self._inside.shape + (1,) * (values.ndim - 1))
        combined = rule.combine.reduce(np.where(there, read, rule.nothing), axis=1)
        return np.moveaxis(combined, 0, self.axis)

    def backward(self, marks: np.ndarray) -> np.ndarray:
        units, taps = np.nonzero(self._inside)
        cells = self.cells[units, taps]
        if marks.shape[self.axis] == 1:
            return _where(np.bincount(cells, minlength=self.size) > 0, marks, self.axis, ANY)
        out = np.zeros(_with(marks.shape, self.axis, self.size), bool)
        np.logical_or.at(np.moveaxis(out, self.axis, 0), cells, np.moveaxis(marks, self.axis, 0)[units])
        return out

    @cached_property
    def _inside(self) -> np.ndarray:
        return (self.cells >= 0) & (self.cells < self.size)


@dataclass(frozen=True)
class Gather:
    """One unit in place of a whole axis, which it reads completely."""

    axis: int

    def after(self, shape: Shape) -> Shape:
        return _with(shape, self.axis, 1)

    def forward(self, values: np.ndarray, rule: Rule) -> np.ndarray:
        return rule.combine.reduce(values, axis=self.axis, keepdims=True)

    def backward(self, marks: np.ndarray) -> np.ndarray:
        return marks


@dataclass(frozen=True)
class Expand:
    """`length` units that all read the one cell of an axis: broadcasting."""

    axis: int
    length: int

    def after(self, shape: Shape) -> Shape:
        return _with(shape, self.axis, self.length)

    def forward(self, values: np.ndarray, rule: Rule) -> np.ndarray:
        return values

    def backward(self, marks: np.ndarray) -> np.ndarray:
        return np.asarray(marks.any(axis=self.axis, keepdims=True))


@dataclass(frozen=True)
class Transpose:
    """Axes in another order: axis i of the result is axis order[i]."""

    order: tuple[int, ...]

    def after(self, shape: Shape) -> Shape:
        return tuple(shape[axis] for axis in self.order)

    def forward(self, values: np.ndarray, rule: Rule) -> np.ndarray:
        return values.transpose(self.order)

    def backward(self, marks: np.ndarray) -> np.ndarray:
        return marks.transpose(np.argsort(self.order))


@dataclass(frozen=True)
class Regroup:
    """The same cells in the same order, in other axes."""

    old: Shape
    new: Shape

    def after(self, shape: Shape) -> Shape:
        return self.new

    def forward(self, values: np.ndarray, rule: Rule) -> np.ndarray:
        return _reshape(values, self.old, self.new)

    def backward(self, marks: np.ndarray) -> np.ndarray:
        return _reshape(marks, self.new, self.old)


Link = Slide | Spread | Resample | Gather | Expand | Transpose | Regroup
Links = tuple[Link, ...]
"""From the cells of an input to the units of a layer."""


def forward(links: Sequence[Link], values: np.ndarray, rule: Rule) -> np.ndarray:
    """What units hold, `links` after the cells that hold `values`."""
    for link in links:
        values = link.forward(values, rule)
    return values


def backward(links: Sequence[Link], marks: np.ndarray) -> np.ndarray:
    """The cells that feed the marked units, `links` before them."""
    for link in reversed(links):
        marks = link.backward(marks)
    return marks


def after(links: Sequence[Link], shape: Shape) -> Shape:
    """The shape of what `links` lead to from an array of this shape."""
    for link in links:
        shape = link.after(shape)
    return shape


def mix(shape: Shape, axis: int, units: int | None = None) -> Links:
    """Links in which all units along an axis read all cells along it; `units` is their new number."""
    axis %= len(shape)
    return Gather(axis), Expand(axis, units or shape[axis])


def everything(shape: Shape, out: Shape) -> Links:
    """Links in which every unit of `out` reads all cells: the default where nothing is known of a layer.

    >>> after(everything((4, 4, 2), (3,)), (4, 4, 2))
    (3,)
    """
    cells, units = prod(shape), prod(out)
    return Regroup(shape, (cells,)), Gather(0), Expand(0, units), Regroup((units,), out)


def one_hot(shape: Shape, place: Sequence[int | None]) -> np.ndarray:
    """A compact array of marks at one place; None is a whole axis, and so are axes beyond `place`."""
    marks = np.ones((1,) * len(shape), bool)
    for axis, (length, index) in enumerate(zip(shape, place, strict=False)):
        if index is not None:
            marks = marks & _along(np.arange(length) == index, axis, len(shape))
    return marks


def positions(shape: Shape, axis: int) -> np.ndarray:
    """A compact array of each cell's position along one axis."""
    return _along(np.arange(shape[axis]), axis, len(shape))


def check_size(shape: Shape, most: int = MOST_CELLS) -> None:
    """ValueError for an array of more cells than are made: if nothing else is said, of one byte each."""
    if prod(shape) > most:
        raise ValueError(
            f"what units see takes a table of {' x '.join(map(str, shape))} cells; receptive fields are "
            f"worked out up to {most:,}"
        )


def _with(shape: Shape, axis: int, length: int) -> Shape:
    return (*shape[:axis], length, *shape[axis + 1 :])


def _along(vector: np.ndarray, axis: int, rank: int) -> np.ndarray:
    return vector.reshape((1,) * axis + (-1,) + (1,) * (rank - 1 - axis))


def _carry(values: np.ndarray, axis: int, window: Axis, rule: Rule, *, back: bool = False) -> np.ndarray:
    """Each window combines what it reads; or, `back`, each cell what the windows that read it hold."""
    if values.shape[axis] == 1:
        if _without_gaps(window, back):
            return values
        return _where(_reached(window, back), values, axis, rule)
    return np.moveaxis(_windows(np.moveaxis(values, axis, 0), window, rule, back), 0, axis)


def _windows(source: np.ndarray, window: Axis, rule: Rule, back: bool) -> np.ndarray:
    """`_carry` along the first axis, whose full length `source` has."""
    size, out, stride, dilation = window.size, window.out, window.stride, window.dilation
    length = size if back else out
    check_size((length, *source.shape[1:]), MOST_CELLS // source.itemsize)
    if window.kernel <= FEW_TAPS:
        return _tap_by_tap(source, window, rule, back)
    # The taps that reach a cell from any window: a window may be far larger than what it slides over.
    low = max(0, -((stride * (out - 1) - window.before) // dilation))
    high = min(window.kernel - 1, (window.before + size - 1) // dilation)
    if high < low or not length:
        return np.full((length, *source.shape[1:]), rule.nothing, source.dtype)
    extent = (high - low) * dilation
    if back:  # Cell c reads what stands at c + before - tap*dilation, with window i at i*stride.
        start, reach, step = window.before - high * dilation, size + extent, stride
    else:  # Window i reads the cells i*stride - before + tap*dilation.
        start, reach, step = low * dilation - window.before, (out - 1) * stride + 1 + extent, 1
    line = np.full((reach, *source.shape[1:]), rule.nothing, source.dtype)
    first = max(0, -(-start // step))
    last = min(len(source) - 1, (start + reach - 1) // step)
    if first <= last:
        line[first * step - start : last * step - start + 1 : step] = source[first : last + 1]
    combined = over_taps(line, high - low + 1, dilation, rule)
    return combined if back else combined[::stride]


def _tap_by_tap(source: np.ndarray, window: Axis, rule: Rule, back: bool) -> np.ndarray:
    length = window.size if back else window.out
    combined = np.full((length, *source.shape[1:]), rule.nothing, source.dtype)
    for tap in window.reading:
        inputs, outputs = window.tap(tap)
        read, filled = (outputs, inputs) if back else (inputs, outputs)
        combined[filled] = rule.combine(combined[filled], source[read])
    return combined


def over_taps(line: np.ndarray, taps: int, dilation: int, rule: Rule) -> np.ndarray:
    """Entry i combines entries i, i + dilation, ... of a line, `taps` of them, in log2(taps) steps.

    >>> over_taps(np.array([5, 3, 4, 8, 9]), 3, 1, FIRST).tolist()
    [3, 3, 4]
    """
    covered = 1
    while covered < taps:
        more = min(covered, taps - covered)
        line = rule.combine(line[: -more * dilation], line[more * dilation :])
        covered += more
    return line


def _where(live: np.ndarray, values: np.ndarray, axis: int, rule: Rule) -> np.ndarray:
    if live.all():
        return values
    check_size(_with(values.shape, axis, len(live)), MOST_CELLS // values.itemsize)
    return np.where(_along(live, axis, values.ndim), values, rule.nothing)


def _without_gaps(window: Axis, back: bool) -> bool:
    """Whether it is plain that every window reads a cell; or, `back`, that every cell is read."""
    last = (window.out - 1) * window.stride - window.before
    if window.dilation > 1 or not window.out:
        return False
    if back:
        reach = last + window.kernel >= window.size
        return window.before >= 0 and reach and window.stride <= window.kernel
    return window.before < window.kernel and last < window.size and window.size > -window.before


def _reached(window: Axis, back: bool) -> np.ndarray:
    """Which windows read at least one cell that is not padding; or, `back`, which cells any window reads."""
    return _windows(np.ones(window.out if back else window.size, bool), window, ANY, back)


def kept_ends(old: Shape, new: Shape) -> tuple[int, int]:
    """How many axes at the start and at the end a reshaping leaves as they are.

    >>> kept_ends((4, 5, 6, 7), (4, 30, 7))
    (1, 1)
    """
    least = min(len(old), len(new))
    head = next((i for i in range(least) if old[i] != new[i]), least)
    rest = least - head
    return head, next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)


def _reshape(values: np.ndarray, old: Shape, new: Shape) -> np.ndarray:
    """A compact array in another shape; axes that stay at either end stay compact."""
    head, tail = kept_ends(old, new)
    before, after = values.shape[:head], values.shape[len(old) - tail :]
    middle, target = old[head : len(old) - tail], new[head : len(new) - tail]
    if all(length == 1 for length in values.shape[head : len(old) - tail]):
        return values.reshape(before + (1,) * len(target) + after)
    check_size(before + middle + after, MOST_CELLS // values.itemsize)
    return np.broadcast_to(values, before + middle + after).reshape(before + target + after)
