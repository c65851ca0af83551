"""Every gradient against central differences of its forward operation, in float64, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnnviz import ops
from harness.gradient_ops import GRADIENTS, check_finite_differences

Shapes = tuple[tuple[int, ...] | None, ...]


def drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Distinct odd multiples of 1/16 about 0: no two equal, none near a whole number, where corners are."""
    count = int(np.prod(shape))
    places = np.random.default_rng(seed).permutation(count) - count // 2
    return (places / 8 + 1 / 16).reshape(shape)


def grad_like(y: np.ndarray) -> np.ndarray:
    return np.random.default_rng(9).normal(size=y.shape)


SAME, UNEVEN = {"padding": "same"}, {"padding": ((1, 0), (0, 2))}
SPARSE: dict[str, Any] = {"strides": (2, 3), "dilation_rate": (2, 1), "padding": "same"}

CASES: list[tuple[str, Shapes, dict[str, Any]]] = [
    ("conv2d", ((2, 5, 6, 3), (3, 2, 3, 4), (4,)), {}),
    ("conv2d", ((1, 5, 6, 3), (3, 2, 3, 16), (16,)), SAME),
    ("conv2d", ((1, 7, 6, 4), (3, 2, 2, 6), (6,)), {**SPARSE, "groups": 2}),
    ("conv2d", ((1, 4, 4, 2), (2, 2, 2, 13), None), {**UNEVEN, "dilation_rate": 2}),
    ("conv2d", ((2, 4, 4, 5), (1, 1, 5, 2), (2,)), {}),
    ("depthwise_conv2d", ((2, 5, 6, 3), (3, 2, 3, 1), (3,)), SAME),
    ("depthwise_conv2d", ((1, 7, 6, 2), (3, 2, 2, 3), (6,)), SPARSE),
    ("separable_conv2d", ((1, 7, 6, 2), (3, 2, 2, 2), (1, 1, 4, 3), (3,)), SPARSE),
    ("conv2d_transpose", ((2, 3, 4, 3), (3, 2, 4, 3), (4,)), {"strides": (2, 3)}),
    ("conv2d_transpose", ((1, 3, 4, 3), (3, 3, 14, 3), None), {**SAME, "dilation_rate": (2, 1)}),
    ("conv2d_transpose", ((1, 3, 3, 2), (3, 3, 2, 2), None), {**UNEVEN, "strides": 2, "output_padding": 1}),
    ("max_pool2d", ((2, 6, 7, 2),), {}),
    ("max_pool2d", ((1, 6, 7, 2),), {"pool_size": (3, 2), "strides": (1, 2), "padding": "same"}),
    ("avg_pool2d", ((2, 6, 7, 2),), {}),
    ("avg_pool2d", ((1, 6, 7, 2),), {"pool_size": (3, 2), "strides": (1, 2), "padding": "same"}),
    ("global_max_pool2d", ((2, 4, 5, 3),), {}),
    ("global_avg_pool2d", ((2, 4, 5, 3),), {"keepdims": True}),
    ("dense", ((2, 3, 4), (4, 5), (5,)), {}),
    ("batch_norm", ((2, 3, 4), (4,), (4,), (4,), (4,)), {"epsilon": 1.0}),
    ("prelu", ((3, 4, 5), (4, 1)), {}),
    ("softmax", ((3, 5),), {}),
    ("softmax", ((3, 5),), {"axis": 0}),
    ("log_softmax", ((3, 5),), {}),
    ("sparsemax", ((3, 5),), {}),
    ("upsample2d", ((2, 2, 3, 2),), {"size": (2, 3)}),
    ("normalize", ((2, 3, 4), (3, 1), (1, 4)), {}),
]


