"""How far a gradient may be from the exact one: a bound for every gradient, derived as in `rounding`.

Gradients are sums of products too: n roundings on the longest path from a term to the result make an
error of n*u*sum|terms|. Each bound takes the arguments of the gradient that it is named after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.layers.activations import FUNCTIONS
from cnnviz.ops.padding import pair
from cnnviz.ops.shrinking import sparsemax_threshold, sparsemax_threshold_slopes
from harness.rounding import Bound, log_softmax_bound, softmax_bound, sparsemax_bound

FIRST_ORDER = 1.01
"""Products of two rounding errors are left out where this stands; they are far below a hundredth."""

# Convolutions -----------------------------------------------------------------------------------


def conv2d_input_grad_bound(grad: Any, kernel: Any, input_shape: Any, **options: Any) -> Bound:
    """The bound of `conv2d_input_grad`: at most kh*kw stamps on a cell, each of F/groups products."""
    kh, kw, _, filters = np.shape(kernel)
    magnitude = _absolute(ops.conv2d_input_grad, grad, kernel, input_shape=input_shape, **options)
    return Bound(filters // options.get("groups", 1) + kh * kw - 1, magnitude)


def conv2d_kernel_grad_bound(x: Any, grad: Any, kernel_shape: Any, **options: Any) -> Bound:
    """The bound of `conv2d_kernel_grad`: N*H_out*W_out products, one for each position.

    >>> conv2d_kernel_grad_bound(np.ones((9, 9)), np.ones((7, 7)), (3, 3, 1, 1)).roundings
    49
    """
    magnitude = _absolute(ops.conv2d_kernel_grad, x, grad, kernel_shape=kernel_shape, **options)
    return Bound(np.size(grad) // kernel_shape[3], magnitude)


def conv2d_bias_grad_bound(grad: Any) -> Bound:
    """The bound of `conv2d_bias_grad`: one addition less than there are positions."""
    magnitude = _absolute(ops.conv2d_bias_grad, grad)
    return Bound(np.size(grad) // len(magnitude), magnitude)


def depthwise_conv2d_input_grad_bound(grad: Any, kernel: Any, input_shape: Any, **options: Any) -> Bound:
    """The bound of `depthwise_conv2d_input_grad`: at most kh*kw sums of as many products as multiplier."""
    kh, kw, _, multiplier = np.shape(kernel)
    magnitude = _absolute(ops.depthwise_conv2d_input_grad, grad, kernel, input_shape=input_shape, **options)
    return Bound(multiplier + kh * kw - 1, magnitude)


def depthwise_conv2d_kernel_grad_bound(x: Any, grad: Any, kernel_shape: Any, **options: Any) -> Bound:
    """The bound of `depthwise_conv2d_kernel_grad`: as `conv2d_kernel_grad_bound`."""
    magnitude = _absolute(ops.depthwise_conv2d_kernel_grad, x, grad, kernel_shape=kernel_shape, **options)
    return Bound(np.size(grad) // (kernel_shape[2] * kernel_shape[3]), magnitude)


def conv2d_transpose_input_grad_bound(grad: Any, kernel: Any, input_shape: Any, **options: Any) -> Bound:
    """The bound of `conv2d_transpose_input_grad`, a convolution with kh*kw*F products."""
    magnitude = _absolute(ops.conv2d_transpose_input_grad, grad, kernel, input_shape=input_shape, **options)
    return Bound(int(np.prod(np.shape(kernel)[:3])), magnitude)


def conv2d_transpose_kernel_grad_bound(x: Any, grad: Any, kernel_shape: Any, **options: Any) -> Bound:
    """The bound of `conv2d_transpose_kernel_grad`: N*H*W products, one for each input cell."""
    magnitude = _absolute(ops.conv2d_transpose_kernel_grad, x, grad, kernel_shape=kernel_shape, **options)
    return Bound(np.size(x) // kernel_shape[3], magnitude)


def separable_conv2d_input_grad_bound(
    grad: Any, depthwise_kernel: Any, pointwise_kernel: Any, input_shape: Any, **options: Any
) -> Bound:
    """The bound of `separable_conv2d_input_grad`: the roundings of its two steps add up."""
    kh, kw, _, multiplier = np.shape(depthwise_kernel)
    kernels = depthwise_kernel, pointwise_kernel
    magnitude = _absolute(ops.separable_conv2d_input_grad, grad, *kernels, input_shape=input_shape, **options)
    return Bound(np.shape(pointwise_kernel)[3] + multiplier + kh * kw - 1, magnitude)


def separable_conv2d_depthwise_kernel_grad_bound(
    x: Any, grad: Any, depthwise_kernel_shape: Any, pointwise_kernel: Any, **options: Any
) -> Bound:
    """The bound of `separable_conv2d_depthwise_kernel_grad`: of F products, then of one for each position."""
    filters = np.shape(pointwise_kernel)[3]
    magnitude = ops.separable_conv2d_depthwise_kernel_grad(
        _wide(x), _wide(grad), depthwise_kernel_shape, _wide(pointwise_kernel), **options
    )
    return Bound(filters + np.size(grad) // filters, magnitude)


def separable_conv2d_pointwise_kernel_grad_bound(
    x: Any, grad: Any, depthwise_kernel: Any, pointwise_kernel_shape: Any, **options: Any
) -> Bound:
    """The bound of `separable_conv2d_pointwise_kernel_grad`: of kh*kw products, then one a position."""
    kh, kw = np.shape(depthwise_kernel)[:2]
    magnitude = ops.separable_conv2d_pointwise_kernel_grad(
        _wide(x), _wide(grad), _wide(depthwise_kernel), pointwise_kernel_shape, **options
    )
    return Bound(kh * kw + np.size(grad) // pointwise_kernel_shape[3], magnitude)


# Pooling ----------------------------------------------------------------------------------------


def max_pool2d_grad_bound(x: Any, grad: Any, pool_size: Any = 2, **options: Any) -> Bound:
    """The bound of `max_pool2d_grad`: a cell may be the largest of kh*kw windows."""
    kh, kw = pair(pool_size, "pool_size")
    wide = np.asarray(x, np.float64)
    return Bound(kh * kw - 1, ops.max_pool2d_grad(wide, _wide(grad), pool_size, **options))


def avg_pool2d_grad_bound(grad: Any, input_shape: Any, pool_size: Any = 2, **options: Any) -> Bound:
    """The bound of `avg_pool2d_grad`: the division, and kw - 1 and kh - 1 additions."""
    kh, kw = pair(pool_size, "pool_size")
    return Bound(kh + kw - 1, ops.avg_pool2d_grad(_wide(grad), input_shape, pool_size, **options))


def global_max_pool2d_grad_bound(x: Any, grad: Any, **options: Any) -> Bound:
    """The bound of `global_max_pool2d_grad`: the share's division, and a product."""
    return Bound(2, ops.global_max_pool2d_grad(np.asarray(x, np.float64), _wide(grad), **options))


