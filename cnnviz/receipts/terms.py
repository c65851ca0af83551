"""Terms: the numbers that make up one cell, where each came from, and their sums.

A cell of every layer class is a sum of products and a bias. The order of the sums is fixed here, in
the dtype of the run; which numbers are multiplied is said in `arithmetic`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from cnnviz.layers.layer import Layer
from cnnviz.receipts.cells import Cell
from cnnviz.receipts.steps import Step


class Term(NamedTuple):
    """One product: the cell that a factor came from, the factor, its weight, and their product."""

    cell: Cell
    factor: Any
    weight: Any
    product: Any
    padding: bool


@dataclass(frozen=True, eq=False)
class Terms:
    """The products of one cell, in groups, most often one for each input channel.

    Arrays have the shape (groups, rows, columns): the window's rows and columns, (1, 1) where a cell
    reads one number of each channel. Products of a group are added row by row, then the groups'
    sums in their order, then the bias, all rounded to the run's dtype.

    Parameters
    ----------
    sources, shapes
        The layers that are read, and the shapes of their outputs without the batch.
    source
        (groups,): which of them each group reads.
    factor, weight
        What was read and what it is multiplied by. Selecting layers (maxima) have the weight 1 for
        the number that won and 0 for the others. A padded factor is what the layer pads with.
    position
        (groups, rows, columns, axes): the index of each factor in its source; where sources differ in
        their number of axes, the shorter ones are filled up with 0 in front. A padded factor lies
        outside the source.
    padding
        True where the factor is not a cell but padding.
    bias, bias_name
        What is added in the end, 0 if nothing is; and what it is called.
    mix
        (groups,) or None: what the sum of each group is multiplied by, the pointwise weights of a
        separable convolution.
    weight_name, weight_index
        The layer's array that the weights came from and their indices in it, (groups, rows, columns,
        its axes); "" and None for weights that are derived.
    partners
        The cells whose product is the weight: the other inputs of a Multiply.
    labels
        A short name for each group.
    selects
        "largest" or "smallest" where one number wins, else "".
    preparation
        How derived weights and bias come about: the scale and shift of a normalisation.
    """

    sources: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    source: np.ndarray
    factor: np.ndarray
    weight: np.ndarray
    position: np.ndarray
    padding: np.ndarray
    bias: Any
    bias_name: str = ""
    mix: np.ndarray | None = None
    weight_name: str = ""
    weight_index: np.ndarray | None = None
    partners: tuple[Cell, ...] = ()
    labels: tuple[str, ...] = ()
    selects: str = ""
    preparation: tuple[Step, ...] = ()

    @classmethod
    def of(
        cls,
        layer: Layer,
        inputs: Sequence[np.ndarray],
        factor: np.ndarray,
        weight: Any,
        position: np.ndarray,
        **fields: Any,
    ) -> Terms:
        """Terms of a layer: its groups read its one input, or one input each if it has several."""
        dtype, several = inputs[0].dtype, len(inputs) > 1
        fields.setdefault("source", np.arange(len(factor)) if several else np.zeros(len(factor), int))
        fields.setdefault("padding", np.zeros(factor.shape, bool))
        fields["bias"] = dtype.type(fields.get("bias", 0))
        return cls(
            sources=layer.inputs,
            shapes=tuple(x.shape for x in inputs) if layer.inputs else (),
            factor=factor,
            weight=np.broadcast_to(np.asarray(weight, dtype), factor.shape),
            position=position,
            **fields,
        )

    # Sums ---------------------------------------------------------------------------------------

    @cached_property
    def product(self) -> np.ndarray:
        """factor * weight; 0 for what a selecting layer leaves aside, be it infinite."""
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
    def winner(self) -> Cell | None:
        """The cell that a selecting layer chose, the first of equals."""
        return self.cell(*np.argwhere(self.weight != 0)[0]) if self.selects else None

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
        return f"<Terms: {groups} x {rows} x {cols} products from {', '.join(self.sources) or 'nothing'}>"

    # Choosing -----------------------------------------------------------------------------------

    def influence(self) -> np.ndarray:
        """(groups, rows, columns): what each factor adds to the total; NaN counts as infinite."""
        with np.errstate(all="ignore"):
            shares = self.product if self.mix is None else self.product * self.mix[:, None, None]
        return np.where(np.isnan(shares), np.inf, shares)

    def largest(self, count: int | None) -> list[tuple[int, int, int]]:
        """The places of the factors that add most, by magnitude, padding left out; None is all of them.

        A selecting layer has one, the winner.
        """
        allowed = np.flatnonzero((self.weight != 0) if self.selects else ~self.padding)
        strength = np.abs(self.influence()).ravel()[allowed]
        order = np.argsort(-strength, kind="stable")[:count]
        places = np.stack(np.unravel_index(allowed[order], self.factor.shape), axis=-1)
        return [(int(g), int(r), int(c)) for g, r, c in places]

    def shown(self, limit: int) -> tuple[list[int], Any]:
        """At most so many groups, those that add most, in their order; and the sum of the others."""
        strength = np.abs(np.where(np.isnan(self.contribution), np.inf, self.contribution))
        chosen = np.sort(np.argsort(-strength, kind="stable")[:limit])
        rest = np.delete(self.contribution, chosen)
        return [int(group) for group in chosen], _in_order(rest)[()]


def _in_order(values: np.ndarray) -> np.ndarray:
    """Sums along the last axis, from the first number to the last, rounded after each addition."""
    if values.shape[-1] == 0:
        return np.zeros(values.shape[:-1], values.dtype)
    with np.errstate(all="ignore"):
        return np.add.accumulate(values, axis=-1)[..., -1]
