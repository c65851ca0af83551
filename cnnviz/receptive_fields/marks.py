"""Marks: the cells of one layer that reach a unit, or the units that a cell reaches, as they pass on.

Over one path these are a product, some rows x some columns, which takes rows + columns to keep and to move,
not rows x columns. Paths that join make a union of products. Nearly always one contains the others or they
differ in one axis alone, so that a single product is left; where many remain they become one full table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from cnnviz.layers.links import (
    ANY,
    MOST_CELLS,
    Links,
    Regroup,
    Resample,
    Shape,
    Slide,
    Spread,
    check_size,
    kept_ends,
    one_hot,
)

Product = dict[tuple[int, ...], np.ndarray]
"""Compact bool arrays by the axes along which they are longer than 1, which no two of them share.

A cell is marked if all arrays mark it; without any, all cells are.
"""

MOST_PRODUCTS = 8
"""So many products are kept side by side before they become a full table."""


@dataclass(frozen=True, eq=False)
class Marks:
    """Marked cells of an array of a shape."""

    shape: Shape
    products: tuple[Product, ...]

    @classmethod
    def at(cls, shape: Shape, place: Sequence[int | None]) -> Marks:
        """The cells at a place; None is a whole axis, and so are axes beyond `place`."""
        lines = []
        for axis, index in enumerate(place):
            alone: list[int | None] = [None] * len(shape)
            alone[axis] = index
            lines.append(one_hot(shape, alone))
        return cls(shape, _union([_product(lines)], shape))

    @property
    def whole(self) -> bool:
        """Whether all cells are marked."""
        return self.products == ({},)

    @classmethod
    def everywhere(cls, shape: Shape) -> Marks:
        """All cells."""
        return cls(shape, ({},))

    def forward(self, links: Links) -> Marks:
        """The units that read a marked cell, `links` after the cells."""
        marks = self
        for link in links:
            moved = (_moved(product, link, marks.shape, back=False) for product in marks.products)
            marks = Marks(link.after(marks.shape), _union(moved, link.after(marks.shape)))
        return marks

    def backward(self, links: Links, shape: Shape) -> Marks:
        """The cells that a marked unit reads, in an array of `shape`, `links` before the units."""
        shapes = [shape]
        for link in links:
            shapes.append(link.after(shapes[-1]))
        products = self.products
        for link, before, after in zip(links[::-1], shapes[-2::-1], shapes[:0:-1], strict=True):
            products = _union((_moved(product, link, after, back=True) for product in products), before)
        return Marks(shape, products)

    def __or__(self, other: Marks) -> Marks:
        return Marks(self.shape, _union((*self.products, *other.products), self.shape))

    def where(self, values: np.ndarray, nothing: int) -> np.ndarray:
        """A compact array of values, with `nothing` at cells that are not marked."""
        if self.whole:
            return values
        shapes = [array.shape for product in self.products for array in product.values()]
        shape = np.broadcast_shapes(values.shape, *shapes)
        check_size(shape, MOST_CELLS // values.itemsize)
        marked = np.zeros(shape, bool)
        for product in self.products:
            marked |= reduce(np.logical_and, product.values(), np.ones((1,) * len(shape), bool))
        return np.where(marked, values, nothing)

    def any_at(self, place: Sequence[int | None]) -> bool:
        """Whether any cell at a place is marked."""
        if self.whole:
            return True
        here = Marks.at(self.shape, place).products[0]
        return any(_both(product, here) for product in self.products)

    def along(self, axis: int) -> np.ndarray:
        """Which positions along an axis hold a mark: a bool array of the axis' length."""
        found = np.zeros(self.shape[axis], bool)
        for product in self.products:
            others = tuple(i for i in range(len(self.shape)) if i != axis)
            found |= next((array.any(axis=others) for axes, array in product.items() if axis in axes), True)
        return found

    def box(self, axes: int) -> tuple[tuple[int, int], ...]:
        """The first and the last position that holds a mark, along each of the first axes."""
        ends = []
        for axis in range(axes):
            places = np.flatnonzero(self.along(axis))
            ends.append((int(places[0]), int(places[-1])) if len(places) else (0, -1))
        return tuple(ends)

    def mask(self, axes: int) -> np.ndarray:
        """The positions along the first axes that hold a mark: a bool array of their lengths."""
        check_size(self.shape[:axes])
        found = np.zeros(self.shape[:axes], bool)
        for product in self.products:
            lines = [array.any(axis=tuple(range(axes, array.ndim))) for array in product.values()]
            found |= reduce(np.logical_and, lines, np.ones((1,) * axes, bool))
        return found


