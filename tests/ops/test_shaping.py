"""Padding, cropping, upsampling, reshaping and scaling against literals and Keras's layers."""

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
from harness import authority, rounding
from harness.accuracy import Accuracy, check_float64
from harness.authority import tf
from harness.cases import Case, assert_same_specials, kinds, numbers, seeds, sprinkled

sides = st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2)
maps = st.tuples(st.integers(0, 2), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))
factors = st.just(0.0) | st.floats(1e-3, 9) | st.floats(-9, -1e-3)
shapes = arrays.array_shapes(min_dims=1, max_dims=5, max_side=4)


def drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return numbers(np.random.default_rng(seed), shape, "normal")


# Moving cells is exact --------------------------------------------------------------------------


@given(
    shape=maps,
    padding=sides | st.integers(0, 3) | st.tuples(st.integers(0, 3), st.integers(0, 3)),
    seed=seeds,
)
def test_zero_pad2d_is_keras(shape: tuple[int, ...], padding: Any, seed: int) -> None:
    x = drawn(shape, seed)
    expected = authority.layer("ZeroPadding2D", x, padding=padding)
    np.testing.assert_array_equal(ops.zero_pad2d(x, padding), expected)


@given(shape=maps, cropping=sides, seed=seeds)
def test_crop2d_is_keras(shape: tuple[int, ...], cropping: Any, seed: int) -> None:
    shape = (shape[0], shape[1] + sum(cropping[0]), shape[2] + sum(cropping[1]), shape[3])
    x = drawn(shape, seed)
    expected = authority.layer("Cropping2D", x, cropping=cropping)
    np.testing.assert_array_equal(ops.crop2d(x, cropping), expected)
    np.testing.assert_array_equal(ops.crop2d(ops.zero_pad2d(x, cropping), cropping), x)


@given(shape=maps, size=st.tuples(st.integers(1, 4), st.integers(1, 4)), seed=seeds)
def test_upsample2d_is_keras(shape: tuple[int, ...], size: Any, seed: int) -> None:
    x = drawn(shape, seed)
    np.testing.assert_array_equal(ops.upsample2d(x, size), authority.layer("UpSampling2D", x, size=size))


@given(shape=shapes, seed=seeds)
def test_flatten_is_keras(shape: tuple[int, ...], seed: int) -> None:
    x = drawn(shape, seed)
    np.testing.assert_array_equal(ops.flatten(x), authority.layer("Flatten", x))


