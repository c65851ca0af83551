"""The gradients of what moves, repeats, adds, drops and scales cells: each is the way back."""

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
from harness import gradient_authority, gradient_rounding
from harness.accuracy import Accuracy, check_float64
from harness.authority import tf
from harness.cases import channels, kinds, numbers, seeds
from harness.gradient_cases import compare_gradients

sides = st.tuples(*(st.tuples(st.integers(0, 3), st.integers(0, 3)),) * 2)
maps = st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(1, 5), channels)


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


@given(shape=maps, padding=sides, seed=seeds)
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


@given(shape=maps, size=st.tuples(st.integers(1, 3), st.integers(1, 3)), kind=kinds, seed=seeds)
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


@given(shape=maps, scalar=st.booleans(), kind=kinds, seed=seeds)
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
        (lambda: ops.upsample2d_grad(np.zeros((3, 4)), 1.5), TypeError, "size must be an int or a"),
    ],
)
def test_wrong_arguments_are_named(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()
