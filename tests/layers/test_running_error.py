"""Estimates: the same steps in float32 stay within them, and they are not so wide that anything does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnnviz import ops
from cnnviz.layers.running_error import Estimate
from harness.networks import normal

U = 2.0**-24
A, B = (normal(40, 30, seed=i).astype(np.float32) for i in range(2))
ALL = np.ones((40, 40), bool)

STEPS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "product": (lambda a, b: a * b, lambda a, b: a * b),
    "matrices": (lambda a, b: a @ b.transpose(1, 0), lambda a, b: a @ b.transpose(1, 0)),
    "difference of sums": (
        lambda a, b: (a + b).sum(0) - (a * 2 + b).sum(0),
        lambda a, b: (a + b).sum(0) - (a * 2 + b).sum(0),
    ),
    "three matrices": (
        lambda a, b: (1 - a) @ b.transpose(1, 0) @ a,
        lambda a, b: (1 - a) @ b.transpose(1, 0) @ a,
    ),
    "softmax": (
        lambda a, b: ops.softmax(a @ b.transpose(1, 0)),
        lambda a, b: (a @ b.transpose(1, 0)).softmax(ALL),
    ),
    "sigmoid": (lambda a, b: ops.sigmoid(a + b), lambda a, b: (a + b).sigmoid()),
    "tanh": (lambda a, b: ops.tanh(a + b), lambda a, b: (a + b).tanh()),
}


@pytest.mark.parametrize("name", STEPS)
def test_float32_stays_within_the_estimate(name):
    compute, estimate = STEPS[name]
    found = estimate(Estimate.exact(A), Estimate.exact(B))
    exact = compute(A.astype(np.float64), B.astype(np.float64))
    np.testing.assert_allclose(found.value, exact, rtol=0, atol=1e-12)
    error = np.abs(compute(A, B) - exact)
    assert (error <= U * found.error).all()
    assert U * found.error.max() < 1e-3 * np.abs(exact).max()


def test_one_rounding_is_one_unit():
    product = Estimate.exact(np.float32([3.0])) * Estimate.exact(np.float32([5.0]))
    assert (product.value, product.error) == (15, 15)
    given = Estimate.exact(np.float32([3.0]), relative=2)
    assert given.error == 6


def test_what_is_not_allowed_has_no_share():
    scores = Estimate.exact(np.float32([[1, 2, 300], [4, 5, 6]]))
    shares = scores.softmax(np.array([[True, True, False], [False, False, False]]))
    np.testing.assert_allclose(shares.value[0], [1 / (1 + np.e), np.e / (1 + np.e), 0])
    np.testing.assert_allclose(shares.value[1], 1 / 3)
    assert shares.error[0, 2] == 0
    assert np.isfinite(shares.error).all()
