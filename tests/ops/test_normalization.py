"""Batch normalization and Normalization, and their gradients: literals, Keras's, error bounds, arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cnnviz import ops
from cnnviz.ops import cellwise
from harness import authority, gradient_authority, rounding
from harness.accuracy import Accuracy, check_float64
from harness.cases import (
    Case,
    assert_same_specials,
    batches,
    channels,
    compare,
    kinds,
    numbers,
    seeds,
)
from harness.gradient_cases import compare_case, compare_gradients
from harness.rounding import unit_roundoff


@given(
    lead=arrays.array_shapes(min_dims=1, max_dims=3, max_side=5),
    depth=st.integers(1, 9),
    scale=st.booleans(),
    center=st.booleans(),
    epsilon=st.sampled_from([1e-3, 1e-5, 1e-7, 0.1]),
    kind=kinds,
    seed=seeds,
)
def test_batch_norm_is_keras(
    accuracy: Accuracy,
    lead: tuple[int, ...],
    depth: int,
    scale: bool,
    center: bool,
    epsilon: float,
    kind: str,
    seed: int,
) -> None:
    channel = (depth,)
    shapes = ((*lead, depth), channel, channel, channel if scale else None, channel if center else None)
    case = Case(shapes, {"epsilon": epsilon}, kind, seed, nonnegative=(2,))
    compare(accuracy, "batch_norm", case)


@given(seed=seeds)
def test_batch_norm_of_special_values_is_keras(seed: int) -> None:
    """Infinities and NaN in x, variances of 0 and below, an infinite mean."""
    rng = np.random.default_rng(seed)
    x, mean, variance, gamma, beta = (
        rng.choice([0, 1, -2, np.nan, np.inf, -np.inf], shape).astype(np.float32)
        for shape in ((4, 6), (6,), (6,), (6,), (6,))
    )
    for dtype in (np.float32, np.float64):
        arguments = [array.astype(dtype) for array in (x, mean, variance, gamma, beta)]
        assert_same_specials(ops.batch_norm(*arguments), authority.batch_norm(*arguments))


def test_batch_norm_standardises_then_scales_and_shifts() -> None:
    x = np.array([[3.0, 10.0], [5.0, 20.0]])
    result = ops.batch_norm(x, [1.0, 10.0], [4.0, 25.0], [1.0, 3.0], [0.0, -1.0], epsilon=0)
    np.testing.assert_allclose(result, [[1, -1], [2, 5]], rtol=1e-15)
    scale, shift = ops.batch_norm_affine([1.0, 10.0], [4.0, 25.0], [1.0, 3.0], [0.0, -1.0], epsilon=0)
    np.testing.assert_allclose(x * scale + shift, result)
    assert ops.batch_norm([2.0], [0.0], [0.0]) == 2 / np.sqrt(1e-3)


def test_batch_norm_of_float64_uses_all_its_digits_beside_float32_statistics() -> None:
    mean, variance = np.float32([1 / 3]), np.float32([0.7])
    exact = (1.5 - np.float64(mean)) / np.sqrt(np.float64(variance) + 1e-3)
    np.testing.assert_allclose(ops.batch_norm(np.array([1.5]), mean, variance), exact, rtol=1e-15)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), np.zeros(2), np.zeros(2)),
            ValueError,
            "the last axis of x must have 2 channels (mean.shape=(2,)), got x.shape=(2, 3)",
        ),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), np.zeros(3), np.zeros(1)),
            ValueError,
            "variance must have the shape of mean, (3,), got variance.shape=(1,)",
        ),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), np.zeros(3), np.zeros(3), beta=0.0),
            ValueError,
            "beta must have the shape of mean, (3,), got beta.shape=()",
        ),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), np.zeros(3), np.zeros(3), epsilon=-1e-3),
            ValueError,
            "epsilon must not be negative, got -0.001",
        ),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), np.zeros(3), np.zeros(3), epsilon="tiny"),
            TypeError,
            "epsilon must be a number, got 'tiny'",
        ),
        (
            lambda: ops.batch_norm(np.zeros((2, 3)), None, np.zeros(3)),
            TypeError,
            "mean must be an array of numbers, got None",
        ),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


shapes = arrays.array_shapes(min_dims=1, max_dims=5, max_side=4)


# Scaling ----------------------------------------------------------------------------------------


@given(shape=shapes, kind=kinds, seed=seeds, still=st.booleans())
def test_normalize_is_keras(
    accuracy: Accuracy, shape: tuple[int, ...], kind: str, seed: int, still: bool
) -> None:
    shape = (2, *shape)
    x, mean, variance = Case((shape, shape[-1:], shape[-1:]), {}, kind, seed).arrays()
    variance = np.zeros_like(variance) if still else np.abs(variance)
    exact, theirs = (
        authority.layer("Normalization", x.astype(dtype), mean=mean, variance=variance)
        for dtype in (np.float64, np.float32)
    )
    bound = rounding.normalize_bound(x, mean, variance)
    check_float64("normalize", ops.normalize(x.astype(np.float64), mean, variance), exact, bound)
    accuracy.check("normalize", ops.normalize(x, mean, variance), exact, bound, theirs)


# Literals ---------------------------------------------------------------------------------------


MAPS = np.zeros((1, 4, 5, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.normalize(MAPS, np.zeros(3), 1.0),
            ValueError,
            "mean must broadcast to x.shape=(1, 4, 5, 2), got mean.shape=(3,)",
        ),
        (
            lambda: ops.normalize(np.zeros((1, 2)), 0.0, np.ones((4, 2))),
            ValueError,
            "variance must broadcast to x.shape=(1, 2), got variance.shape=(4, 2)",
        ),
    ],
)
def test_wrong_arguments_of_normalize_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


# Gradients --------------------------------------------------------------------------------------


def test_batch_norm_literals() -> None:
    """scale = gamma / sqrt(variance + epsilon) = 6 / 2."""
    grad, x = [[1.0], [10.0]], [[5.0], [7.0]]
    mean, variance, gamma = [3.0], [3.0], [6.0]
    assert ops.batch_norm_input_grad(grad, variance, gamma, epsilon=1).tolist() == [[3], [30]]
    assert ops.batch_norm_gamma_grad(x, grad, mean, variance, epsilon=1).tolist() == [(2 + 40) / 2]
    assert ops.batch_norm_beta_grad(grad).tolist() == [11]
    assert ops.batch_norm_mean_grad(grad, variance, gamma, epsilon=1).tolist() == [-33]
    found = ops.batch_norm_variance_grad(x, grad, mean, variance, gamma, epsilon=1)
    assert found.tolist() == [-0.5 * 6 / 8 * (2 + 40)]


leading = st.lists(st.integers(1, 4), max_size=2).map(tuple)


@given(
    lead=st.tuples(batches, leading),
    depth=channels,
    gamma=st.booleans(),
    beta=st.booleans(),
    epsilon=st.sampled_from([1e-3, 0.1, 1.0]),
    kind=kinds,
    seed=seeds,
)
def test_batch_norm_gradients_are_keras(
    accuracy: Accuracy,
    lead: Any,
    depth: int,
    gamma: bool,
    beta: bool,
    epsilon: float,
    kind: str,
    seed: int,
) -> None:
    own = (depth,)
    shapes = ((lead[0], *lead[1], depth), own, own, own if gamma else None, own if beta else None)
    case = Case(shapes, {"epsilon": epsilon}, kind, seed, nonnegative=(2,))
    compare_case(accuracy, "batch_norm", case)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.batch_norm_input_grad(np.zeros((2, 3)), np.ones(4)),
            "the last axis of grad must have 4 channels (variance.shape=(4,)), got grad.shape=(2, 3)",
        ),
        (
            lambda: ops.batch_norm_input_grad(np.zeros((2, 3)), np.ones(3), np.ones(2)),
            "gamma must have the shape of variance, (3,), got gamma.shape=(2,)",
        ),
        (
            lambda: ops.batch_norm_input_grad(np.zeros((2, 3)), np.ones((1, 3))),
            "variance must be (channels,), got variance.shape=(1, 3)",
        ),
        (
            lambda: ops.batch_norm_gamma_grad(np.zeros((2, 3)), np.zeros((3, 2)), np.ones(3), np.ones(3)),
            "grad must have the result's shape, (2, 3), got grad.shape=(3, 2)",
        ),
        (
            lambda: ops.batch_norm_variance_grad(
                np.zeros((2, 3)), np.zeros((2, 3)), np.ones(3), np.ones(3), epsilon=-1
            ),
            "epsilon must not be negative, got -1",
        ),
    ],
)
def test_wrong_arguments_of_gradients_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


# TensorFlow -------------------------------------------------------------------------------------


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 4), channels),
    shared=st.sets(st.integers(0, 2)),
    zero=st.booleans(),
    kind=st.sampled_from(["normal", "integers", "sparse"]),
    seed=seeds,
)
def test_normalize_gradients_are_keras(
    accuracy: Accuracy, shape: Any, shared: set[int], zero: bool, kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    own = tuple(1 if axis in shared else size for axis, size in enumerate(shape))
    x, mean, grad = (numbers(rng, s, kind) for s in (shape, own, shape))
    variance = np.abs(numbers(rng, own, "normal")) + np.float32(0.01)
    options: dict[str, Any] = {}
    compare_gradients(accuracy, "normalize", [x, mean, variance], grad, options)


def test_a_variance_too_small_to_matter_has_no_gradient() -> None:
    """Where the root is held at 1e-7; TensorFlow's derivative of a root is infinite at 0."""
    found = ops.normalize_variance_grad([[3.0, 3.0]], [[1.0, 1.0]], [1.0, 1.0], [0.0, 1e-20])
    assert found.tolist() == [0, 0]
    assert ops.normalize_grad([[3.0]], [0.0]).tolist() == [[3 / 1e-7]]


