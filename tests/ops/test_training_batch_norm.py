"""Batch normalisation with the batch's statistics: literals, Keras's, error bounds, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnviz import ops
from harness import gradient_authority
from harness.cases import channels, numbers, seeds
from harness.rounding import unit_roundoff


def test_literals() -> None:
    y, mean, variance = ops.batch_norm_training([[1.0], [3.0]], [10.0], [5.0], epsilon=3)
    assert (y.tolist(), mean.tolist(), variance.tolist()) == ([[0], [10]], [2], [1])
    grad = [[1.0], [0.0]]
    # z = -1/2, 1/2 and scale 10/2: 5 * (grad - 1/2 - z * mean(grad * z)), that mean being -1/4.
    found = ops.batch_norm_training_input_grad([[1.0], [3.0]], grad, [10.0], epsilon=3)
    assert found.tolist() == [[5 * (1 / 2 - 1 / 8)], [5 * (-1 / 2 + 1 / 8)]]
    assert ops.batch_norm_training_gamma_grad([[1.0], [3.0]], grad, epsilon=3).tolist() == [-0.5]


def test_it_is_the_inference_form_with_the_batchs_own_statistics() -> None:
    x = np.random.default_rng(0).normal(3, 2, (5, 4, 4, 3))
    y, mean, variance = ops.batch_norm_training(x, np.arange(3), np.ones(3))
    np.testing.assert_allclose(
        y, ops.batch_norm(x, mean, variance, np.arange(3), np.ones(3)), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(mean, x.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(variance, x.var(axis=(0, 1, 2)))


def test_statistics_take_the_shift_and_the_stretch_out_of_the_gradient() -> None:
    """Adding to all x or, with epsilon 0, multiplying them changes nothing: the gradient is across both."""
    rng = np.random.default_rng(1)
    x, grad = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    found = ops.batch_norm_training_input_grad(x, grad, epsilon=0)
    np.testing.assert_allclose(found.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose((found * x).sum(axis=0), 0, atol=1e-12)


def allowance(x: np.ndarray, grad: np.ndarray, gamma: np.ndarray | None, epsilon: float) -> dict[str, Any]:
    """How far y and the gradients may be off, in units of u: first-order error analysis of the formulas.

    n numbers are summed in any order. The mean is off by m = n*mean|x|, and x - mean by that and its own
    rounding: c. The variance is off by twice its centred numbers' errors times their sizes, in the mean, and
    n + 2 roundings; the root halves that relative error, to r, with three roundings more. z = centred*scale
    is off by e; what follows is the product rule.
    """
    count = x.size // x.shape[-1]
    axes = tuple(range(x.ndim - 1))
    mean, spread = x.mean(axes), x - x.mean(axes)
    scale = 1 / np.sqrt((spread**2).mean(axes) + epsilon)
    c = count * np.abs(x).mean(axes) + np.abs(mean) + np.abs(spread)
    v = 2 * (np.abs(spread) * c).mean(axes) + (count + 2) * (spread**2).mean(axes)
    r = 0.5 * v * scale**2 + 3
    z, e = spread * scale, c * scale + np.abs(spread) * scale * (r + 1)
    g = np.abs(grad)
    common, along = g.mean(axes), (g * np.abs(z)).mean(axes)
    along_off = (g * e).mean(axes) + (count + 2) * along
    inner = g + common + np.abs(z) * along
    inner_off = (count + 1) * common + e * along + np.abs(z) * (along_off + along) + 2 * inner
    factor = scale if gamma is None else scale * np.abs(gamma)
    size = 1 if gamma is None else np.abs(gamma)
    return {
        "y": size * (e + 2 * np.abs(z)),
        "x": factor * (inner_off + inner * (r + 2)),
        "gamma": (g * e).sum(axes) + (count + 4) * (g * np.abs(z)).sum(axes),
    }


@given(
    lead=st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
    depth=channels,
    gamma=st.booleans(),
    beta=st.booleans(),
    epsilon=st.sampled_from([1e-3, 0.1]),
    kind=st.sampled_from(["normal", "integers", "sparse"]),
    offset=st.sampled_from([0, 0, 3]),
    seed=seeds,
)
def test_batch_norm_training_is_keras(
    lead: tuple[int, ...],
    depth: int,
    gamma: bool,
    beta: bool,
    epsilon: float,
    kind: str,
    offset: float,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x = numbers(rng, (*lead, depth), kind) + np.float32(offset)
    own = [numbers(rng, (depth,), "normal") if given_ else None for given_ in (gamma, beta)]
    grad = numbers(rng, x.shape, "normal")
    wide = [None if a is None else a.astype(np.float64) for a in (x, *own)]
    options = {"epsilon": epsilon}
    forward = gradient_authority.batch_norm_training
    exact = gradient_authority.gradients(forward, wide, grad.astype(np.float64), **options)
    allowed = allowance(wide[0], grad.astype(np.float64), wide[1], epsilon)
    y = np.asarray(forward(*wide, **options))
    if beta:
        allowed["y"] = allowed["y"] + np.abs(wide[2]) + np.abs(y)
    for arrays, g, dtype, factor in (
        ([x, *own], grad, np.float32, 1.01),
        # TensorFlow's own rounding counts here, and it takes the variance otherwise.
        (wide, grad.astype(np.float64), np.float64, 10),
    ):
        u = factor * unit_roundoff(dtype)
        result = ops.batch_norm_training(*arrays, **options)[0]
        assert result.dtype == dtype
        assert np.all(np.abs(result - y) <= u * allowed["y"])
        x_grad = ops.batch_norm_training_input_grad(arrays[0], g, arrays[1], **options)
        assert x_grad.dtype == dtype
        assert np.all(np.abs(x_grad - exact[0]) <= u * allowed["x"])
        if gamma:
            found = ops.batch_norm_training_gamma_grad(arrays[0], g, **options)
            assert np.all(np.abs(found - exact[1]) <= u * allowed["gamma"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.batch_norm_training(np.zeros((0, 3))),
            "x must be (..., channels) and hold numbers, got x.shape=(0, 3)",
        ),
        (
            lambda: ops.batch_norm_training(np.zeros((2, 3)), np.ones(2)),
            "gamma must have one number for each channel of x.shape=(2, 3), got gamma.shape=(2,)",
        ),
        (
            lambda: ops.batch_norm_training(np.zeros((2, 3)), epsilon=-0.5),
            "epsilon must not be negative, got -0.5",
        ),
        (
            lambda: ops.batch_norm_training_input_grad(np.zeros((2, 3)), np.zeros(3)),
            "grad must have the result's shape, (2, 3), got grad.shape=(3,)",
        ),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
