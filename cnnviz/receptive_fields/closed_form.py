"""Receptive fields in closed form along one axis: first and last cell as functions of the unit.

Borders are ignored: maps go on without end, as in the definition of Araujo, Norris and Sim,
"Computing Receptive Fields of Convolutional Neural Networks" (Distill, 2019), whose recurrences
these are. Transposed convolutions and resizing repeat a few functions in turn, one for each phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from math import gcd, inf, lcm
from typing import Any

import numpy as np

from cnnviz.layers.links import FAR, FIRST, LAST, Expand, Gather, Resample, Slide, Spread, over_taps
from cnnviz.ops.padding import Axis

Interval = tuple[int, int]
Ends = tuple[Interval | None, ...]

MOST_PHASES = 1 << 18
"""Fields that repeat themselves only after more units than this are not worked out."""


@dataclass(frozen=True)
class Hull:
    """The first and the last cell that each unit sees, over all paths of one stride.

    Unit p sees `ends[p]`, or nothing if that is None; unit p + len(ends) sees the same, `shift`
    cells further on. `center` is where unit 0's field is centred, None if paths disagree. Without
    transposed convolutions and resizing there is one phase, and the stride is the shift.
    """

    origin: int
    """The axis of the origin along which the cells are counted."""
    shift: int
    ends: Ends
    center: Fraction | None

    @cached_property
    def stride(self) -> Fraction:
        return Fraction(self.shift, len(self.ends))

    @cached_property
    def size(self) -> int:
        return max((end[1] - end[0] + 1 for end in self.ends if end), default=0)

    @cached_property
    def padding(self) -> Fraction:
        """The offset p of the definition: unit u's field is centred on -p + u*stride + (size - 1)/2.

        With several phases single fields lie up to half a cell off; the offset is that of their mean.
        """
        live = [(p, end) for p, end in enumerate(self.ends) if end]
        ends, places = sum(end[0] + end[1] for _, end in live), sum(p for p, _ in live)
        return Fraction(self.size - 1, 2) - (Fraction(ends, 2) - places * self.stride) / len(live)

    def at(self, u: int) -> Interval | None:
        """What unit u sees; any integer is a unit here."""
        period, phase = divmod(u, len(self.ends))
        end = self.ends[phase]
        return end and (end[0] + period * self.shift, end[1] + period * self.shift)

    def after(self, step: Slide | Spread | Resample | Gather | Expand, units: int) -> Hull:
        """The hull behind a step from `units` units."""
        match step:
            case Slide():
                return self.slide(step.window)
            case Spread():
                return self.spread(step.window)
            case Resample():
                return self.resample(step)
        return self.all_of(units)

    def slide(self, window: Axis) -> Hull:
        """The hull behind a convolution or pooling."""
        if window.extent == window.stride == 1 and window.before == 0:
            return self
        step = gcd(len(self.ends), window.stride)
        center = self._center(Fraction(window.extent - 1, 2) - window.before)
        shift = self.shift * window.stride // step
        if len(self.ends) == 1:
            both = self.at(-window.before), self.at(window.extent - 1 - window.before)
            return Hull(self.origin, shift, (_union(both),), center)
        periods = len(self.ends) // step
        cells = (periods - 1) * window.stride + window.extent
        lines = self.lines(-window.before, cells)
        ends = _ends_of(_over_taps(lines, window)[:, :: window.stride])
        return self._reduced(shift, ends, center)

    def spread(self, window: Axis) -> Hull:
        """The hull behind a transposed convolution, which reads u + before = i*stride + tap."""
        # Units stand at the multiples of the stride, with nothing between; the windows slide over that.
        start = window.before - window.extent + 1
        periods = _few(len(self.ends) * window.stride)
        cells = periods - 1 + window.extent
        first, last = -(-start // window.stride), (start + cells - 1) // window.stride
        near = self.lines(first, last - first + 1)
        lines = np.repeat(_nothing(near.dtype), cells, axis=1)
        lines[:, first * window.stride - start :: window.stride] = near
        ends = _ends_of(_over_taps(lines, window))
        center = (window.before - Fraction(window.extent - 1, 2)) / window.stride
        return self._reduced(self.shift, ends, self._center(center))

    def lines(self, first: int, units: int) -> np.ndarray:
        """The first and the last cells of `units` units from unit `first` on, as two rows.

        A unit that sees nothing has FAR and its negative; where the strides of many layers make numbers too
        large for int64 these are infinite, and the others Python's.
        """
        return self.lines_at(np.arange(first, first + units))

    def lines_at(self, places: np.ndarray) -> np.ndarray:
        """The same of units at these places."""
        count = len(self.ends)
        far = max(abs(end) for pair in (*self.ends, (0, 0)) if pair for end in pair)
        far += (int(np.abs(places).max(initial=0)) + count) // count * abs(self.shift)
        table = np.repeat(_nothing(np.dtype(np.int64 if far < FAR else object)), count, axis=1)
        for p, end in enumerate(self.ends):
            if end:
                table[:, p] = end
        seen = table[:, (places % count).astype(np.int64)]
        moved = seen + (places // count).astype(table.dtype) * self.shift
        return np.where(seen[0] > seen[1], seen, moved)

    def resample(self, step: Resample) -> Hull:
        """The hull behind a resizing, which repeats itself after as many units as its step has parts."""
        cells, units = step.step.as_integer_ratio()
        periods = len(self.ends) // gcd(len(self.ends), cells)
        both = step.all_without_borders(0, _few(periods * units))
        ends = _ends_of(_union_of_lines([self.lines_at(places) for places in both]))
        shift = self.shift * cells * periods // len(self.ends)
        return self._reduced(shift, ends, self._center(step.first))

    def all_of(self, units: int) -> Hull:
        """The hull of one unit that reads units 0 .. units-1, and of every unit beside it."""
        period = len(self.ends)
        edge = {*range(min(period, units)), *range(max(units - period, 0), units)}
        return Hull(self.origin, 0, (_union(map(self.at, edge)),), self._center(Fraction(units - 1, 2)))

    def _center(self, unit: Fraction | int) -> Fraction | None:
        return None if self.center is None else self.center + self.stride * unit

    def _reduced(self, shift: int, ends: Ends, center: Fraction | None) -> Hull:
        """With the shortest period."""
        for period in range(1, len(ends)):
            count, rest = divmod(len(ends), period)
            if rest == 0 and shift % count == 0:
                hull = Hull(self.origin, shift // count, ends[:period], center)
                if all(hull.at(p) == end for p, end in enumerate(ends)):
                    return hull
        return Hull(self.origin, shift, ends, center)


@dataclass(frozen=True)
class ClosedForm:
    """What the units along one axis of a layer see: a hull for each stride among the paths.

    Nearly always that is one. Branches of different strides, or one of them transposed, have more.
    """

    hulls: tuple[Hull, ...]

    def after(self, step: Slide | Spread | Resample | Gather | Expand, units: int) -> ClosedForm:
        """What is seen behind a step from `units` units."""
        return join(hull.after(step, units) for hull in self.hulls)

    def at(self, u: int, origin: int) -> Interval | None:
        """What unit u sees along an axis of the origin."""
        return _union(hull.at(u) for hull in self.hulls if hull.origin == origin)

    def all_of(self, units: int) -> ClosedForm:
        """What a unit sees that reads units 0 .. units-1."""
        return join(hull.all_of(units) for hull in self.hulls)

    @property
    def constant(self) -> bool:
        """Whether all units see the same."""
        return all(hull.shift == 0 and len(hull.ends) == 1 for hull in self.hulls)

    @property
    def hull(self) -> Hull | None:
        """The only hull, if the paths do not disagree on the stride."""
        return self.hulls[0] if len(self.hulls) == 1 else None

    @property
    def aligned(self) -> bool:
        return len(self.hulls) == 1 and self.hulls[0].center is not None

    def size(self, units: int) -> int | None:
        """The longest field, of any unit in one hull, of units 0 .. units-1 where strides differ."""
        if len(self.hulls) == 1:
            return self.hulls[0].size
        if len({hull.origin for hull in self.hulls}) > 1:
            return None
        if not self.hulls:
            return 0
        first, last = _union_of_lines([hull.lines(0, units) for hull in self.hulls])
        live = first <= last
        return int((last[live] - first[live]).max(initial=-1)) + 1

    def bounds(self, units: int, origin: int) -> tuple[np.ndarray, np.ndarray] | None:
        """First and last cells along an axis of the origin for units 0 .. units-1; None without a path."""
        hulls = [hull for hull in self.hulls if hull.origin == origin]
        if not hulls:
            return None
        first, last = _union_of_lines([hull.lines(0, units) for hull in hulls])
        return first, last


def join(hulls: Iterable[Hull]) -> ClosedForm:
    """The union of what several paths see; paths that see nothing are left out."""
    hulls = [hull for hull in hulls if any(hull.ends)]
    if len(hulls) == 1:
        return ClosedForm((hulls[0],))
    joined: dict[tuple[int, Fraction], Hull] = {}
    for hull in hulls:
        key = hull.origin, hull.stride
        joined[key] = _joined(joined[key], hull) if key in joined else hull
    return ClosedForm(tuple(joined[key] for key in sorted(joined)))


def _joined(a: Hull, b: Hull) -> Hull:
    if a == b:
        return a
    period = _few(lcm(len(a.ends), len(b.ends)))
    if period == 1:
        ends: Ends = (_union((*a.ends, *b.ends)),)
    else:
        ends = _ends_of(_union_of_lines([a.lines(0, period), b.lines(0, period)]))
    center = a.center if a.center == b.center else None
    return a._reduced(a.shift * (period // len(a.ends)), ends, center)


def _union(ends: Iterable[Interval | None]) -> Interval | None:
    live = [end for end in ends if end]
    return (min(end[0] for end in live), max(end[1] for end in live)) if live else None


def _union_of_lines(lines: Sequence[np.ndarray]) -> np.ndarray:
    firsts, lasts = zip(*lines, strict=True)
    return np.stack([reduce(np.minimum, firsts), reduce(np.maximum, lasts)])


def _few(phases: int) -> int:
    if phases > MOST_PHASES:
        raise ValueError(
            f"units see fields of which the first {phases} are all laid out differently, as its input is "
            f"enlarged so far; receptive fields are worked out up to {MOST_PHASES}"
        )
    return phases


def _nothing(dtype: np.dtype) -> np.ndarray:
    """A column of two: the ends of what a unit sees that sees nothing."""
    far: Any = FAR if dtype == np.int64 else inf
    return np.array([[far], [-far]], dtype)


def _over_taps(lines: np.ndarray, window: Axis) -> np.ndarray:
    """The first and last cells of all windows that start at an entry of the lines."""
    ends = zip(lines, (FIRST, LAST), strict=True)
    return np.stack([over_taps(line, window.kernel, window.dilation, rule) for line, rule in ends])


def _ends_of(lines: np.ndarray) -> Ends:
    return tuple((a, b) if a <= b else None for a, b in lines.T.tolist())