# Arguments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.normalize_grad(np.zeros((2, 6)), np.ones(5)),
            ValueError,
            "variance must broadcast to shape (2, 6), got variance.shape=(5,)",
        ),
        (
            lambda: ops.normalize_mean_grad(np.zeros((2, 6)), (5,), np.ones(6)),
            ValueError,
            "mean must broadcast to shape (2, 6), got mean.shape=(5,)",
        ),
    ],
)
def test_wrong_arguments_of_normalize_gradients_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


# Training ---------------------------------------------------------------------------------------


def test_literals_of_training() -> None:
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
    rng, axes = np.random.default_rng(seed), tuple(range(len(lead)))
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
    for operands, g, dtype, factor in (
        ([x, *own], grad, np.float32, 1.01),
        # TensorFlow's own rounding counts here, and it takes the variance otherwise.
        (wide, grad.astype(np.float64), np.float64, 10),
    ):
        u = factor * unit_roundoff(dtype)
        result = ops.batch_norm_training(*operands, **options)[0]
        assert result.dtype == dtype
        assert np.all(np.abs(result - y) <= u * allowed["y"])
        x_grad = ops.batch_norm_training_input_grad(operands[0], g, operands[1], **options)
        assert x_grad.dtype == dtype
        assert np.all(np.abs(x_grad - exact[0]) <= u * allowed["x"])
        if gamma:
            found = ops.batch_norm_training_gamma_grad(operands[0], g, **options)
            assert np.all(np.abs(found - exact[1]) <= u * allowed["gamma"])
        together = ops.batch_norm_training_grad(operands[0], g, operands[1], **options)
        np.testing.assert_array_equal(together[0], x_grad)
        np.testing.assert_array_equal(
            together[1], ops.batch_norm_training_gamma_grad(operands[0], g, **options)
        )
        assert np.all(np.abs(together[2] - g.sum(axes, np.float64)) <= u * g.size * np.abs(g).sum(axes))


