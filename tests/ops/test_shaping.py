"""Moving, repeating, adding, dropping and scaling cells, and the gradients: literals, Keras's, arguments."""

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
from harness import authority, gradient_authority, gradient_rounding, rounding
from harness.accuracy import Accuracy, check_float64
from harness.authority import tf
from harness.cases import (
    assert_same_specials,
    channels,
    kinds,
    numbers,
    seeds,
    sprinkled,
)
from harness.gradient_cases import compare_gradients

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
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


gradient_maps = st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(1, 5), channels)


def whole(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Whole numbers, sums of which are exact."""
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(np.float32)


def check_exactly(
    result: np.ndarray, forward: Callable[[Any], Any], x_shape: tuple[int, ...], grad: np.ndarray
) -> None:
    (expected,) = gradient_authority.gradients(forward, [np.zeros(x_shape, np.float32)], grad)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)


# TensorFlow -------------------------------------------------------------------------------------


@given(shape=gradient_maps, padding=sides, seed=seeds)
def test_padding_and_cropping_undo_each_other(shape: Any, padding: Any, seed: int) -> None:
    (top, bottom), (left, right) = padding
    count, height, width, depth = shape
    around = ((0, 0), *padding, (0, 0))
    padded = count, height + top + bottom, width + left + right, depth
    grad = whole(padded, seed)
    check_exactly(ops.zero_pad2d_grad(grad, padding), lambda x: tf.pad(x, around), shape, grad)
    grad = whole(shape, seed)
    check_exactly(
        ops.crop2d_grad(grad, padding),
        lambda x: x[:, top : top + height, left : left + width],
        padded,
        grad,
    )


@given(shape=gradient_maps, size=st.tuples(st.integers(1, 3), st.integers(1, 3)), kind=kinds, seed=seeds)
def test_upsampling_adds_its_copies_up(
    accuracy: Accuracy, shape: Any, size: tuple[int, int], kind: str, seed: int
) -> None:
    x = numbers(np.random.default_rng(seed), shape, kind)
    grad = numbers(np.random.default_rng(seed + 1), ops.upsample2d(x, size).shape, kind)

    def forward(x: Any, size: tuple[int, int]) -> Any:
        return tf.repeat(tf.repeat(x, size[0], 1), size[1], 2)

    compare_gradients(accuracy, "upsample2d", [x], grad, {"size": size}, forward=forward)


@given(shape=arrays.array_shapes(max_dims=5, max_side=4), data=st.data(), seed=seeds)
def test_reordering_is_undone(shape: tuple[int, ...], data: st.DataObject, seed: int) -> None:
    grad = whole((shape[0], int(np.prod(shape[1:]))), seed)
    check_exactly(ops.flatten_grad(grad, shape), lambda x: tf.reshape(x, grad.shape), shape, grad)
    check_exactly(ops.reshape_grad(grad, shape), lambda x: tf.reshape(x, grad.shape), shape, grad)
    dims = data.draw(st.permutations(range(1, len(shape))))
    grad = whole((shape[0], *(shape[axis] for axis in dims)), seed)
    check_exactly(ops.permute_grad(grad, dims), lambda x: tf.transpose(x, (0, *dims)), shape, grad)


@given(shape=gradient_maps, scalar=st.booleans(), kind=kinds, seed=seeds)
def test_rescaling_scales_the_gradient(
    accuracy: Accuracy, shape: Any, scalar: bool, kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    grad = numbers(rng, shape, kind)
    scale = 0.1 if scalar else numbers(rng, shape[-1:], kind).tolist()
    factor = tf.constant(scale, tf.float64)
    (exact,) = gradient_authority.gradients(
        lambda x: x * factor + 1, [np.zeros(shape)], grad.astype(np.float64)
    )
    assert exact is not None
    bound = gradient_rounding.rescale_grad_bound(grad, scale)
    check_float64("rescale_grad", ops.rescale_grad(grad.astype(np.float64), scale), exact, bound)
    accuracy.check("rescale_grad", ops.rescale_grad(grad, scale), exact, bound)


# Arguments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.zero_pad2d_grad(np.zeros((3, 3)), 2),
            ValueError,
            "padding must fit into grad, got 2 for grad.shape=(1, 3, 3, 1)",
        ),
        (lambda: ops.crop2d_grad(np.zeros((3, 3)), -1), ValueError, "cropping must be at least 0"),
        (
            lambda: ops.upsample2d_grad(np.zeros((3, 4)), 2),
            ValueError,
            "grad's height and width must be multiples of size=2, got grad.shape=(1, 3, 4, 1)",
        ),
        (
            lambda: ops.reshape_grad(np.zeros((2, 6)), (3, 4)),
            ValueError,
            "grad must have the batch size and the cells of input_shape=(3, 4), got grad.shape=(2, 6)",
        ),
        (
            lambda: ops.flatten_grad(np.zeros((2, 6)), (2, 7)),
            ValueError,
            "grad must have the batch size and the cells of input_shape=(2, 7), got grad.shape=(2, 6)",
        ),
        (
            lambda: ops.permute_grad(np.zeros((2, 6)), (2,)),
            ValueError,
            "dims must be 1 to 1 in some order for grad.shape=(2, 6), got (2,)",
        ),
        (
            lambda: ops.rescale_grad(np.zeros((2, 6)), [1.0, 2.0]),
            ValueError,
            "scale must be a number or one for each channel of grad.shape=(2, 6), got [1.0, 2.0]",
        ),
        (lambda: ops.upsample2d_grad(np.zeros((3, 4)), 1.5), TypeError, "size must be an int or a"),
    ],
)
def test_wrong_arguments_of_gradients_are_named(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
