"""Regularisers: what training adds to the loss for the size of a weight, or of a layer's output.

Follows keras/src/regularizers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.keras_object import KerasObject
from cnnviz.layers.options import Options

EPSILON = 1e-7
"""Keras's fuzz factor, keras.config.epsilon()."""


def _factor(value: Any, name: str) -> float:
    if read.number(value, name) < 0:
        raise ValueError(f"{name} must be 0 or larger, got {value}")
    return float(value)


def _cast(factor: float, like: np.ndarray) -> np.floating:
    """A factor as Keras casts it: to float32 first, even where it computes in float64."""
    return like.dtype.type(np.float32(factor))


@dataclass(frozen=True)
class Regularizer(KerasObject):
    """What is added to the loss for an array, and its gradient.

    Keras adds it once for each weight that is trained: not for those of frozen layers, not for statistics.
    Where it is about a layer's output, Keras divides it by the number of images in the batch.

    >>> half = Regularizer.parse({"class_name": "L2", "config": {"l2": 0.5}})
    >>> half.penalty(np.array([1.0, -2.0])), half.gradient(np.array([1.0, -2.0]))
    (2.5, array([ 1., -2.]))
    """

    known: ClassVar[Mapping[str, Options]] = {
        "L1": {"l1": (_factor, 0.01)},
        "L2": {"l2": (_factor, 0.01)},
        "L1L2": {"l1": (_factor, 0.0), "l2": (_factor, 0.0)},
        "OrthogonalRegularizer": {
            "factor": (_factor, 0.01),
            "mode": (read.choice("rows", "columns"), "rows"),
        },
    }
    module: ClassVar[str] = "regularizers"

    def penalty(self, x: np.ndarray) -> float:
        """What is added to the loss, computed in the dtype of the array.

        Raises ValueError for a regulariser that is not known, and for an array that it is not made for.
        """
        if "factor" in self.checked().arguments:
            return float(np.abs(self._cosines(x)[0]).sum() * self._share(x))
        l1, l2 = self._factors(x)
        return float(l1 * np.abs(x).sum() + l2 * np.square(x).sum())

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient of the penalty with respect to each number; Raises as `penalty`."""
        if "factor" in self.checked().arguments:
            return self._orthogonal_gradient(x)
        l1, l2 = self._factors(x)
        return l1 * np.sign(x) + l2 * (2 * x)  # type: ignore[no-any-return]

    def _factors(self, x: np.ndarray) -> tuple[np.floating, np.floating]:
        l1, l2 = (_cast(self.arguments.get(name, 0.0), x) for name in ("l1", "l2"))
        return l1, l2

    # Rows that point apart ------------------------------------------------------------------------

    def _as_rows(self, x: np.ndarray) -> np.ndarray:
        if x.ndim != 2:
            raise ValueError(f"{self.name} is made for matrices, got an array of shape {x.shape}")
        return x if self.arguments["mode"] == "rows" else x.T

    def _cosines(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each row with each other one, 0 with itself; the rows with length 1; what made them so."""
        rows = self._as_rows(x)
        with np.errstate(divide="ignore"):
            inverse = 1 / np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
        inverse = np.minimum(inverse, x.dtype.type(1 / EPSILON))
        unit = rows * inverse
        return unit @ unit.T * (1 - np.eye(len(rows), dtype=x.dtype)), unit, inverse

    def _share(self, x: np.ndarray) -> np.floating:
        """Half the factor for each pair of rows."""
        count = len(self._as_rows(x))
        return _cast(self.arguments["factor"], x) / 2 / x.dtype.type(count * (count - 1) / 2)  # type: ignore[no-any-return]

    def _orthogonal_gradient(self, x: np.ndarray) -> np.ndarray:
        cosines, unit, inverse = self._cosines(x)
        by_unit = 2 * self._share(x) * (np.sign(cosines) @ unit)
        # The part along the row itself only changes its length, which is divided out.
        along = (by_unit * unit).sum(axis=1, keepdims=True) * (inverse < x.dtype.type(1 / EPSILON))
        gradient = (by_unit - unit * along) * inverse
        return gradient if self.arguments["mode"] == "rows" else gradient.T
