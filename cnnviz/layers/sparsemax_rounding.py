"""How far two evaluations of Keras's sparsemax may lie apart: it jumps where its support gains a number."""

from __future__ import annotations

import numpy as np


def sparsemax_allowance(z: np.ndarray, bound: np.ndarray, axis: int, unit: float) -> np.ndarray:
    """The bound behind a sparsemax of z, given that of z and the unit roundoff, number by number.

    A partial sum passes up to n roundings, and their sum as many again; then 1, the quotient, and the
    difference from z. The threshold is the mean of -1 and of the partial sums of the support, so that numbers
    of which rounding decides whether they are in it can move it no further than to their own sums.
    """
    z = np.asarray(z, np.float64)
    moved = np.asarray(bound, np.float64).max(axis=axis, keepdims=True, initial=0)
    roundings = (2 * z.shape[axis] + 3) * unit
    factor = roundings / (1 - roundings) if roundings < 0.5 else np.inf
    ranks = np.arange(1, z.shape[axis] + 1).reshape(-1, *(1,) * ((-axis - 1) % z.ndim))

    def total(numbers: np.ndarray) -> np.ndarray:
        return numbers.sum(axis=axis, keepdims=True)

    with np.errstate(all="ignore"):
        falling = np.flip(np.sort(z, axis=axis), axis)
        sums, sizes = falling.cumsum(axis=axis), np.abs(falling).cumsum(axis=axis)
        above = falling - (sums - 1) / ranks
        off = 2 * moved + factor * (np.abs(falling) + (sizes + 1) / ranks)
        certain, possible = above > off, ~(above < -off)
        least, most = total(certain), total(possible)
        threshold = (total(np.where(certain, sums, 0)) - 1) / least
        decided = np.where(possible & ~certain, sums, threshold)
        jump = decided.max(axis=axis, keepdims=True) - decided.min(axis=axis, keepdims=True)
        size = (total(np.where(possible, sizes, 0)) + 1) / least
        follows = np.where(least == most, (most + 1) / 2, most)
        return moved * (1 + follows) + 2 * factor * (np.abs(z) + size) + jump