def global_avg_pool2d_grad_bound(grad: Any, input_shape: Any, **options: Any) -> Bound:
    """The bound of `global_avg_pool2d_grad`: the division."""
    return Bound(1, ops.global_avg_pool2d_grad(_wide(grad), input_shape, **options))


# Dense layer and batch normalisation ------------------------------------------------------------


def dense_input_grad_bound(grad: Any, kernel: Any) -> Bound:
    """The bound of `dense_input_grad`: F products."""
    return Bound(np.shape(kernel)[1], _absolute(ops.dense_input_grad, grad, kernel))


def dense_kernel_grad_bound(x: Any, grad: Any) -> Bound:
    """The bound of `dense_kernel_grad`: a product for each place."""
    return Bound(_places(grad), _absolute(ops.dense_kernel_grad, x, grad))


def dense_bias_grad_bound(grad: Any) -> Bound:
    """The bound of `dense_bias_grad`, and of `batch_norm_beta_grad`."""
    return Bound(_places(grad), _absolute(ops.dense_bias_grad, grad))


batch_norm_beta_grad_bound = dense_bias_grad_bound


def batch_norm_input_grad_bound(grad: Any, variance: Any, gamma: Any = None, **options: Any) -> Bound:
    """The bound of `batch_norm_input_grad`: the four roundings of the scale, and the product."""
    return Bound(5, _absolute(ops.batch_norm_input_grad, grad, variance, gamma, **options))


def batch_norm_mean_grad_bound(grad: Any, variance: Any, gamma: Any = None, **options: Any) -> Bound:
    """The bound of `batch_norm_mean_grad`: that of the input's, summed."""
    magnitude = np.abs(_absolute(ops.batch_norm_mean_grad, grad, variance, gamma, **options))
    return Bound(_places(grad) + 4, magnitude)


def batch_norm_gamma_grad_bound(x: Any, grad: Any, mean: Any, variance: Any, **options: Any) -> Bound:
    """The bound of `batch_norm_gamma_grad`: difference, product, sum; the scale's three, and its product."""
    arguments = _wide(x), _wide(grad), -_wide(mean), _wide(variance)
    return Bound(_places(grad) + 5, ops.batch_norm_gamma_grad(*arguments, **options))


