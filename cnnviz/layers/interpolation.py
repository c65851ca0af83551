"""How units along one axis are made of its cells when images are brought to another size.

Follows TensorFlow's kernels (tensorflow/core/kernels/image: resize_bilinear_op.cc, resize_bicubic_op.cc,
resize_area_op.cc, scale_and_translate_op.cc, with half_pixel_centers), which place and weigh in float32
whatever the dtype: else a unit close to a cell's middle or border would read another cell. Keys, "Cubic
convolution interpolation for digital image processing", IEEE TASSP 29 (1981); Duchon, "Lanczos filtering in
one and two dimensions", Journal of Applied Meteorology 18 (1979).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cnnviz.layers.activations import ELEMENTARY
from cnnviz.layers.links import Resample

f32 = np.float32
INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area")
"""Those that Keras has, its default first."""
NOWHERE = -(1 << 30)
"""A cell outside every axis: what a unit that reads fewer cells than others has in their place."""


class Span(NamedTuple):
    """The cells that become `units` along an axis of `size` cells: `length` of them, from `start` on.

    Those outside the axis are padding.
    """

    size: int
    start: int
    length: int
    units: int

    @property
    def step(self) -> Fraction:
        """How far units lie apart, in cells."""
        return Fraction(self.length, self.units)

    @property
    def first(self) -> Fraction:
        """Where unit 0 lies, counted from the middle of cell 0."""
        return self.start + (self.step - 1) / 2


@dataclass(frozen=True, eq=False)
class Samples:
    """What the units along one axis are made of: from cell `lower`, a `share` of the way to cell `upper`."""

    span: Span
    lower: np.ndarray
    upper: np.ndarray
    share: np.ndarray
    between: bool
    """Whether a unit may lie between two cells; else all shares are 0."""

    @property
    def roundings(self) -> int:
        """How many roundings a unit goes through along this axis."""
        return 3 if self.between else 0

    @property
    def most(self) -> int:
        """How many cells a unit can read."""
        return 2 if self.between else 1

    def of(self, x: np.ndarray, axis: int, fill: float, *, magnitude: bool = False) -> np.ndarray:
        """The units of x, with `fill` in the padding; or the magnitudes of the terms that are added up."""
        lower = _taken(x, self.lower, axis, fill)
        if not self.between:
            return lower
        upper = _taken(x, self.upper, axis, fill)
        share = _along(self.share.astype(x.dtype), axis, x.ndim)
        return lower + (upper + lower if magnitude else upper - lower) * share

    def reads(self, unit: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """The cells that a unit reads, and their weights."""
        share = self.share[unit].astype(dtype)
        if not share:
            return self.lower[unit : unit + 1], np.ones(1, dtype)
        return np.array([self.lower[unit], self.upper[unit]]), np.array([1 - share, share])

    @property
    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """The cells that each unit reads, and their weights: (units, 2)."""
        cells = np.stack([self.lower, self.upper], axis=1)
        return cells, np.stack([1 - self.share, self.share], axis=1)

    def matrix(self, dtype: np.dtype, *, magnitude: bool = False) -> np.ndarray:
        """(size, units): the weight of each cell in each unit, none of which is negative."""
        share = self.share.astype(dtype)
        return _matrix(self.span, [(self.lower, 1 - share), (self.upper, share)], dtype)

    def link(self, axis: int) -> Resample:
        """Which cells the units read, a row for each; -1 where there is no second one."""
        table = np.stack([self.lower, np.where(self.share > 0, self.upper, -1)], axis=1)
        return Resample(axis, self.span.size, table, self.span.first, self.span.step, self.between)


@dataclass(frozen=True, eq=False)
class WeightedCells:
    """The same for units that are weighted sums: of `cells`, with `weights`, a row for each unit.

    A weight that is 0 belongs to no cell. `radius` is how far from its place a unit reads; `alone` says
    that one on the middle of a cell reads that cell only.
    """

    span: Span
    cells: np.ndarray
    weights: np.ndarray
    radius: Fraction
    alone: bool
    between = True

    @property
    def roundings(self) -> int:
        """A product and a sum for each cell."""
        return 2 * self.most

    @property
    def most(self) -> int:
        """How many cells a unit can read."""
        return self.cells.shape[1]

    @property
    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """The cells that each unit reads, and their weights: (units, taps)."""
        return self.cells, self.weights

    def of(self, x: np.ndarray, axis: int, fill: float, *, magnitude: bool = False) -> np.ndarray:
        """The units of x, with `fill` in the padding; or the magnitudes of the terms that are added up."""
        weights = (self._sizes if magnitude else self.weights).astype(x.dtype)
        total = None
        for cells, weight in zip(self.cells.T, weights.T, strict=True):
            term = _taken(x, cells, axis, fill) * _along(weight, axis, x.ndim)
            # What does not belong to a unit must not make it NaN.
            np.moveaxis(term, axis, 0)[weight == 0] = 0
            total = term if total is None else total + term
        assert total is not None
        return total

    @property
    def _sizes(self) -> np.ndarray:
        """The magnitude of each weight, and what it is off by itself, shared out among the roundings.

        A weight, two sines of angles that are rounded, is off by some roundings of the largest of its unit.
        """
        sizes = np.abs(self.weights)
        off = f32(4 * ELEMENTARY / self.roundings) * sizes.max(axis=1, keepdims=True)
        return np.where(self.weights == 0, f32(0), sizes + off)

    def reads(self, unit: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """The cells that a unit reads, and their weights."""
        there = self.weights[unit] != 0
        return self.cells[unit, there], self.weights[unit, there].astype(dtype)

    def matrix(self, dtype: np.dtype, *, magnitude: bool = False) -> np.ndarray:
        """(size, units): the weight of each cell in each unit, or its magnitude."""
        weights = (self._sizes if magnitude else self.weights).astype(dtype)
        return _matrix(self.span, zip(self.cells.T, weights.T, strict=True), dtype)

    def link(self, axis: int) -> Resample:
        """Which cells the units read, a row for each."""
        table = np.where(self.weights != 0, self.cells, NOWHERE)
        places = self.span.first, self.span.step
        return Resample(axis, self.span.size, table, *places, True, self.radius, self.alone)


def _matrix(span: Span, taps: object, dtype: np.dtype) -> np.ndarray:
    table = np.zeros((span.size, span.units), dtype)
    for cells, weights in taps:  # type: ignore[attr-defined]
        (inside,) = np.nonzero((cells >= 0) & (cells < span.size))
        table[cells[inside], inside] += weights[inside]
    return table


def _along(vector: np.ndarray, axis: int, rank: int) -> np.ndarray:
    return vector.reshape([-1 if i == axis else 1 for i in range(rank)])


def _taken(x: np.ndarray, cells: np.ndarray, axis: int, fill: float) -> np.ndarray:
    """Cells along an axis, with `fill` for those outside."""
    inside = (cells >= 0) & (cells < x.shape[axis])
    values = np.take(x, np.where(inside, cells, 0), axis)
    if not inside.all():
        np.moveaxis(values, axis, 0)[~inside] = fill
    return values


def most_taps(span: Span, interpolation: str, antialias: bool = False) -> int:
    """How many cells a unit can read, without working out which.

    >>> most_taps(Span(size=100, start=0, length=100, units=10), "bilinear", antialias=True)
    22
    """
    step = -(-span.length // span.units)
    if interpolation == "area":
        return step + 2
    if interpolation in FILTERS and (antialias or interpolation.startswith("lanczos")):
        return 2 * FILTERS[interpolation][0] * (step if antialias else 1) + 2
    return {"nearest": 1, "bilinear": 2}.get(interpolation, 4)


@lru_cache(maxsize=256)
def samples(span: Span, interpolation: str, antialias: bool = False) -> Samples | WeightedCells:
    """Where units lie: unit u at (u + 1/2) * length / units, in which cell i is the one from i to i + 1.

    >>> thirds = samples(Span(size=2, start=0, length=2, units=3), "bilinear")
    >>> thirds.lower.tolist(), thirds.upper.tolist(), thirds.share.tolist()
    ([0, 0, 1], [0, 1, 1], [0.0, 0.5, 0.0])
    """
    if interpolation == "area":
        return _areas(span)
    if interpolation in FILTERS and (antialias or interpolation.startswith("lanczos")):
        return _filtered(span, interpolation, antialias)
    if interpolation == "bicubic":
        return _cubic(span)
    step = f32(span.length) / f32(span.units)
    place = (np.arange(span.units, dtype=f32) + f32(0.5)) * step
    between = interpolation == "bilinear" and span.length != span.units
    if between:
        # From here on counted from the middle of cell 0.
        place -= f32(0.5)
    floor, last = np.floor(place), span.length - 1
    upper = np.minimum(np.ceil(place) if between else floor, last).astype(int)
    lower = np.minimum(np.maximum(floor, 0).astype(int), upper)
    share = np.where(lower < upper, place - floor, f32(0))
    return Samples(span, lower + span.start, upper + span.start, share, between)


def _weighted(
    span: Span, cells: np.ndarray, weights: np.ndarray, radius: Fraction, alone: bool
) -> WeightedCells:
    return WeightedCells(span, cells + span.start, weights.astype(f32), radius, alone)


def _normalised(cells: np.ndarray, weights: np.ndarray, span: Span) -> np.ndarray:
    """The weights of the cells that there are, which add up to 1."""
    weights = np.where((cells >= 0) & (cells < span.length), weights, f32(0))
    total = np.zeros(span.units, f32)
    for weight in weights.T:
        total += weight
    return weights * (f32(1) / total)[:, None]


# Keys's cubic, from a table ---------------------------------------------------------------------

PARTS = 1024
"""TensorFlow rounds places to this part of a cell."""


def _cubic(span: Span) -> WeightedCells:
    """The four cells around a place."""
    step = f32(span.length) / f32(span.units)
    place = (np.arange(span.units, dtype=f32) + f32(0.5)) * step - f32(0.5)
    floor = np.floor(place)
    part = np.rint((place - floor) * f32(PARTS)).astype(int)
    cells = floor.astype(int)[:, None] + np.arange(-1, 3)
    near = np.arange(PARTS + 1, dtype=f32) / f32(PARTS)
    within, beyond = _keys(near, near < 2), _keys(near + f32(1), near < 0)
    table = np.stack([beyond[part], within[part], within[PARTS - part], beyond[PARTS - part]], axis=1)
    return _weighted(span, cells, _normalised(cells, table, span), Fraction(2), True)


def _keys(x: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Keys's kernel with a = -1/2 at a distance x from 0 to 2, `within` the first cell."""
    a = f32(-0.5)
    inner = ((a + 2) * x - (a + 3)) * x * x + 1
    outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(within, inner, outer)


