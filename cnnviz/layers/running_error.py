"""Running error analysis: arrays that carry along how far a computation with rounding may be off.

Follows N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.3. What a layer
computes in many steps is computed with an `Estimate` in place of each array, in float64: its `error` is then
the bound of the result, for any order of the sums, and no formula is derived by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.layers.activations import ELEMENTARY, SIGMOID


@dataclass(frozen=True, eq=False)
class Estimate:
    """An array in float64, and how far it may be off where it is computed with rounding.

    Parameters
    ----------
    value
        What exact arithmetic gives.
    error
        Of the same shape, in units of `roundoff`.
    roundoff
        Of the numbers that are computed with: 2**-24 in float32.
    """

    # NumPy then leaves an operator between an array and an estimate to the estimate.
    __array_ufunc__ = None

    value: np.ndarray
    error: np.ndarray
    roundoff: float

    @classmethod
    def exact(cls, array: np.ndarray, relative: float = 0.0) -> Estimate:
        """An array that is given, off by nothing, or by this many roundings of each number."""
        value = array.astype(np.float64)
        return cls(value, relative * np.abs(value), float(np.finfo(array.dtype).eps) / 2)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def size(self) -> np.ndarray:
        """How large the computed numbers may be."""
        return np.abs(self.value) + self.roundoff * self.error

    def reshape(self, *shape: int) -> Estimate:
        return self._moved(self.value.reshape(*shape), self.error.reshape(*shape))

    def transpose(self, *order: int) -> Estimate:
        return self._moved(self.value.transpose(*order), self.error.transpose(*order))

    def repeat(self, times: int, axis: int) -> Estimate:
        return self._moved(self.value.repeat(times, axis), self.error.repeat(times, axis))

    def sum(self, axis: int, keepdims: bool = False) -> Estimate:
        own = self.shape[axis] * self.size
        return self._moved(
            self.value.sum(axis, keepdims=keepdims), (self.error + own).sum(axis, keepdims=keepdims)
        )

    def __add__(self, other: Any) -> Estimate:
        other = self._like(other)
        return self._moved(self.value + other.value, self.error + other.error + self.size + other.size)

    __radd__ = __add__

    def __neg__(self) -> Estimate:
        return self._moved(-self.value, self.error)

    def __sub__(self, other: Any) -> Estimate:
        return self + -self._like(other)

    def __rsub__(self, other: Any) -> Estimate:
        return -self + other

    def __mul__(self, other: Any) -> Estimate:
        other = self._like(other)
        error = self.error * np.abs(other.value) + self.size * other.error
        return self._moved(self.value * other.value, error + self.size * other.size)

    __rmul__ = __mul__

    def __matmul__(self, other: Any) -> Estimate:
        other = self._like(other)
        error = self.error @ np.abs(other.value) + self.size @ other.error
        return self._moved(self.value @ other.value, error + self.shape[-1] * (self.size @ other.size))

    def sigmoid(self) -> Estimate:
        """1 / (1 + exp(-x)): a small change of x changes it by a share of itself that is no larger."""
        value = 1 / (1 + np.exp(-self.value))
        return self._moved(value, value * (self._grown(self.error) + SIGMOID))

    def tanh(self) -> Estimate:
        """Its slope is 1 at most."""
        value = np.tanh(self.value)
        return self._moved(value, self.error + 2 * ELEMENTARY * np.abs(value))

    def softmax(self, allowed: np.ndarray) -> Estimate:
        """Along the last axis, of the numbers that are allowed; rows without any are all alike.

        A share changes by that of its own exponent and the mean of all; exponents are rounded where the
        largest, or the logarithm of the sum, is taken off.
        """
        here = np.where(allowed, self.value, -np.inf)
        largest = here.max(axis=-1, keepdims=True, initial=-np.inf)
        none = np.isneginf(largest)
        powers = np.where(none, 1.0, np.exp(here - np.where(none, 0, largest)))
        value = powers / powers.sum(axis=-1, keepdims=True)
        sizes = np.where(allowed, np.abs(self.value), 0)
        count = value.shape[-1]
        exponent = np.where(allowed, self.error, 0) + 2 * (
            sizes + sizes.max(axis=-1, keepdims=True, initial=0)
        )
        exponent = exponent + (value * exponent).sum(axis=-1, keepdims=True) + np.log(max(count, 1))
        # exp, the sum, the quotient.
        error = value * (self._grown(exponent) + 2 * ELEMENTARY + count + 2)
        return self._moved(value, error + np.finfo(np.float32).tiny / self.roundoff * allowed)

    def _grown(self, error: np.ndarray) -> np.ndarray:
        """By how many roundings exp(x) changes where x changes by so many units of roundoff."""
        with np.errstate(over="ignore"):
            return np.expm1(error * self.roundoff) / self.roundoff

    def _like(self, other: Any) -> Estimate:
        if isinstance(other, Estimate):
            return other
        value = np.asarray(other, np.float64)
        return self._moved(value, np.zeros(value.shape))

    def _moved(self, value: np.ndarray, error: np.ndarray) -> Estimate:
        return Estimate(value, error, self.roundoff)
