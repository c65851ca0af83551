"""How far a result may be from the exact one: rounding error bounds, derived for each operation.

A sum of products is off by at most c*u*sum|x||w|, with u the unit roundoff and c the roundings on
the longest path from a product to the result (Higham, "Accuracy and Stability of Numerical
Algorithms", 2nd ed., SIAM 2002, section 3.1). Underflow is left out: no product may be subnormal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnviz.layers.activations import ELEMENTARY
from cnnviz.layers.sparsemax_rounding import sparsemax_allowance
from cnnviz.ops.activations import log_softmax, softmax
from cnnviz.ops.affine import dense
from cnnviz.ops.depthwise import depthwise_conv2d, separable_conv2d
from cnnviz.ops.normalization import batch_norm_affine
from cnnviz.ops.padding import pair
from cnnviz.ops.pooling import avg_pool2d, global_avg_pool2d
from cnnviz.ops.transposed import conv2d_transpose
from cnnviz.verification.convolution_rounding import Bound as Bound
from cnnviz.verification.convolution_rounding import absolute, added, on_absolute_values
from cnnviz.verification.convolution_rounding import accumulated as accumulated
from cnnviz.verification.convolution_rounding import conv2d_bound as conv2d_bound
from cnnviz.verification.convolution_rounding import fft_bound as fft_bound
from cnnviz.verification.convolution_rounding import unit_roundoff as unit_roundoff
from cnnviz.verification.convolution_rounding import winograd_bound as winograd_bound

ACTIVATION_ROUNDINGS = {
    "linear": 0,
    "relu": 5,  # slope and max_value cast, x - threshold, times slope, plus the other branch
    "relu6": 0,
    "leaky_relu": 2,  # slope cast, product
    "prelu": 1,  # product
    "elu": ELEMENTARY + 2,  # expm1; alpha cast, product
    "selu": ELEMENTARY + 4,  # expm1; two constants cast, two products
    "celu": ELEMENTARY + 4,  # alpha cast, quotient; expm1; alpha cast, product
    "gelu": ELEMENTARY
    + 7,  # constants cast and up to four products in the argument; erfc or exp; two products
    "silu": ELEMENTARY + 3,  # a sigmoid and a product
    "hard_silu": 3,  # a hard sigmoid and a product
    "mish": 3 * ELEMENTARY + 2,  # a softplus; tanh; product
    "sigmoid": ELEMENTARY + 2,  # exp; sum; quotient
    "hard_sigmoid": 2,  # sum; quotient
    "tanh": ELEMENTARY,
    "softplus": 2 * ELEMENTARY + 1,  # exp; log1p; sum
    "softsign": 2,  # sum; quotient
    "exponential": ELEMENTARY,
    "hard_tanh": 0,
    "hard_shrink": 0,
    "soft_shrink": 1,  # difference
    "threshold": 0,
    "tanh_shrink": ELEMENTARY + 1,  # tanh, difference
    "squareplus": 5,  # product, sum, root, sum; b cast
    "sparse_plus": 3,  # sum, counted twice in its square; square
    "sparse_sigmoid": 1,  # sum
    "log_sigmoid": 2 * ELEMENTARY + 1,  # exp; log1p; sum
}
"""c of each elementwise activation f, whose error is below c*u*(|f(x)| + |x f'(x)|).

The result is the exact function of a slightly wrong argument, slightly wrong itself: c roundings
on either count. Where the steps are well conditioned the second term is not needed, and harmless.
"""


def depthwise_conv2d_bound(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Bound:
    """The bound of `depthwise_conv2d`: as of a convolution with K = kh*kw products."""
    kh, kw = np.shape(kernel)[:2]
    return Bound(kh * kw + added(bias), on_absolute_values(depthwise_conv2d, x, kernel, bias, **options))


def separable_conv2d_bound(
    x: Any, depthwise_kernel: Any, pointwise_kernel: Any, bias: Any = None, **options: Any
) -> Bound:
    """The bound of `separable_conv2d`: the roundings of its two convolutions add up."""
    kh, kw, channels, multiplier = np.shape(depthwise_kernel)
    magnitude = on_absolute_values(separable_conv2d, x, depthwise_kernel, pointwise_kernel, bias, **options)
    return Bound(kh * kw + channels * multiplier + added(bias), magnitude)


def conv2d_transpose_bound(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Bound:
    """The bound of `conv2d_transpose`.

    A stamp is a sum of C products; at most kh*kw stamps fall on a cell, the first on a zero.
    """
    kh, kw, _, channels = np.shape(kernel)
    magnitude = on_absolute_values(conv2d_transpose, x, kernel, bias, **options)
    return Bound(channels + kh * kw - 1 + added(bias), magnitude)


def dense_bound(x: Any, kernel: Any, bias: Any = None) -> Bound:
    """The bound of `dense`: C products and C - 1 additions on the longest path, and the bias."""
    return Bound(np.shape(kernel)[0] + added(bias), on_absolute_values(dense, x, kernel, bias))


def avg_pool2d_bound(x: Any, pool_size: Any = 2, **options: Any) -> Bound:
    """The bound of `avg_pool2d`.

    A cell passes kw - 1 additions along its row, kh - 1 along the column, and the division.
    """
    kh, kw = pair(pool_size, "pool_size")
    return Bound(kh + kw - 1, on_absolute_values(avg_pool2d, x, pool_size=pool_size, **options))


def global_avg_pool2d_bound(x: Any, **options: Any) -> Bound:
    """The bound of `global_avg_pool2d`: H*W - 1 additions in any order, and the division."""
    shape = np.shape(x)
    rows, cols = shape if len(shape) == 2 else shape[-3:-1]
    return Bound(rows * cols, on_absolute_values(global_avg_pool2d, x, **options))


def batch_norm_bound(
    x: Any, mean: Any, variance: Any, gamma: Any = None, beta: Any = None, *, epsilon: float = 1e-3
) -> Bound:
    """The bound of `batch_norm`.

    The scale takes four roundings: epsilon's cast and its addition, which the root halves to one;
    the root, the reciprocal, gamma. The mean then passes a product and two additions: seven.
    """
    variance = np.asarray(variance, np.float64)
    scale, _ = batch_norm_affine(
        absolute(mean), variance, None if gamma is None else absolute(gamma), epsilon=epsilon
    )
    magnitude = absolute(x) * scale + absolute(mean) * scale
    return Bound(7, magnitude if beta is None else magnitude + absolute(beta))


def sum_bound(*xs: Any, quotient: bool = False) -> Bound:
    """The bound of `add` and `subtract`, and with the quotient of `average`: n - 1 additions."""
    magnitude = np.sum(np.broadcast_arrays(*(absolute(x) for x in xs)), axis=0)
    return Bound(len(xs), magnitude / len(xs)) if quotient else Bound(len(xs) - 1, magnitude)


def multiply_bound(*xs: Any) -> Bound:
    """The bound of `multiply`: n - 1 products."""
    return Bound(len(xs) - 1, np.prod(np.broadcast_arrays(*(absolute(x) for x in xs)), axis=0))


def rescale_bound(x: Any, scale: Any, offset: Any = 0.0) -> Bound:
    """The bound of `rescale`: the scale's cast, the product, the sum; the offset's cast, the sum."""
    return Bound(3, absolute(x) * absolute(scale) + absolute(offset))


def normalize_bound(x: Any, mean: Any, variance: Any) -> Bound:
    """The bound of `normalize`: the difference, the root (or 1e-7's cast), the quotient."""
    return Bound(3, (absolute(x) + absolute(mean)) / np.maximum(np.sqrt(absolute(variance)), 1e-7))


def softmax_bound(x: Any, axis: int = -1) -> Bound:
    """The bound of `softmax`.

    With d = x - max(x) rounded once, exp(d) is off by a relative |d|*u and its own error; the sum
    of n of them by the mean of those, weighted by the probabilities, and n - 1 additions; then
    the division.
    """
    p, distance, spread = _softmax_terms(x, axis)
    length = distance.shape[axis]
    return Bound(1, p * (distance + spread + 2 * ELEMENTARY + length))


def sparsemax_bound(x: Any, axis: int = -1) -> Bound:
    """The bound of `sparsemax`: half of what two in float32 may lie apart, in units of roundoff."""
    x, unit = np.asarray(x, np.float64), unit_roundoff(np.float32)
    return Bound(1, sparsemax_allowance(x, np.zeros(x.shape), axis, unit) / unit)


def log_softmax_bound(x: Any, axis: int = -1) -> Bound:
    """The bound of `log_softmax`: d = x - max(x), the sum as in `softmax_bound`, log, difference."""
    _, distance, spread = _softmax_terms(x, axis)
    size = np.abs(log_softmax(np.asarray(x, np.float64), axis))
    log_error = spread + ELEMENTARY + distance.shape[axis] - 1 + ELEMENTARY * (size - distance)
    return Bound(1, distance + log_error + size)


def _softmax_terms(x: Any, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.asarray(x, np.float64)
    p, distance = softmax(x, axis), x.max(axis, keepdims=True) - x
    return p, distance, (p * distance).sum(axis, keepdims=True)
