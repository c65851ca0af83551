"""Tangents against differences, for every operation that steps are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnnviz.layers.estimated import sigmoid, softmax, softmax_back, tanh, turned
from cnnviz.layers.tangents import Tangent
from harness.networks import normal

X, Y = normal(2, 3, 4), normal(2, 3, 4, seed=3)
ALLOWED = np.array([[True, True, False, True]])

STEPS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: x.sum(1),
    "kept": lambda x: x.sum(-1, keepdims=True),
    "moved": lambda x: turned(x).reshape(2, 2, 2, 3).repeat(2, 1),
    "plus": lambda x: 1 - (x + Y) - x,
    "minus an array": lambda x: Y - x,
    "broadcast": lambda x: x + np.ones((5, 1, 1, 1)),
    "times": lambda x: 2 * x * (x * Y),
    "product": lambda x: x @ turned(x),
    "product with an array": lambda x: x @ np.ones((4, 2)),
    "sigmoid": sigmoid,
    "tanh": tanh,
    "softmax": lambda x: softmax(x, np.ones((1, 4), bool)),
    "masked": lambda x: softmax(x, ALLOWED),
    "nothing allowed": lambda x: softmax(x, ALLOWED & False),
    "softmax_back": lambda x: softmax_back(x * x, softmax(x, ALLOWED), ALLOWED),
}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_against_a_difference(name: str) -> None:
    direction = normal(2, 3, 4, seed=5)
    found = STEPS[name](Tangent.of(X + 1j * direction))
    step = 1e-6
    expected = (STEPS[name](X + step * direction) - STEPS[name](X - step * direction)) / (2 * step)
    assert found.value.shape == found.slope.shape == expected.shape
    np.testing.assert_array_equal(found.value, STEPS[name](X))
    # The difference is off by the step's square and by rounding over the step.
    np.testing.assert_allclose(found.slope, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", STEPS)
def test_a_plain_number_does_not_widen(name: str) -> None:
    if name in ("sum", "kept", "moved", "sigmoid", "tanh", "softmax", "masked", "softmax_back"):
        found = STEPS[name](Tangent.of((X + 1j).astype(np.complex64)) * 2 - 1)
        assert found.value.dtype == found.slope.dtype == np.float32