@pytest.mark.parametrize(("name", "shapes", "options"), CASES)
def test_gradients_of_every_argument(name: str, shapes: Shapes, options: dict[str, Any]) -> None:
    arrays = [None if shape is None else drawn(shape, seed) for seed, shape in enumerate(shapes)]
    if name in ("batch_norm", "normalize"):
        arrays[2] = np.abs(drawn(shapes[2] or (), 2)) + 0.5
    op = getattr(ops, name)
    grad = grad_like(op(*arrays, **options))
    for made in GRADIENTS[name]:
        if arrays[made.argument] is not None:
            check_finite_differences(
                lambda *moved: op(*moved, **options),
                arrays,
                made.argument,
                made(arrays, grad, **options),
                grad,
            )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("linear", {}),
        ("relu", {}),
        ("relu", {"max_value": 2, "negative_slope": 0.3, "threshold": 1}),
        ("relu", {"max_value": 2, "threshold": -1}),
        ("relu6", {}),
        ("leaky_relu", {}),
        ("elu", {"alpha": 0.7}),
        ("selu", {}),
        ("celu", {"alpha": 0.7}),
        ("celu", {"alpha": -2.0}),
        ("gelu", {}),
        ("gelu", {"approximate": True}),
        ("silu", {}),
        ("hard_silu", {}),
        ("mish", {}),
        ("sigmoid", {}),
        ("hard_sigmoid", {}),
        ("tanh", {}),
        ("softplus", {}),
        ("softsign", {}),
        ("exponential", {}),
    ],
)
def test_gradients_of_activations(name: str, options: dict[str, Any]) -> None:
    x = drawn((7, 9), 0)
    op, grad = getattr(ops, name), grad_like(x)
    gradient = getattr(ops, f"{name}_grad")(x, grad, **options)
    # One element at a time: a sum over all could hide two that are wrong.
    for place in np.ndindex(x.shape):
        check_finite_differences(
            lambda moved: op(moved, **options), [x[place]], 0, gradient[place], grad[place]
        )


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "average", "maximum", "minimum"])
def test_gradients_of_merges(name: str) -> None:
    shapes = [(2, 3, 4), (3, 1), (2, 1, 1)][: 2 if name == "subtract" else 3]
    xs = [drawn(shape, seed) + seed / 32 for seed, shape in enumerate(shapes)]
    op = getattr(ops, name)
    grad = grad_like(op(*xs))
    by_shape = name in ("add", "subtract", "average")
    made = getattr(ops, f"{name}_grad")
    for argument, gradient in enumerate(made(grad, shapes) if by_shape else made(xs, grad)):
        check_finite_differences(op, xs, argument, gradient, grad)


MOVES: list[tuple[Callable[..., np.ndarray], Callable[[np.ndarray], np.ndarray]]] = [
    (lambda x: ops.zero_pad2d(x, ((1, 0), (2, 3))), lambda g: ops.zero_pad2d_grad(g, ((1, 0), (2, 3)))),
    (lambda x: ops.crop2d(x, ((1, 0), (2, 1))), lambda g: ops.crop2d_grad(g, ((1, 0), (2, 1)))),
    (ops.flatten, lambda g: ops.flatten_grad(g, (2, 3, 4, 2))),
    (lambda x: ops.reshape(x, (8, -1)), lambda g: ops.reshape_grad(g, (2, 3, 4, 2))),
    (lambda x: ops.permute(x, (3, 1, 2)), lambda g: ops.permute_grad(g, (3, 1, 2))),
    (lambda x: ops.rescale(x, [2, 3], 1), lambda g: ops.rescale_grad(g, [2, 3])),
    (
        lambda x: ops.concatenate([x, 2 * x], axis=2),
        lambda g: np.add(*np.array([[1], [2]]).reshape(2, 1, 1, 1, 1) * _parts(g)),
    ),
]


def _parts(grad: np.ndarray) -> np.ndarray:
    return np.array(ops.concatenate_grad(grad, [(2, 3, 4, 2)] * 2, axis=2))


@pytest.mark.parametrize(("forward", "gradient"), MOVES)
def test_gradients_of_moves(
    forward: Callable[..., np.ndarray], gradient: Callable[[np.ndarray], np.ndarray]
) -> None:
    x = drawn((2, 3, 4, 2), 0)
    grad = grad_like(forward(x))
    check_finite_differences(forward, [x], 0, gradient(grad), grad)


@pytest.mark.parametrize("gamma", [None, drawn((4,), 1)])
def test_gradients_of_training_batch_norm(gamma: np.ndarray | None) -> None:
    x = drawn((5, 3, 4), 0)
    grad = grad_like(x)
    gradient = ops.batch_norm_training_input_grad(x, grad, gamma, epsilon=0.1)
    arrays = [x, gamma, drawn((4,), 2)]
    check_finite_differences(
        lambda *moved: ops.batch_norm_training(*moved, epsilon=0.1)[0], arrays, 0, gradient, grad
    )
    if gamma is not None:
        for argument, found in (
            (1, ops.batch_norm_training_gamma_grad(x, grad, epsilon=0.1)),
            (2, ops.batch_norm_beta_grad(grad)),
        ):
            check_finite_differences(
                lambda *moved: ops.batch_norm_training(*moved, epsilon=0.1)[0], arrays, argument, found, grad
            )


@pytest.mark.parametrize("labels", [np.array([3, 0, 2]), np.abs(drawn((3, 4), 3))])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_gradients_of_cross_entropy(labels: np.ndarray, reduction: str) -> None:
    logits = drawn((3, 4), 0)

    def forward(x: np.ndarray) -> np.ndarray:
        return ops.softmax_cross_entropy(x, labels, reduction=reduction)

    grad = grad_like(forward(logits))
    gradient = ops.softmax_cross_entropy_grad(logits, labels, grad, reduction=reduction)
    check_finite_differences(forward, [logits], 0, gradient, grad)


def test_the_check_can_fail() -> None:
    x = drawn((7, 9), 0)
    grad = grad_like(x)
    with pytest.raises(AssertionError):
        check_finite_differences(ops.tanh, [x], 0, ops.tanh_grad(x, grad) * (1 + 1e-6), grad)
