"""Receptive fields in closed form along one axis: first and last cell as functions of the unit.

Borders are ignored: maps go on without end, as in the definition of Araujo, Norris and Sim,
"Computing Receptive Fields of Convolutional Neural Networks" (Distill, 2019), whose recurrences
these are. Transposed convolutions and resizing repeat a few functions in turn, one for each phase.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm

import numpy as np

from cnnviz.layers.links import FAR, Expand, Gather, Resample, Slide, Spread
from cnnviz.ops.padding import Axis

Interval = tuple[int, int]
Ends = tuple[Interval | None, ...]


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
        centers = [Fraction(sum(end), 2) - p * self.stride for p, end in live]
        return Fraction(self.size - 1, 2) - sum(centers, Fraction(0)) / len(live)

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
        taps = _taps(window, ends_only=len(self.ends) == 1)
        ends = tuple(
            _union(self.at(p * window.stride - window.before + tap) for tap in taps)
            for p in range(len(self.ends) // step)
        )
        center = self._center(Fraction(window.extent - 1, 2) - window.before)
        return self._reduced(self.shift * window.stride // step, ends, center)

    def spread(self, window: Axis) -> Hull:
        """The hull behind a transposed convolution, which reads u + before = i*stride + tap."""
        ends = tuple(
            _union(
                self.at((p + window.before - tap) // window.stride)
                for tap in _taps(window)
                if (p + window.before - tap) % window.stride == 0
            )
            for p in range(len(self.ends) * window.stride)
        )
        first = (window.before - Fraction(window.extent - 1, 2)) / window.stride
        return self._reduced(self.shift, ends, self._center(first))

    def resample(self, step: Resample) -> Hull:
        """The hull behind a resizing, which repeats itself after as many units as its step has parts."""
        cells, units = step.step.as_integer_ratio()
        periods = len(self.ends) // gcd(len(self.ends), cells)
        ends = tuple(_union(map(self.at, step.without_borders(p))) for p in range(periods * units))
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
        unions = (_union(hull.at(u) for hull in self.hulls) for u in range(units))
        return max((end[1] - end[0] + 1 for end in unions if end), default=0)

    def bounds(self, units: int, origin: int) -> tuple[np.ndarray, np.ndarray] | None:
        """First and last cells along an axis of the origin for units 0 .. units-1; None without a path."""
        hulls = [hull for hull in self.hulls if hull.origin == origin]
        if not hulls:
            return None
        ends = [_union(hull.at(u) for hull in hulls) or (FAR, -FAR) for u in range(units)]
        table = np.array(ends, np.int64).reshape(units, 2)
        return table[:, 0], table[:, 1]


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
    period = lcm(len(a.ends), len(b.ends))
    ends = tuple(_union((a.at(p), b.at(p))) for p in range(period))
    center = a.center if a.center == b.center else None
    return a._reduced(a.shift * (period // len(a.ends)), ends, center)


def _union(ends: Iterable[Interval | None]) -> Interval | None:
    live = [end for end in ends if end]
    return (min(end[0] for end in live), max(end[1] for end in live)) if live else None


def _taps(window: Axis, ends_only: bool = False) -> Iterable[int]:
    taps = range(0, window.extent, window.dilation)
    return {taps[0], taps[-1]} if ends_only else taps