def batch_norm_variance_grad_bound(
    x: Any, grad: Any, mean: Any, variance: Any, gamma: Any = None, **options: Any
) -> Bound:
    """The bound of `batch_norm_variance_grad`: as gamma's; gamma's product, epsilon's sum, the quotient."""
    arguments = _wide(x), _wide(grad), -_wide(mean), _wide(variance)
    factor = None if gamma is None else _wide(gamma)
    magnitude = np.abs(ops.batch_norm_variance_grad(*arguments, factor, **options))
    return Bound(_places(grad) + 9, magnitude)


# Merging and shaping ----------------------------------------------------------------------------


def merging_grad_bounds(name: str, first: Any, second: Any) -> list[Bound]:
    """The bounds of the gradients that a merging gradient, by its name, returns.

    Each number passes at most one product or quotient for each argument, and then as many additions,
    less one, as the argument was repeated to broadcast it. Arguments as of the gradient.

    >>> [bound.roundings for bound in merging_grad_bounds("add_grad", np.ones((2, 3)), [(2, 3), (3,)])]
    [0, 1]
    """
    if name in ("multiply_grad", "maximum_grad", "minimum_grad"):
        xs = [np.asarray(x, np.float64) for x in first]
        # Which argument is the largest depends on its sign.
        arguments: tuple[Any, Any] = (
            [np.abs(x) for x in xs] if name == "multiply_grad" else xs,
            _wide(second),
        )
    else:
        xs, arguments = list(second), (_wide(first), second)
    before = {"multiply_grad": len(xs), "average_grad": 1}.get(name, 0)
    grads = getattr(ops, name)(*arguments)
    size = np.size(first if name in ("add_grad", "subtract_grad", "average_grad") else second)
    return [Bound(before + size // max(grad.size, 1) - 1, np.abs(grad)) for grad in grads]


def upsample2d_grad_bound(grad: Any, size: Any = 2) -> Bound:
    """The bound of `upsample2d_grad`: as many numbers are added as there are copies."""
    height, width = pair(size, "size")
    return Bound(height * width - 1, _absolute(ops.upsample2d_grad, grad, size=size))


def rescale_grad_bound(grad: Any, scale: Any) -> Bound:
    """The bound of `rescale_grad`: the scale's cast, and the product."""
    return Bound(2, _absolute(ops.rescale_grad, grad, scale))


def normalize_grad_bound(grad: Any, variance: Any) -> Bound:
    """The bound of `normalize_grad`: the root (or 1e-7's cast), and the quotient."""
    return Bound(2, _absolute(ops.normalize_grad, grad, variance))


def normalize_mean_grad_bound(grad: Any, mean_shape: Any, variance: Any) -> Bound:
    """The bound of `normalize_mean_grad`: that of the input's, summed."""
    magnitude = np.abs(ops.normalize_mean_grad(_wide(grad), mean_shape, _wide(variance)))
    return Bound(1 + np.size(grad) // max(magnitude.size, 1), magnitude)


def normalize_variance_grad_bound(x: Any, grad: Any, mean: Any, variance: Any) -> Bound:
    """The bound of `normalize_variance_grad`.

    Difference and product, the sum; the cube of the root, four times a root's rounding and two
    products'; the quotient and the last product.
    """
    arguments = _wide(x), _wide(grad), -_wide(mean), _wide(variance)
    magnitude = np.abs(ops.normalize_variance_grad(*arguments))
    return Bound(8 + np.size(grad) // max(magnitude.size, 1), magnitude)


# Activations ------------------------------------------------------------------------------------


def activation_grad_bound(name: str, x: Any, grad: Any, **options: Any) -> Bound:
    """The bound of an elementwise activation's gradient, by the name of the activation.

    >>> activation_grad_bound("softsign", [1.0], [2.0])
    Bound(roundings=4, magnitude=array([0.5]))
    """
    function, wide = FUNCTIONS[name], np.asarray(x, np.float64)
    slope = getattr(ops, f"{name}_grad")(wide, np.ones_like(wide), **options)
    with np.errstate(all="ignore"):
        return Bound(function.roundings, _wide(grad) * function.magnitude(wide, np.abs(slope), options))


def prelu_grad_bound(x: Any, grad: Any, alpha: Any) -> Bound:
    """The bound of `prelu_grad`: a product."""
    return Bound(1, ops.prelu_grad(np.asarray(x, np.float64), _wide(grad), _wide(alpha)))


def prelu_alpha_grad_bound(x: Any, grad: Any, alpha_shape: Any) -> Bound:
    """The bound of `prelu_alpha_grad`: a product, and the sum over what alpha was broadcast to."""
    magnitude = np.abs(ops.prelu_alpha_grad(np.asarray(x, np.float64), _wide(grad), alpha_shape))
    return Bound(np.size(grad) // max(magnitude.size, 1), magnitude)


def softmax_grad_bound(x: Any, grad: Any, axis: int = -1) -> Bound:
    """The bound of `softmax_grad`, p * (g - sum(p*g)), to first order in the error of p."""
    p, error, g = _softmax(x, axis), softmax_bound(x, axis).magnitude, _wide(grad)
    total, length = (p * g).sum(axis, keepdims=True), p.shape[axis]
    off = (error * g).sum(axis, keepdims=True) + length * total
    return Bound(1, FIRST_ORDER * (error * (g + total) + p * (off + 2 * (g + total))))


def sparsemax_grad_bound(x: Any, grad: Any, axis: int = -1) -> Bound:
    """The bound of `sparsemax_grad`: the slope, its product with the sum, the difference.

    There is none for a line in which a number lies so near to the threshold, or to the border of the
    support, that rounding decides.
    """
    x, g = np.asarray(x, np.float64), _wide(grad)
    off = sparsemax_bound(x, axis).limit()
    near = np.abs(x - sparsemax_threshold(x, axis)) <= off
    jumps = off.max(axis, keepdims=True) > 1e-3 * (1 + np.abs(x).max(axis, keepdims=True))
    passed = np.where(x >= sparsemax_threshold(x, axis), g, 0)
    size = passed + sparsemax_threshold_slopes(x, axis) * passed.sum(axis, keepdims=True)
    undecided = near.any(axis, keepdims=True) | jumps
    return Bound(x.shape[axis] + 3, np.where(undecided, np.inf, size))


def log_softmax_grad_bound(x: Any, grad: Any, axis: int = -1) -> Bound:
    """The bound of `log_softmax_grad`, g - p * sum(g), to first order in the error of p."""
    p, error, g = _softmax(x, axis), softmax_bound(x, axis).magnitude, _wide(grad)
    total, length = g.sum(axis, keepdims=True), p.shape[axis]
    return Bound(1, FIRST_ORDER * (error * total + p * (length + 1) * total + g))


def softmax_cross_entropy_bound(logits: Any, labels: Any, *, reduction: str = "none") -> Bound:
    """The bound of `softmax_cross_entropy`: that of log_softmax, a product, the sum; for the mean again."""
    weights = _weights(logits, labels)
    terms = weights * log_softmax_bound(logits).magnitude
    values = weights * -ops.log_softmax(np.asarray(logits, np.float64))
    losses = FIRST_ORDER * (terms + weights.shape[-1] * np.nan_to_num(values)).sum(-1)
    if reduction == "none":
        return Bound(1, losses)
    return Bound(1, np.asarray((losses + losses.size * np.nan_to_num(values).sum(-1)).mean()))


def softmax_cross_entropy_grad_bound(
    logits: Any, labels: Any, grad: Any = None, *, reduction: str = "none"
) -> Bound:
    """The bound of `softmax_cross_entropy_grad`, (p * sum(labels) - labels) * g, to first order."""
    weights, p, error = _weights(logits, labels), _softmax(logits, -1), softmax_bound(logits).magnitude
    g = np.ones(np.shape(logits)[:-1] if reduction == "none" else ()) if grad is None else _wide(grad)
    if reduction == "mean":
        g = g / np.prod(np.shape(logits)[:-1])
    total, classes = weights.sum(-1, keepdims=True), weights.shape[-1]
    # Besides the error of p: the labels' sum, a product, a difference, the mean's quotient, a product.
    return Bound(
        1, FIRST_ORDER * g[..., np.newaxis] * (error * total + (classes + 4) * (p * total + weights))
    )


def _softmax(x: Any, axis: int) -> np.ndarray:
    return ops.softmax(np.asarray(x, np.float64), axis)


def _weights(logits: Any, labels: Any) -> np.ndarray:
    """Labels as a probability for each class."""
    if np.shape(labels) == np.shape(logits):
        return _wide(labels)
    return np.eye(np.shape(logits)[-1])[np.asarray(labels, np.intp)]


def _absolute(op: Callable[..., np.ndarray], *arrays: Any, **options: Any) -> np.ndarray:
    """The operation on absolute values, in float64."""
    return op(*(None if array is None else _wide(array) for array in arrays), **options)


def _wide(array: Any) -> np.ndarray:
    return np.abs(np.asarray(array, np.float64))


def _places(grad: Any) -> int:
    """How many numbers a sum over all but the channels has."""
    return int(np.prod(np.shape(grad)[:-1]))