def test_known_statistics_need_not_be_computed_again() -> None:
    rng = np.random.default_rng(4)
    x, grad, gamma = rng.normal(size=(7, 5, 3)), rng.normal(size=(7, 5, 3)), rng.normal(size=3)
    _, mean, variance = ops.batch_norm_training(x, gamma)
    known = ops.batch_norm_training_grad(x, grad, gamma, mean=mean, variance=variance)
    for found, expected in zip(known, ops.batch_norm_training_grad(x, grad, gamma), strict=True):
        np.testing.assert_array_equal(found, expected)
    # And that they are taken: those of another batch give another gradient.
    other = ops.batch_norm_training_grad(x, grad, gamma, mean=mean + 1, variance=variance)
    assert np.abs(other[1] - known[1]).min() > 1e-3


def test_many_bands_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of small integers are exact, however the cells are cut into rows and bands."""
    rng = np.random.default_rng(6)
    x = rng.integers(-9, 10, (12, 5, 7, 4)).astype(np.float32)
    grad = rng.integers(-9, 10, x.shape).astype(np.float32)
    results = []
    for row, band in ((1 << 10, 1 << 17), (16, 40), (1, 1)):
        monkeypatch.setattr(cellwise, "ROW", row)
        monkeypatch.setattr(cellwise, "BAND", band)
        cellwise.cells_in_row.cache_clear()
        results.append(
            [*ops.batch_norm_training(x)[:2], ops.batch_norm_training_grad(x, grad)[2], ops.relu(x)]
        )
    cellwise.cells_in_row.cache_clear()
    for result in results[1:]:
        np.testing.assert_allclose(result[0], results[0][0], rtol=1e-5, atol=1e-6)
        for found, expected in zip(result[1:], results[0][1:], strict=True):
            np.testing.assert_array_equal(found, expected)


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
def test_wrong_arguments_of_training_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