def _product(arrays: Iterable[np.ndarray]) -> Product | None:
    """Arrays by their axes; None if they mark nothing. What marks everything is left out."""
    product = {}
    for array in arrays:
        if not array.any():
            return None
        if not array.all():
            product[tuple(axis for axis, length in enumerate(array.shape) if length > 1)] = array
    return product


def _both(product: Product, line: Product) -> bool:
    """Whether any cell is in both products; the second one's arrays each mark a place along one axis."""
    for axes, array in product.items():
        for (axis,), place in line.items():
            if axis in axes:
                array = array & place
        if not array.any():
            return False
    return True


def _moved(product: Product, link: object, shape: Shape, *, back: bool) -> Product | None:
    """A product of marks in an array of `shape` behind a link, or before it."""

    def move(array: np.ndarray) -> np.ndarray:
        return link.backward(array) if back else link.forward(array, ANY)  # type: ignore[attr-defined]

    if isinstance(link, Slide | Spread | Resample):
        # Only the axis that it moves along: the other arrays stay what they are.
        own = next((axes for axes in product if link.axis in axes), ())
        line = product.get(own, np.ones((1,) * len(shape), bool))
        return _product([*(array for axes, array in product.items() if axes != own), move(line)])
    if isinstance(link, Regroup):
        product = _joined(product, *((link.new, link.old) if back else (link.old, link.new)))
    return _product(map(move, product.values()))


def _joined(product: Product, old: Shape, new: Shape) -> Product:
    """Arrays along axes that a reshaping mixes, as one array."""
    head, tail = kept_ends(old, new)
    mixed = {axes for axes in product if any(head <= axis < len(old) - tail for axis in axes)}
    if not mixed:
        return product
    own = {axis for axes in mixed for axis in axes}
    check_size(tuple(n for i, n in enumerate(old) if i in own or head <= i < len(old) - tail))
    joined = reduce(np.logical_and, (product[axes] for axes in sorted(mixed)))
    return {axes: array for axes, array in product.items() if axes not in mixed} | {
        tuple(sorted(own)): joined
    }


def _union(products: Iterable[Product | None], shape: Shape) -> tuple[Product, ...]:
    """The fewest products that are easily found to mark the same."""
    union: list[Product] = []
    for product in products:
        while product is not None:
            if any(_contains(other, product) for other in union):
                break
            union = [other for other in union if not _contains(product, other)]
            near = next((other for other in union if _differ(other, product) is not None), None)
            if near is None:
                union.append(product)
                break
            union = [other for other in union if other is not near]
            axes = _differ(near, product)
            assert axes is not None
            product = _product((product | {axes: near[axes] | product[axes]}).values())
    if len(union) <= MOST_PRODUCTS:
        return tuple(union)
    check_size(
        tuple(shape[axis] for axis in {axis for product in union for axes in product for axis in axes})
    )
    tables = (reduce(np.logical_and, product.values()) for product in union)
    table = _product([reduce(np.logical_or, tables)])
    assert table is not None
    return (table,)


def _contains(large: Product, small: Product) -> bool:
    """Whether the small one's marks are easily seen to be among the large one's."""
    return all(axes in small and not (small[axes] & ~large[axes]).any() for axes in large)


def _differ(one: Product, other: Product) -> tuple[int, ...] | None:
    """The axes of the only array in which two products differ."""
    if one.keys() != other.keys():
        return None
    differing = [axes for axes in one if not np.array_equal(one[axes], other[axes])]
    return differing[0] if len(differing) == 1 else None