@given(data=st.data(), batch=st.integers(1, 3), factors=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_reshape_is_keras(data: st.DataObject, batch: int, factors: list[int]) -> None:
    target = data.draw(st.permutations(factors))
    if data.draw(st.booleans()):
        target = [*target[:-1], -1]
    x = drawn((batch, *factors), 0)
    np.testing.assert_array_equal(
        ops.reshape(x, target), authority.layer("Reshape", x, target_shape=tuple(target))
    )


@given(data=st.data(), shape=shapes)
def test_permute_is_keras(data: st.DataObject, shape: tuple[int, ...]) -> None:
    dims = data.draw(st.permutations(range(1, len(shape))))
    x = drawn(shape, 0)
    expected = authority.layer("Permute", x, dims=tuple(dims)) if dims else x
    np.testing.assert_array_equal(ops.permute(x, dims), expected)


# Scaling ----------------------------------------------------------------------------------------


@given(shape=shapes, scale=factors, offset=factors, each=st.booleans(), kind=kinds, seed=seeds)
def test_rescale_is_tensorflows(
    accuracy: Accuracy,
    shape: tuple[int, ...],
    scale: float,
    offset: float,
    each: bool,
    kind: str,
    seed: int,
) -> None:
    x = numbers(np.random.default_rng(seed), shape, kind)
    pair: tuple[Any, Any] = (scale, offset)
    if each:
        steps = np.linspace(1, 2, shape[-1])
        pair = ((scale * steps).tolist(), (offset * steps).tolist())
    # Not by keras.layers.Rescaling, which takes its factors through float32.
    exact, theirs = (
        np.asarray(tf.constant(x, dtype) * tf.constant(pair[0], dtype) + tf.constant(pair[1], dtype))
        for dtype in (np.float64, np.float32)
    )
    bound = rounding.rescale_bound(x, *pair)
    check_float64("rescale", ops.rescale(x.astype(np.float64), *pair), exact, bound)
    accuracy.check("rescale", ops.rescale(x, *pair), exact, bound, theirs)


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


@given(seed=seeds)
def test_scaling_spreads_nan_and_inf_as_keras(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, mean, variance = (sprinkled(drawn(shape, seed), rng, 0.3) for shape in ((3, 5), (5,), (5,)))
    for scale in (0.0, -0.5):
        expected = authority.layer("Rescaling", x, scale=scale, offset=1.0)
        assert_same_specials(ops.rescale(x, scale, 1.0), expected)
        np.testing.assert_allclose(ops.rescale(x, scale, 1.0), expected, rtol=1e-6, atol=1e-6)
    assert_same_specials(
        ops.normalize(x, mean, variance), authority.layer("Normalization", x, mean=mean, variance=variance)
    )


# Literals ---------------------------------------------------------------------------------------


def test_literals() -> None:
    x = np.array([[1, 2], [3, 4]])
    assert ops.zero_pad2d(x).tolist() == [[0, 0, 0, 0], [0, 1, 2, 0], [0, 3, 4, 0], [0, 0, 0, 0]]
    assert ops.zero_pad2d(x, (0, 1)).tolist() == [[0, 1, 2, 0], [0, 3, 4, 0]]
    assert ops.zero_pad2d(x, ((1, 0), (0, 2))).tolist() == [[0, 0, 0, 0], [1, 2, 0, 0], [3, 4, 0, 0]]
    assert ops.crop2d(x, ((0, 1), (1, 0))).tolist() == [[2]]
    assert ops.crop2d(x).tolist() == x.tolist()
    assert ops.upsample2d(x, (2, 1)).tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]
    assert ops.upsample2d(x).shape == (4, 4)
    assert ops.flatten(np.arange(8).reshape(2, 2, 2)).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert ops.flatten([5, 6]).tolist() == [[5], [6]]
    assert ops.reshape([[1, 2, 3, 4]], [2, -1]).tolist() == [[[1, 2], [3, 4]]]
    assert ops.reshape(np.zeros((0, 6)), (-1, 2)).shape == (0, 3, 2)
    assert ops.reshape([[7]], ()).tolist() == [7]
    assert ops.permute([[[1, 2], [3, 4]]], (2, 1)).tolist() == [[[1, 3], [2, 4]]]
    assert ops.rescale([1, 2], [2, 3], 1).tolist() == [3, 7]
    assert ops.normalize([[3.0, 5.0]], [1.0, 5.0], [4.0, 0.0]).tolist() == [[1, 0]]
    assert ops.normalize([1.0], 0.0, 0.0).tolist() == [1e7]


X = np.zeros((1, 4, 5, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.zero_pad2d(X, -1), ValueError, "padding must be at least 0 and below 2**31, got -1"),
        (
            lambda: ops.zero_pad2d(X, ((1, 1), 2)),
            ValueError,
            "padding must be an int, a (height, width) pair or ((top, bottom), (left, right)), got ((1, 1)",
        ),
        (
            lambda: ops.zero_pad2d(X, "same"),
            TypeError,
            "(height, width) pair or ((top, bottom), (left, right))",
        ),
        (lambda: ops.zero_pad2d(np.zeros(3)), ValueError, "x must be (H, W), (H, W, C) or (N, H, W, C)"),
        (
            lambda: ops.crop2d(X, 2),
            ValueError,
            "cropping must leave at least one cell, got 2 for x.shape=(1, 4, 5, 2)",
        ),
        (lambda: ops.crop2d(X, ((0, 0), (3, 9))), ValueError, "cropping must leave at least one cell"),
        (lambda: ops.upsample2d(X, 0), ValueError, "size must be at least 1 and below 2**31, got 0"),
        (lambda: ops.upsample2d(X, 1.5), TypeError, "size must be an int or a (height, width) pair, got 1.5"),
        (lambda: ops.flatten(3.0), ValueError, "x must have a batch axis, got x.shape=()"),
        (
            lambda: ops.reshape(X, (3, -1)),
            ValueError,
            "shape must hold the 40 cells of each item of x.shape=(1, 4, 5, 2), got (3, -1)",
        ),
        (lambda: ops.reshape(X, (-1, -1)), ValueError, "got (-1, -1)"),
        (lambda: ops.reshape(X, (-2, -20)), ValueError, "got (-2, -20)"),
        (lambda: ops.reshape(X, (0, -1)), ValueError, "got (0, -1)"),
        (lambda: ops.reshape(X, 40), TypeError, "shape must be a sequence of ints, got 40"),
        (lambda: ops.reshape(X, (40.0,)), TypeError, "shape must be a sequence of ints, got (40.0,)"),
        (
            lambda: ops.permute(X, (1, 2)),
            ValueError,
            "dims must be 1 to 3 in some order for x.shape=(1, 4, 5, 2), got (1, 2)",
        ),
        (lambda: ops.permute(X, (0, 1, 2)), ValueError, "got (0, 1, 2)"),
        (lambda: ops.permute(X, "321"), TypeError, "dims must be a sequence of ints, got '321'"),
        (
            lambda: ops.rescale(X, [1, 2, 3]),
            ValueError,
            "scale must be a number or one for each channel of x.shape=(1, 4, 5, 2), got [1, 2, 3]",
        ),
        (lambda: ops.rescale(X, 1, "a"), TypeError, "offset must hold real numbers"),
        (lambda: ops.rescale(X, None), TypeError, "scale must be an array of numbers, got None"),
        (
            lambda: ops.normalize(X, np.zeros(3), 1.0),
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
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
