"""Tangents: arrays that carry along how much they change with one number, so that slopes need no formula.

Follows A. Griewank and A. Walther, "Evaluating Derivatives", 2nd edition, section 3.1 (the forward mode).
What a layer computes in many steps is computed with a `Tangent` in place of each array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz import ops


@dataclass(frozen=True, eq=False)
class Tangent:
    """An array, and of the same shape how much each of its numbers changes with the one in question."""

    # NumPy then leaves an operator between an array and a tangent to the tangent.
    __array_ufunc__ = None

    value: np.ndarray
    slope: np.ndarray

    @classmethod
    def of(cls, array: np.ndarray) -> Tangent:
        """From a complex array: the value is its real part, the slope the imaginary one."""
        return cls(array.real.copy(), array.imag.copy())

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    def reshape(self, *shape: int) -> Tangent:
        return Tangent(self.value.reshape(*shape), self.slope.reshape(*shape))

    def transpose(self, *order: int) -> Tangent:
        return Tangent(self.value.transpose(*order), self.slope.transpose(*order))

    def repeat(self, times: int, axis: int) -> Tangent:
        return Tangent(self.value.repeat(times, axis), self.slope.repeat(times, axis))

    def sum(self, axis: int, keepdims: bool = False) -> Tangent:
        return Tangent(self.value.sum(axis, keepdims=keepdims), self.slope.sum(axis, keepdims=keepdims))

    def __add__(self, other: Any) -> Tangent:
        other = _like(other)
        return Tangent(self.value + other.value, self.slope + other.slope)

    __radd__ = __add__

    def __neg__(self) -> Tangent:
        return Tangent(-self.value, -self.slope)

    def __sub__(self, other: Any) -> Tangent:
        return self + -_like(other)

    def __rsub__(self, other: Any) -> Tangent:
        return -self + other

    def __mul__(self, other: Any) -> Tangent:
        other = _like(other)
        return Tangent(self.value * other.value, self.slope * other.value + self.value * other.slope)

    __rmul__ = __mul__

    def __matmul__(self, other: Any) -> Tangent:
        other = _like(other)
        return Tangent(self.value @ other.value, self.slope @ other.value + self.value @ other.slope)

    def sigmoid(self) -> Tangent:
        return Tangent(ops.sigmoid(self.value), ops.sigmoid_grad(self.value, self.slope))

    def tanh(self) -> Tangent:
        return Tangent(ops.tanh(self.value), ops.tanh_grad(self.value, self.slope))

    def softmax(self, allowed: np.ndarray) -> Tangent:
        """Along the last axis: its slopes are the same in both directions, so its gradient serves."""
        lowest = self.dtype.type(0.7 * np.finfo(self.dtype).min)
        x = np.where(allowed, self.value, lowest)
        return Tangent(ops.softmax(x), ops.softmax_grad(x, np.where(allowed, self.slope, 0)))


def _like(other: Any) -> Tangent:
    if isinstance(other, Tangent):
        return other
    # A plain number has no dtype of its own, and must not get one.
    return Tangent(other, np.zeros_like(other) if isinstance(other, np.ndarray) else 0)  # type: ignore[arg-type]
