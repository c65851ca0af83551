"""Operands: what one number of a layer is made of, in plain values, before it is a receipt.

A cell of a layer is a sum of products and a bias. An entry says which numbers, from which places, are
multiplied by what; the order of the sums and how they are shown is left to `receipts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

Position = tuple[int, ...]
"""A cell's index along each axis, without the batch."""


@dataclass(frozen=True, eq=False)
class Equation:
    """One step of arithmetic beside the sum of products, such as a normalisation's scale.

    Parameters
    ----------
    name
        What the result is called: "scale".
    formula
        A Python expression of the names in `values`; functions are those of the field: exp, sqrt, max.
    values
        The numbers that go in, by name.
    result
        What comes out, in the run's dtype.
    """

    name: str
    formula: str
    values: Mapping[str, Any]
    result: Any


@dataclass(frozen=True, eq=False, kw_only=True)
class Operands:
    """The factors of one cell and their weights, in groups, most often one for each input channel.

    Arrays have the shape (groups, rows, columns): the window's rows and columns, (1, 1) where a cell
    reads one number of each channel.

    Parameters
    ----------
    source
        (groups,): which of the layer's inputs each group reads.
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
        its axes); "" and None for weights that are derived. Where the weight is what came back to a cell
        of the layer, "" and the cell.
    partner_places
        The cells whose product is the weight, each with its input's number: the others of a Multiply.
    labels
        A short name for each group.
    images
        (groups,): which image of the batch each group is of, where they are of several; else None.
    selects
        "largest" or "smallest" where one number wins, else "".
    preparation
        How derived weights and bias come about: the scale and shift of a normalisation.
    taken_apart
        Whether this says how the number comes about; else the bias is the number, as the layer gave it.
    """

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
    partner_places: tuple[tuple[int, Position], ...] = ()
    labels: tuple[str, ...] = ()
    images: np.ndarray | None = None
    selects: str = ""
    preparation: tuple[Equation, ...] = ()
    taken_apart: bool = True


MOST_TERMS = 1 << 22


def check_terms(count: int) -> None:
    """ValueError for more terms than a receipt can be made of."""
    if count > MOST_TERMS:
        raise ValueError(f"one number is made of {count:,} others; receipts have up to {MOST_TERMS:,} terms")


def operands(
    inputs: Sequence[np.ndarray], factor: np.ndarray, weight: Any, position: np.ndarray, **fields: Any
) -> Operands:
    """Operands whose groups read the one input, or one input each if there are several."""
    dtype, groups = inputs[0].dtype, len(factor)
    fields.setdefault("source", np.arange(groups) if len(inputs) > 1 else np.zeros(groups, int))
    fields.setdefault("padding", np.zeros(factor.shape, bool))
    fields["bias"] = dtype.type(fields.get("bias", 0))
    weight = np.broadcast_to(np.asarray(weight, dtype), factor.shape)
    return Operands(factor=factor, weight=weight, position=position, **fields)


def one_number(x: np.ndarray, at: Position, weight: Any = 1, **fields: Any) -> Operands:
    """A single number of x times a weight."""
    fields.setdefault("labels", (label(x.ndim, at),))
    return operands([x], np.full((1, 1, 1), x[at]), weight, np.array(at, int).reshape(1, 1, 1, -1), **fields)


def no_products(x: np.ndarray, value: Any, name: str, **fields: Any) -> Operands:
    """No products: the number itself as what is added."""
    places = np.empty((0, 1, 1, x.ndim), int)
    return operands([x], np.empty((0, 1, 1), x.dtype), 1, places, bias=value, bias_name=name, **fields)


def weighted(
    x: np.ndarray,
    weights: Mapping[str, np.ndarray],
    name: str,
    index: np.ndarray,
    cut: Mapping[str, Any],
    channel: int,
    **fields: Any,
) -> Operands:
    """Operands whose weights are entries of the array `name`, with the bias of the output's channel."""
    weight = weights[name][tuple(np.moveaxis(index, -1, 0))]
    if "bias" in weights:
        fields |= {"bias": weights["bias"][channel], "bias_name": "bias"}
    return operands([x], weight=weight, weight_name=name, weight_index=index, **cut, **fields)


def by_channel(index: np.ndarray) -> np.ndarray:
    """Indices (..., axes) of cells as (groups, rows, columns, axes).

    Channels are groups, columns stay columns, and all other axes are rows.
    """
    lengths, axes = (1, 1, *index.shape[:-1]), index.shape[-1]
    return np.moveaxis(index.reshape(prod(lengths[:-2]), lengths[-2], lengths[-1], axes), 2, 0)


def chosen(factor: np.ndarray, there: np.ndarray, choose: Callable[..., Any]) -> np.ndarray:
    """1 for the number that is chosen, of those that are there, and 0 for the others."""
    candidates = np.flatnonzero(there)
    weight = np.zeros(factor.size, factor.dtype)
    weight[candidates[choose(factor.ravel()[candidates])]] = 1
    return weight.reshape(factor.shape)


def label(rank: int, position: Position) -> str:
    """A short name for the channel of a cell; that of a vector (rank 1) is a unit."""
    if not position:
        return "number"
    return f"{'unit' if rank == 1 else 'channel'} {position[-1]}"