# Filters ----------------------------------------------------------------------------------------


def _lanczos(x: np.ndarray, radius: int) -> np.ndarray:
    pi = f32(3.14159265359)
    with np.errstate(all="ignore"):
        wave = f32(radius) * np.sin(pi * x) * np.sin(pi * x / f32(radius)) / (pi * pi * x * x)
    return np.where(x > radius, f32(0), np.where(x <= f32(1e-3), f32(1), wave))


FILTERS: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "bilinear": (1, lambda x: np.maximum(1 - x, 0)),
    "bicubic": (2, lambda x: np.where(x >= 2, f32(0), _keys(x, x < 1))),
    "lanczos3": (3, lambda x: _lanczos(x, 3)),
    "lanczos5": (5, lambda x: _lanczos(x, 5)),
}
"""Each with its radius, and its weight at a distance that is not negative."""


def _filtered(span: Span, interpolation: str, antialias: bool) -> WeightedCells:
    """All cells within the radius of a filter, which is made as wide as a unit's share against aliases."""
    radius, kernel = FILTERS[interpolation]
    step = f32(1 / float(f32(span.units) / f32(span.length)))
    wide = max(step, f32(1)) if antialias else f32(1)
    place = (np.arange(span.units, dtype=f32) + f32(0.5)) * step
    reach = f32(radius) * wide
    first = np.ceil(place - reach - f32(0.5)).astype(int)
    last = np.floor(place + reach - f32(0.5)).astype(int)
    cells = first[:, None] + np.arange(int((last - first).max(initial=0)) + 1)
    distance = np.abs(cells.astype(f32) + f32(0.5) - place[:, None])
    weights = np.where(cells <= last[:, None], kernel(distance * (f32(1) / wide)), f32(0))
    scale = max(span.step, Fraction(1)) if antialias else Fraction(1)
    return _weighted(span, cells, _normalised(cells, weights, span), radius * scale, scale == 1)


def _areas(span: Span) -> WeightedCells:
    """All cells that a unit covers, by how much of each."""
    step = f32(span.length) / f32(span.units)
    start = np.arange(span.units, dtype=f32) * step
    end = np.arange(1, span.units + 1, dtype=f32) * step
    first, behind = np.floor(start).astype(int), np.ceil(end).astype(int)
    cells = first[:, None] + np.arange(int((behind - first).max(initial=0)))
    covered = np.minimum(cells.astype(f32) + f32(1), end[:, None]) - np.maximum(cells, start[:, None])
    covered = np.where(cells < behind[:, None], covered.astype(f32), f32(0)) * (f32(1) / step)
    # TensorFlow takes the last cell again where rounding leads beyond it.
    inside = np.minimum(cells, span.length - 1)
    return _weighted(span, inside, covered, (span.step + 1) / 2, False)
