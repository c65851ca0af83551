"""What layers of many steps have in common: the steps are written once, and bound their own rounding.

The steps take arrays; or an `Estimate` in place of each, which is then the bound of the result; or a
`Tangent`, which says how much the result changes with one number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers.layer import Arrays, Entry, Layer
from cnnviz.layers.operands import Position
from cnnviz.layers.running_error import Estimate
from cnnviz.layers.tangents import Tangent
from cnnviz.layers.work import Effort, Sizes

LOWEST = float(np.float32(0.7 * np.finfo(np.float32).min))
"""The score, in float32, of what is not allowed."""

Numbers = Any
"""An array, or an `Estimate` or a `Tangent` of one."""
Wrap = Callable[[np.ndarray], Numbers]


class EstimatedEntry(Entry):
    """A class that says its steps forward and back, on what `wrap` makes of inputs and weights."""

    def forward(self, layer: Layer, inputs: Arrays, wrap: Wrap) -> Numbers:
        """The result before the activation."""
        raise NotImplementedError(f"{type(self).__name__} says no steps")

    def steps(self, layer: Layer, inputs: Arrays, wrap: Wrap) -> dict[str, Numbers]:
        """What each step that the browser shows comes to, by its name."""
        return {}

    def backward(
        self, layer: Layer, inputs: Arrays, grad: np.ndarray, wrap: Wrap
    ) -> tuple[list[Numbers], dict[str, Numbers]]:
        """The gradients with respect to the inputs, and to the weights by name."""
        raise NotImplementedError(f"{type(self).__name__} says no steps back")

    def compute(self, layer: Layer, *inputs: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.forward(layer, inputs, _as_it_is)

    def input_gradients(self, layer: Layer, inputs: Arrays, grad: np.ndarray) -> tuple[np.ndarray, ...]:
        with np.errstate(all="ignore"):
            return tuple(self.backward(layer, inputs, grad, _as_it_is)[0])

    def weight_gradient(self, layer: Layer, weight: str, inputs: Arrays, grad: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.backward(layer, inputs, grad, _as_it_is)[1][weight].reshape(
                layer.weights[weight].shape
            )

    def input_slopes(self, layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
        carriers = [x + 0j for x in inputs]
        carriers[place][(0, *cell)] += 1j
        with np.errstate(all="ignore"):
            return self.forward(layer, carriers, Tangent.of).slope[0]

    def weight_slopes(self, layer: Layer, weight: str, index: Position, inputs: Arrays) -> np.ndarray:
        carrier = np.array(layer.weights[weight] + 0j)
        carrier[index] += 1j
        carried = replace(layer, weights={**layer.weights, weight: carrier})
        with np.errstate(all="ignore"):
            return self.forward(carried, inputs, Tangent.of).slope

    def gradient_effort(self, layer: Layer, shapes: Sequence[Sizes], out: Sizes) -> Effort:
        # Each weight's gradient is worked out by itself, with all steps forward and back.
        forward = self.effort(layer, shapes, out)
        return Effort(3 * (1 + len(layer.weights)) * forward.work, 2 * forward.numbers)

    def roundings(self, layer: Layer, inputs: Arrays) -> int:
        # The estimate counts them.
        return 1

    def magnitude(self, layer: Layer, inputs: Arrays) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.forward(layer, inputs, Estimate.exact).error

    def gradient_roundings(self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray) -> int:
        return 1

    def gradient_magnitude(
        self, layer: Layer, of: str, inputs: Arrays, grad: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        with np.errstate(all="ignore"):
            found, weights = self.backward(layer, inputs, grad, Estimate.exact)
        if of:
            return (weights[of].error.reshape(layer.weights[of].shape),)
        return tuple(each.error for each in found)


def _as_it_is(array: np.ndarray) -> np.ndarray:
    return array


def turned(x: Numbers) -> Numbers:
    """The last two axes exchanged."""
    order = list(range(len(x.shape)))
    return x.transpose(*order[:-2], order[-1], order[-2])


def rounded(number: float, like: Numbers) -> Numbers:
    """A number in the dtype of an array; in an estimate it is off by its rounding."""
    if isinstance(like, Estimate):
        return Estimate(np.array(number), np.array(abs(number)), like.roundoff)
    return like.dtype.type(number)


def sigmoid(x: Numbers) -> Numbers:
    """`ops.sigmoid`, or its estimate or tangent."""
    return x.sigmoid() if isinstance(x, Estimate | Tangent) else ops.sigmoid(x)


def tanh(x: Numbers) -> Numbers:
    """`ops.tanh`, or its estimate or tangent."""
    return x.tanh() if isinstance(x, Estimate | Tangent) else ops.tanh(x)


def softmax(x: Numbers, allowed: np.ndarray) -> Numbers:
    """Along the last axis; what is not allowed counts as so low that its share is 0, unless nothing is."""
    if isinstance(x, Estimate | Tangent):
        return x.softmax(allowed)
    return ops.softmax(masked(x, allowed))


def masked(x: Numbers, allowed: np.ndarray) -> Numbers:
    """What is not allowed is as low as Keras makes it."""
    if isinstance(x, Estimate):
        return x * allowed + LOWEST * ~allowed
    return x if allowed.all() else np.where(allowed, x, x.dtype.type(0.7 * np.finfo(x.dtype).min))


def dropped(x: Numbers, kept: np.ndarray | None) -> Numbers:
    """What dropout leaves of numbers, as much as each counts; all of them where there is none."""
    return x if kept is None else x * kept


def softmax_back(grad: Numbers, shares: Numbers, allowed: np.ndarray) -> Numbers:
    """From the gradient of the shares to that of the numbers; what is not allowed has none."""
    return shares * (grad - (grad * shares).sum(-1, keepdims=True)) * allowed


def allowed_places(
    queries: int, keys: int, causal: bool, window: int | None = None, *, of: int = 1
) -> np.ndarray:
    """Which keys each query may read: with `causal` none behind it, with a window those that are near.

    One truth stands for all where nothing is left out; and without images (`of`=0), where there may be more
    places than there is memory for.

    >>> allowed_places(2, 3, causal=True).tolist()
    [[True, False, False], [True, True, False]]
    """
    if not of or not (causal or window):
        return np.ones((1, 1), bool)
    query, key = np.arange(queries)[:, np.newaxis], np.arange(keys)
    longest = max(queries, keys)
    near = longest if window is None else min(window, longest)
    allowed = key > query - near
    allowed &= key <= query if causal else key < query + near
    return allowed
