"""What the browser computes for a layer: operations in plain values, and the arrays that they name.

An operation is a mapping with a "type" that stage/js/forward.js knows. Weights go by the names under
which `Network.with_weights` exchanges them. A layer without an operation is "given": the stage shows
Python's values and says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]

OPERATIONS = frozenset(
    {
        *("input", "conv", "transposed", "pool", "sample", "affine", "activation", "softmax", "move"),
        *("merge", "contract", "reduce", "normalize", "lookup", "each", "given"),
    }
)
"""All types of operations; forward.js has a function for each but "input" and "given"."""


@dataclass(frozen=True)
class Drawn:
    """What is known of a layer where it is drawn: shapes without the batch.

    `inputs` and `output` are as the network has them. `columns` are as what it reads is drawn: the same
    numbers in the same order, but a map that was only flattened is still seen as a map.
    """

    inputs: tuple[Shape, ...]
    output: Shape
    columns: tuple[Shape, ...]

    @property
    def sources(self) -> tuple[Shape, ...]:
        """The shapes that the layer reads, each as (height, width, channels)."""
        return tuple(map(drawn_shape, self.inputs))

    @property
    def shape(self) -> Shape:
        return drawn_shape(self.output)


@dataclass(frozen=True)
class BrowserStage:
    """One step of a layer as the browser computes it.

    Parameters
    ----------
    op
        Its "type", and what that needs.
    arrays
        The arrays that `op` names.
    shape
        Of the result as drawn; None is that of the layer's output.
    exact
        Whether the browser computes the same bits as Python.
    name
        What is put behind the layer's name: the first half of a separable convolution is "depthwise".
    value
        Gives the result from the layer, with the weights that it has in a run, and from what it read there,
        where it is neither its pre-activation nor its output.
    reads
        What it reads: the layer's inputs by their number, and its earlier steps by their names. None is the
        step before or, of the first, all inputs.
    """

    op: dict[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    shape: Shape | None = None
    exact: bool = False
    name: str = ""
    value: Callable[..., np.ndarray] | None = None
    reads: tuple[int | str, ...] | None = None


def drawn_shape(shape: Shape) -> Shape:
    """A shape without batch as (height, width, channels), the numbers in the same order.

    >>> drawn_shape(()), drawn_shape((10,)), drawn_shape((5, 8)), drawn_shape((4, 4, 2))
    ((1, 1, 1), (1, 1, 10), (5, 1, 8), (4, 4, 2))
    """
    shape = shape or (1,)
    if len(shape) == 3:
        return shape
    if len(shape) < 3:
        return (*shape[:-1], *(1,) * (3 - len(shape)), shape[-1])
    return (math.prod(shape[:-2]), *shape[-2:])


def strides(shape: Shape) -> Shape:
    """How far apart, in the flat array, the neighbours along each axis lie.

    >>> strides((4, 3, 2))
    (6, 2, 1)
    """
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def broadcast_places(shape: Shape, output: Shape) -> np.ndarray | None:
    """Which number of an array of this shape each number of an output reads; None where they just repeat.

    >>> broadcast_places((2, 1), (2, 3)).tolist(), broadcast_places((1, 3), (2, 3))
    ([0, 0, 0, 1, 1, 1], None)
    """
    full = (1,) * (len(output) - len(shape)) + shape
    places = np.broadcast_to(np.arange(math.prod(shape), dtype=np.int32).reshape(full), output).ravel()
    repeated = np.array_equal(places, np.arange(len(places)) % max(math.prod(shape), 1))
    return None if repeated else places
