"""A 1x1 convolution of which only a part is kept: some outputs, or some singular directions.

Errors are exact for the activations given: a layer that is linear needs no more of them than their
second moments, which are summed once in float64. Nothing is trained again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.channels.cost import Cost, conv_cost
from cnnviz.numbers import brief
from cnnviz.ops.arguments import quiet, real

MOST_CHANNELS = 4_096
"""The table of their products takes 134 MB."""

_ROWS = 1 << 15
"""Positions summed at a time, so that a block in float64 stays in the cache."""


@dataclass(frozen=True, eq=False)
class Moments:
    """The sums that decide every error of a 1x1 convolution on some activations.

    Parameters
    ----------
    sums
        (C_in + 1, C_in + 1) float64: of the products of any two channels over all positions, with a
        channel of ones, for the bias, as the last.
    positions
        How many.
    """

    sums: np.ndarray
    positions: int

    @quiet
    def energy(self, matrix: Any, bias: Any = None) -> np.ndarray:
        """Each output's sum of squares over all positions: (C_out,) float64.

        >>> moments(np.eye(2)).energy([[3.0], [4.0]])
        array([25.])
        """
        matrix = real(matrix, "matrix", np.float64)
        row = np.zeros(matrix.shape[1]) if bias is None else real(bias, "bias", np.float64)
        if len(matrix) + 1 != len(self.sums) or row.shape != matrix.shape[1:]:
            raise ValueError(
                f"matrix must be ({len(self.sums) - 1}, C_out) with a bias (C_out,), got shapes "
                f"{matrix.shape} and {row.shape}"
            )
        whole = np.vstack([matrix, row])
        # Rounding may leave a sum of squares that is zero a little below it.
        return np.maximum((whole * (self.sums @ whole)).sum(axis=0), 0.0)


@quiet
def moments(x: Any) -> Moments:
    """Sum up the activations that a 1x1 convolution reads.

    Parameters
    ----------
    x
        (..., C_in).

    Returns
    -------
    Moments

    Examples
    --------
    >>> moments([[1.0, 2.0], [3.0, 0.0]]).sums
    array([[10.,  2.,  4.],
           [ 2.,  4.,  2.],
           [ 4.,  2.,  2.]])
    """
    x = real(x, "x")
    if x.ndim < 1:
        raise ValueError(f"x must be (..., C_in), got shape {x.shape}")
    if not 0 < x.shape[-1] <= MOST_CHANNELS:
        raise ValueError(f"x must have from 1 to {MOST_CHANNELS} channels, got shape {x.shape}")
    rows = x.reshape(-1, x.shape[-1])
    sums = np.zeros((x.shape[-1] + 1,) * 2)
    for block in _blocks(rows):
        sums += block.T @ block
    return Moments(sums, len(rows))


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """The rows in float64, a one behind each, some at a time."""
    for first in range(0, len(rows), _ROWS):
        part = rows[first : first + _ROWS]
        block = np.ones((len(part), rows.shape[1] + 1))
        block[:, :-1] = part
        yield block


@quiet
def mixing_error(x: Any, matrix: Any, bias: Any, other: Any, other_bias: Any = None) -> float:
    """How far one mixing matrix's outputs are from another's, before the activation.

    Parameters
    ----------
    x
        (..., C_in): activations, or their `moments`.
    matrix, bias
        (C_in, C_out) and (C_out,) or None: what the other is compared with.
    other, other_bias
        What is used in its place.

    Returns
    -------
    float
        Root of the mean squared difference over that of the right outputs; 0 where both are silent,
        infinite if only the right one is.

    Examples
    --------
    >>> mixing_error(np.eye(2), [[3.0, 0.0], [0.0, 4.0]], None, [[3.0, 0.0], [0.0, 0.0]])
    0.8
    """
    inputs = x if isinstance(x, Moments) else moments(x)
    matrix, other = real(matrix, "matrix", np.float64), real(other, "other", np.float64)
    if matrix.shape != other.shape:
        raise ValueError(f"other must have the matrix's shape {matrix.shape}, got {other.shape}")
    if matrix.ndim != 2:
        raise ValueError(f"matrix must be (C_in, C_out), got shape {matrix.shape}")
    biases = [
        np.zeros(matrix.shape[1]) if each is None else real(each, name, np.float64)
        for name, each in (("bias", bias), ("other_bias", other_bias))
    ]
    for name, each in zip(("bias", "other_bias"), biases, strict=True):
        if each.shape != matrix.shape[1:]:
            raise ValueError(f"{name} must be (C_out,), {matrix.shape[1:]}, or None, got shape {each.shape}")
    whole = inputs.energy(matrix, biases[0]).sum()
    rest = inputs.energy(matrix - other, biases[0] - biases[1]).sum()
    if whole == 0:
        return 0.0 if rest == 0 else math.inf
    return math.sqrt(rest / whole)


@dataclass(frozen=True, eq=False)
class Reduction:
    """A mixing matrix of which only a part is kept, with its cost and its error.

    Parameters
    ----------
    by
        "outputs" or "singular".
    k
        How many of them are kept.
    kept
        Indices of the outputs kept, largest first; the first k singular directions.
    matrix
        (C_in, C_out) of rank k at most, to take the old one's place.
    bias
        (C_out,) to go with it; 0 where the output is dropped.
    error
        Root of the mean squared error of the outputs over that of the outputs themselves, 0 to 1.
    cost
        What is to be stored and computed at one position.
    """

    by: str
    k: int
    kept: tuple[int, ...]
    matrix: np.ndarray
    bias: np.ndarray
    error: float
    cost: Cost


@quiet
def reduce_mixing(
    x: Any, matrix: Any, bias: Any = None, *, k: int, by: str = "outputs", order: Any = None
) -> Reduction:
    """Keep only k outputs of a 1x1 convolution, or only k singular directions of its matrix.

    Parameters
    ----------
    x
        (..., C_in): the activations on which the outputs are ranked and the error is measured; or
        their `moments`, which spares summing many of them again.
    matrix, bias
        (C_in, C_out) and (C_out,) or None, of the layer.
    k
        How many to keep, from 0.
    by
        "outputs": the k outputs with the most energy on x, before any activation, or the first k of
        `order`; the others become 0.
        "singular": the k largest singular directions of the matrix; the bias stays whole, and the
        layer can be computed as two, C_in to k and k to C_out.
    order
        All outputs, those to keep first; None ranks them by energy. Only for "outputs".

    Returns
    -------
    Reduction

    Raises
    ------
    ValueError
        for another `by`, a k out of range, an order that is none, or shapes that do not fit.

    Examples
    --------
    >>> x, matrix = np.eye(3), np.diag([3.0, 2.0, 1.0])
    >>> reduce_mixing(x, matrix, k=2).kept
    (0, 1)
    >>> round(reduce_mixing(x, matrix, k=2, by="singular").error ** 2, 4) == round(1 / 14, 4)
    True

    Source: Eckart and Young, "The approximation of one matrix by another of lower rank", 1936.
    """
    matrix = real(matrix, "matrix")
    limit = most_kept(matrix, by)
    if not 0 <= k <= limit:
        raise ValueError(f"k must be from 0 to {limit} for by={by!r}, got {k!r}")
    inputs = x if isinstance(x, Moments) else moments(x)
    channels_in, channels_out = matrix.shape
    has_bias = bias is not None
    offset = np.zeros(channels_out, matrix.dtype) if bias is None else real(bias, "bias")
    if by == "outputs":
        ranked = np.argsort(-inputs.energy(matrix, offset), kind="stable") if order is None else order
        if sorted(ranked) != list(range(channels_out)):
            raise ValueError(f"order must name each of the {channels_out} outputs once, got {brief(order)}")
        kept = tuple(int(c) for c in ranked[:k])
        mask = np.isin(np.arange(channels_out), kept)
        reduced, offset = (np.where(mask, a, 0).astype(a.dtype) for a in (matrix, offset))
        cost = conv_cost(channels_in, k, bias=has_bias)
    else:
        if not np.isfinite(matrix).all():
            raise ValueError("matrix must be finite to have singular directions; it holds NaN or infinity")
        u, s, vt = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
        kept = tuple(range(k))
        reduced = ((u[:, :k] * s[:k]) @ vt[:k]).astype(matrix.dtype)
        cost = conv_cost(channels_in, k, bias=False) + conv_cost(k, channels_out, bias=has_bias)
    error = mixing_error(inputs, matrix, bias, reduced, offset)
    return Reduction(by, k, kept, reduced, offset, error, cost)


def most_kept(matrix: np.ndarray, by: str) -> int:
    """How many outputs or singular directions there are to keep."""
    if by not in ("outputs", "singular"):
        raise ValueError(f"by must be 'outputs' or 'singular', got {by!r}")
    if matrix.ndim != 2:
        raise ValueError(f"matrix must be (C_in, C_out), got shape {matrix.shape}")
    return matrix.shape[1] if by == "outputs" else min(matrix.shape)
