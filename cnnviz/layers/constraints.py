"""Constraints: where training puts a weight back after each step.

Follows keras/src/constraints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cnnviz.layers import options as read
from cnnviz.layers.keras_object import KerasObject
from cnnviz.layers.options import Options
from cnnviz.layers.regularizers import EPSILON


def _axis(value: Any, name: str) -> int | tuple[int, ...]:
    return read.ints(value, name) if isinstance(value, list | tuple) else read.axis(value, name)


AXIS: Options = {"axis": (_axis, 0)}


@dataclass(frozen=True)
class Constraint(KerasObject):
    """What training makes of a weight after each step.

    >>> Constraint.parse("non_neg").apply(np.array([1.0, -2.0]))
    array([1., 0.])
    """

    known: ClassVar[Mapping[str, Options]] = {
        "MaxNorm": {"max_value": (read.number, 2), **AXIS},
        "NonNeg": {},
        "UnitNorm": AXIS,
        "MinMaxNorm": {
            "min_value": (read.number, 0.0),
            "max_value": (read.number, 1.0),
            "rate": (read.number, 1.0),
            **AXIS,
        },
    }
    module: ClassVar[str] = "constraints"

    def apply(self, weight: np.ndarray) -> np.ndarray:
        """The weight as it is kept, in its own dtype.

        Raises ValueError for a constraint that is not known.
        """
        c, as_is = self.checked().arguments, weight.dtype.type
        if not c:
            return np.maximum(weight, as_is(0))
        lengths = np.sqrt(np.square(weight).sum(axis=c["axis"], keepdims=True))
        if "max_value" not in c:
            return weight / (as_is(EPSILON) + lengths)  # type: ignore[no-any-return]
        wanted = np.clip(lengths, as_is(c.get("min_value", 0)), as_is(c["max_value"]))
        if "rate" in c:
            wanted = as_is(c["rate"]) * wanted + as_is(1 - c["rate"]) * lengths
        return weight * (wanted / (as_is(EPSILON) + lengths))  # type: ignore[no-any-return]
