"""Terms: the numbers that make up one cell, where each came from, and their sums.

A cell of every layer class is a sum of products and a bias. The order of the sums is fixed here, in
the dtype of the run; the layer's entry says which numbers are multiplied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.layers.operands import Operands, Position
from cnnviz.receipts.cells import Cell
from cnnviz.receipts.steps import Derivation
from cnnviz.resources import one_line


class Term(NamedTuple):
    """One product: the cell that a factor came from, the factor, its weight, and their product."""

    cell: Cell
    factor: Any
    weight: Any
    product: Any
    padding: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Terms(Operands):
    """The operands of one cell with their sums; `operands_of` makes them.

    Products of a group are added row by row, then the groups' sums in their order, then the bias, all
    rounded to the run's dtype.

    Parameters
    ----------
    sources, shapes
        The layers that are read, and the shapes of their outputs without the batch.
    """

    sources: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    preparation: tuple[Derivation, ...] = ()

    # Sums ---------------------------------------------------------------------------------------

    @cached_property
    def product(self) -> np.ndarray:
        """factor * weight; 0 for what a selecting layer leaves aside, even if that is infinite."""
        with np.errstate(all="ignore"):
            if self.selects:
                return np.where(self.weight != 0, self.factor, self.factor.dtype.type(0))
            return self.factor * self.weight

    @cached_property
    def partial(self) -> np.ndarray:
        """(groups,): the sum of each group's products."""
        groups, rows, cols = self.product.shape
        return _in_order(self.product.reshape(groups, rows * cols))

    @cached_property
    def contribution(self) -> np.ndarray:
        """(groups,): what each group adds to the total, `partial` times `mix`."""
        with np.errstate(all="ignore"):
            return self.partial if self.mix is None else self.partial * self.mix

    @cached_property
    def sum(self) -> Any:
        """The sum of all contributions, before the bias."""
        return _in_order(self.contribution)[()]

    @cached_property
    def total(self) -> Any:
        """The sum and the bias: the pre-activation."""
        with np.errstate(all="ignore"):
            return self.sum + self.bias if self.bias_name else self.sum

    # Places -------------------------------------------------------------------------------------

    def over_planes(self, planes: Sequence[str]) -> Terms:
        """The same, its groups called by the planes of a colour picture where they are named by channels.

        `planes` are the names of the source's channels; () leaves everything as it is.
        """
        if not planes:
            return self
        name = lambda found: planes[int(found[1])]  # noqa: E731
        return replace(self, labels=tuple(re.sub(r"^channel (\d+)", name, each) for each in self.labels))

    @property
    def row(self) -> np.ndarray | None:
        """Each factor's row; None where only vectors are read."""
        axes = self.position.shape[-1]
        return self.position[..., -3 if axes > 2 else 0] if axes > 1 else None

    @property
    def col(self) -> np.ndarray | None:
        """Each factor's column; None where no maps are read."""
        return self.position[..., -2] if self.position.shape[-1] > 2 else None

    @property
    def channel(self) -> np.ndarray:
        """Each factor's channel; in a vector, its unit."""
        return self.position[..., -1] if self.position.shape[-1] else np.zeros(self.factor.shape, int)

    def cell(self, group: int, row: int = 0, col: int = 0) -> Cell:
        """The cell that a factor came from; for padding a place outside the layer."""
        place = self.source[group]
        axes = len(self.shapes[place])
        position = self.position[group, row, col]
        return Cell(self.sources[place], tuple(int(i) for i in position[len(position) - axes :]))

    @property
    def partners(self) -> tuple[Cell, ...]:
        """The cells whose product is the weight: the other inputs of a Multiply."""
        return tuple(Cell(self.sources[place], position) for place, position in self.partner_places)

    @property
    def winner(self) -> Cell | None:
        """The cell that a selecting layer chose, the first of equals."""
        return self.cell(*np.argwhere(self.weight != 0)[0]) if self.selects else None

    @cached_property
    def left_blank(self) -> np.ndarray:
        """(groups, rows, columns): padding that adds nothing, for which receipts write a dot."""
        return self.padding & ((self.factor == 0) | bool(self.selects))

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns of the arrays."""
        return self.factor.shape[1], self.factor.shape[2]

    def __len__(self) -> int:
        return self.factor.size

    def __iter__(self) -> Iterator[Term]:
        for place in np.ndindex(self.factor.shape):
            numbers = self.factor[place], self.weight[place], self.product[place]
            yield Term(self.cell(*place), *numbers, bool(self.padding[place]))

    def __repr__(self) -> str:
        groups, rows, cols = self.factor.shape
        return one_line(
            f"<Terms: {groups} x {rows} x {cols} products from {', '.join(self.sources) or 'nothing'}>"
        )

    # Choosing -----------------------------------------------------------------------------------

    def largest(self, count: int | None) -> list[tuple[int, int, int]]:
        """The places of the factors that add most, by magnitude, padding left out; None is all of them.

        NaN counts as infinite. A selecting layer has one, the winner.
        """
        with np.errstate(all="ignore"):
            shares = self.product if self.mix is None else self.product * self.mix[:, None, None]
        allowed = np.flatnonzero((self.weight != 0) if self.selects else ~self.padding)
        strength = np.abs(np.where(np.isnan(shares), np.inf, shares)).ravel()[allowed]
        order = np.argsort(-strength, kind="stable")[:count]
        places = np.stack(np.unravel_index(allowed[order], self.factor.shape), axis=-1)
        return [(int(g), int(r), int(c)) for g, r, c in places]

    def shown(self, limit: int) -> tuple[list[int], Any]:
        """At most `limit` groups, those that add most, in their order; and the sum of the others."""
        strength = np.abs(np.where(np.isnan(self.contribution), np.inf, self.contribution))
        chosen = np.sort(np.argsort(-strength, kind="stable")[:limit])
        rest = np.delete(self.contribution, chosen)
        return [int(group) for group in chosen], _in_order(rest)[()]


def operands_of(layer: Layer, inputs: Sequence[np.ndarray], position: Position) -> Terms:
    """The numbers that make up one cell of a layer, before its activation.

    Parameters
    ----------
    layer
        A layer of any class in `cnnviz.layers.ENTRIES`.
    inputs
        What it read for one image: arrays without a batch axis, in the order of `layer.inputs`; an
        InputLayer's is what it was given.
    position
        The cell's index along each axis of the layer's output, without the batch.

    Returns
    -------
    Terms

    Examples
    --------
    >>> pool = Layer.from_config("pool", "MaxPooling2D", {"pool_size": 2}, inputs=("image",))
    >>> terms = operands_of(pool, [np.arange(16.0).reshape(4, 4, 1)], (0, 1, 0))
    >>> float(terms.total), str(terms.winner)
    (7.0, 'image, row 1, column 3, channel 0')
    """
    operands = layer.entry.operands(layer, list(inputs), position)
    shapes = tuple(x.shape for x in inputs) if layer.inputs else ()
    preparation = tuple(Derivation(**vars(equation)) for equation in operands.preparation)
    return Terms(**vars(operands) | {"preparation": preparation}, sources=layer.inputs, shapes=shapes)


def joined(parts: Sequence[Operands], names: Sequence[str]) -> Operands:
    """The operands of several layers as one, their groups called by these names too."""
    if len(parts) == 1:
        return parts[0]
    axes = max(part.position.shape[-1] for part in parts)
    window = [max(part.factor.shape[axis] for part in parts) for axis in (1, 2)]

    def widened(array: np.ndarray, fill: Any = 0) -> np.ndarray:
        around = [(0, 0), *((0, n - size) for n, size in zip(window, array.shape[1:], strict=False))]
        return np.pad(array, [*around, *[(0, 0)] * (array.ndim - 3)], constant_values=fill)

    places = [
        np.pad(widened(p.position, -1), [*[(0, 0)] * 3, (axes - p.position.shape[-1], 0)]) for p in parts
    ]
    # Indices in arrays of different layers are left out.
    alike = all(part.weight_index is not None and not part.weight_name for part in parts)
    labels = [f"{name} {label}" for part, name in zip(parts, names, strict=True) for label in part.labels]
    return replace(
        parts[0],
        source=np.concatenate([part.source for part in parts]),
        factor=np.concatenate([widened(part.factor) for part in parts]),
        weight=np.concatenate([widened(part.weight) for part in parts]),
        padding=np.concatenate([widened(part.padding, True) for part in parts]),
        position=np.concatenate(places),
        weight_name="",
        weight_index=np.concatenate([widened(part.weight_index) for part in parts]) if alike else None,  # type: ignore[arg-type]
        labels=tuple(labels),
        images=None
        if any(part.images is None for part in parts)
        else np.concatenate([p.images for p in parts]),  # type: ignore[misc]
        taken_apart=any(part.taken_apart for part in parts),
    )


def _in_order(values: np.ndarray) -> np.ndarray:
    """Sums along the last axis, from the first number to the last, rounded after each addition."""
    if values.shape[-1] == 0:
        return np.zeros(values.shape[:-1], values.dtype)
    with np.errstate(all="ignore"):
        return np.add.accumulate(values, axis=-1)[..., -1]
