"""How far a result may be from the exact one: rounding error bounds, derived for each operation.

A sum of products is off by at most c*u*sum|x||w|, with u the unit roundoff and c the roundings on
the longest path from a product to the result (Higham, "Accuracy and Stability of Numerical
Algorithms", 2nd ed., SIAM 2002, section 3.1). Underflow is left out: no product may be subnormal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cnnviz.layers.activations import ELEMENTARY
from cnnviz.ops import fft
from cnnviz.ops.activations import log_softmax, softmax
from cnnviz.ops.affine import dense
from cnnviz.ops.arguments import images as as_images
from cnnviz.ops.convolution import conv2d
from cnnviz.ops.depthwise import depthwise_conv2d, separable_conv2d
from cnnviz.ops.normalization import batch_norm_affine
from cnnviz.ops.padding import pair, parse_padding, window
from cnnviz.ops.pooling import avg_pool2d, global_avg_pool2d
from cnnviz.ops.transposed import conv2d_transpose
from cnnviz.ops.winograd import Transforms, transforms, winograd

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


class Bound(NamedTuple):
    """An error bound: at most `roundings` roundings on numbers that add up to `magnitude`."""

    roundings: float
    magnitude: np.ndarray

    def limit(self, dtype: Any = np.float32) -> np.ndarray:
        """The largest error that computing in dtype can make, element by element.

        >>> round(float(Bound(10, np.array(1.0)).limit() / unit_roundoff(np.float32)), 3)
        10.0
        """
        return accumulated(self.roundings, dtype) * self.magnitude


def unit_roundoff(dtype: Any) -> float:
    """u, the largest relative error of one rounding: 2**-24 for float32, 2**-53 for float64.

    >>> unit_roundoff(np.float32) == 2**-24
    True
    """
    return float(np.finfo(dtype).eps) / 2


def accumulated(count: float, dtype: Any) -> float:
    """What n roundings in a row can amount to, relative to the result: n*u / (1 - n*u).

    Source: gamma_n in Higham 2002, lemma 3.1.
    """
    total = count * unit_roundoff(dtype)
    if total >= 1:
        raise ValueError(f"no bound holds for {count} roundings of {np.dtype(dtype)}")
    return total / (1 - total)


def conv2d_bound(
    x: Any, kernel: Any, bias: Any = None, *, method: str = "auto", tile: int = 2, **options: Any
) -> Bound:
    """The bound of `conv2d` with the same arguments.

    Directly or as a matrix product: K = kh*kw*C/groups products, each rounded once, then in at most
    K - 1 additions, in whatever order, and once more when the bias is added. For the other methods
    see `fft_bound` and `winograd_bound`.

    >>> conv2d_bound(np.ones((4, 4)), np.ones((3, 3, 1, 1))).roundings
    9
    """
    if method == "fft":
        return fft_bound(x, kernel, bias, **options)
    if method == "winograd":
        return winograd_bound(x, kernel, bias, tile=tile, **options)
    roundings = int(np.prod(np.shape(kernel)[:3])) + _added(bias)
    return Bound(roundings, _absolute(conv2d, x, kernel, bias, **options))


def fft_bound(x: Any, kernel: Any, bias: Any = None, *, groups: int = 1, **options: Any) -> Bound:
    """The bound of `conv2d(method="fft")`, relative to norms: any output may err by as much.

    A transform of n = p*q*... numbers is off, relative to its 2-norm, by (p + 4)*sqrt(p)*u for each
    prime factor: a butterfly of p inputs takes p - 1 additions of products of four roundings and a
    twiddle, and its matrix of ones has norm p where the transform has sqrt(p) (after Higham 2002,
    theorem 24.2, whose radix-2 stage has 7u). Three transforms, a complex product (4) and C
    additions act on at most the sum over channels of ||x||_2 * ||w||_1, which bounds the 2-norm of
    their correlation (Young's inequality) and each of its cells.
    """
    kernel = _wide(kernel)
    images, restore = as_images(np.asarray(x, np.float64))
    geometry = window(
        images.shape[1:3],  # type: ignore[arg-type]
        kernel.shape[:2],  # type: ignore[arg-type]
        pair(options.get("strides", 1), "strides"),
        parse_padding(options.get("padding", "valid")),
        pair(options.get("dilation_rate", 1), "dilation_rate"),
    )
    stages = sum((p + 4) * math.sqrt(p) for length in fft.lengths(geometry) for p in _prime_factors(length))
    norms = np.sqrt(np.square(images).sum(axis=(1, 2))).reshape(len(images), groups, kernel.shape[2])
    weights = kernel.sum(axis=(0, 1)).reshape(kernel.shape[2], groups, -1)
    magnitude = np.einsum("ngc,cgf->ngf", norms, weights).reshape(len(images), 1, 1, kernel.shape[3])
    if bias is not None:
        magnitude = magnitude + _wide(bias)
    magnitude = np.broadcast_to(magnitude, (len(images), *geometry.out, kernel.shape[3]))
    return Bound(3 * stages + 4 + kernel.shape[2] + _added(bias), restore(magnitude))


def winograd_bound(
    x: Any, kernel: Any, bias: Any = None, *, tile: int = 2, groups: int = 1, padding: Any = "valid", **_: Any
) -> Bound:
    """The bound of `conv2d(method="winograd")`: on all cells of a tile, not only on a window's.

    Each transform is a sum of as many products as its matrix has entries in a row, all of them
    exact but the kernel's (9, with its last rounding); between them C products are summed. They
    act on |A.T|^2 applied to the sums over channels of |G|^2 |w| times |B.T|^2 |d|.
    """
    arguments = [None if array is None else _wide(array) for array in (x, kernel, bias)]
    images, restore = as_images(arguments[0])  # type: ignore[arg-type]
    geometry = window(images.shape[1:3], (3, 3), (1, 1), parse_padding(padding))  # type: ignore[arg-type]
    matrices = Transforms(*(np.abs(matrix) for matrix in transforms(tile)))
    magnitude = winograd(images, arguments[1], arguments[2], geometry, groups, tile, matrices)  # type: ignore[arg-type]
    longest = sum(int((matrix > 0).sum(axis=1).max()) ** 2 for matrix in (matrices.input, matrices.output))
    return Bound(longest + 9 + np.shape(kernel)[2] + _added(bias), restore(magnitude))


def _prime_factors(number: int) -> list[int]:
    factors, p = [], 2
    while number > 1:
        while number % p == 0:
            factors.append(p)
            number //= p
        p += 1
    return factors


def depthwise_conv2d_bound(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Bound:
    """The bound of `depthwise_conv2d`: as of a convolution with K = kh*kw products."""
    kh, kw = np.shape(kernel)[:2]
    return Bound(kh * kw + _added(bias), _absolute(depthwise_conv2d, x, kernel, bias, **options))


def separable_conv2d_bound(
    x: Any, depthwise_kernel: Any, pointwise_kernel: Any, bias: Any = None, **options: Any
) -> Bound:
    """The bound of `separable_conv2d`: the roundings of its two convolutions add up."""
    kh, kw, channels, multiplier = np.shape(depthwise_kernel)
    magnitude = _absolute(separable_conv2d, x, depthwise_kernel, pointwise_kernel, bias, **options)
    return Bound(kh * kw + channels * multiplier + _added(bias), magnitude)


def conv2d_transpose_bound(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Bound:
    """The bound of `conv2d_transpose`.

    A stamp is a sum of C products; at most kh*kw stamps fall on a cell, the first on a zero.
    """
    kh, kw, _, channels = np.shape(kernel)
    magnitude = _absolute(conv2d_transpose, x, kernel, bias, **options)
    return Bound(channels + kh * kw - 1 + _added(bias), magnitude)


def dense_bound(x: Any, kernel: Any, bias: Any = None) -> Bound:
    """The bound of `dense`: C products and C - 1 additions on the longest path, and the bias."""
    return Bound(np.shape(kernel)[0] + _added(bias), _absolute(dense, x, kernel, bias))


def avg_pool2d_bound(x: Any, pool_size: Any = 2, **options: Any) -> Bound:
    """The bound of `avg_pool2d`.

    A cell passes kw - 1 additions along its row, kh - 1 along the column, and the division.
    """
    kh, kw = pair(pool_size, "pool_size")
    return Bound(kh + kw - 1, _absolute(avg_pool2d, x, pool_size=pool_size, **options))


def global_avg_pool2d_bound(x: Any, **options: Any) -> Bound:
    """The bound of `global_avg_pool2d`: H*W - 1 additions in any order, and the division."""
    shape = np.shape(x)
    rows, cols = shape if len(shape) == 2 else shape[-3:-1]
    return Bound(rows * cols, _absolute(global_avg_pool2d, x, **options))


def batch_norm_bound(
    x: Any, mean: Any, variance: Any, gamma: Any = None, beta: Any = None, *, epsilon: float = 1e-3
) -> Bound:
    """The bound of `batch_norm`.

    The scale takes four roundings: epsilon's cast and its addition, which the root halves to one;
    the root, the reciprocal, gamma. The mean then passes a product and two additions: seven.
    """
    variance = np.asarray(variance, np.float64)
    scale, _ = batch_norm_affine(
        _wide(mean), variance, None if gamma is None else _wide(gamma), epsilon=epsilon
    )
    magnitude = _wide(x) * scale + _wide(mean) * scale
    return Bound(7, magnitude if beta is None else magnitude + _wide(beta))


def sum_bound(*xs: Any, quotient: bool = False) -> Bound:
    """The bound of `add` and `subtract`, and with the quotient of `average`: n - 1 additions."""
    magnitude = np.sum(np.broadcast_arrays(*(_wide(x) for x in xs)), axis=0)
    return Bound(len(xs), magnitude / len(xs)) if quotient else Bound(len(xs) - 1, magnitude)


def multiply_bound(*xs: Any) -> Bound:
    """The bound of `multiply`: n - 1 products."""
    return Bound(len(xs) - 1, np.prod(np.broadcast_arrays(*(_wide(x) for x in xs)), axis=0))


def rescale_bound(x: Any, scale: Any, offset: Any = 0.0) -> Bound:
    """The bound of `rescale`: the scale's cast, the product, the sum; the offset's cast, the sum."""
    return Bound(3, _wide(x) * _wide(scale) + _wide(offset))


def normalize_bound(x: Any, mean: Any, variance: Any) -> Bound:
    """The bound of `normalize`: the difference, the root (or 1e-7's cast), the quotient."""
    return Bound(3, (_wide(x) + _wide(mean)) / np.maximum(np.sqrt(_wide(variance)), 1e-7))


def softmax_bound(x: Any, axis: int = -1) -> Bound:
    """The bound of `softmax`.

    With d = x - max(x) rounded once, exp(d) is off by a relative |d|*u and its own error; the sum
    of n of them by the mean of those, weighted by the probabilities, and n - 1 additions; then
    the division.
    """
    p, distance, spread = _softmax_terms(x, axis)
    length = distance.shape[axis]
    return Bound(1, p * (distance + spread + 2 * ELEMENTARY + length))


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


def _absolute(op: Callable[..., np.ndarray], *arrays: Any, **options: Any) -> np.ndarray:
    """The operation on absolute values, in float64: sum|x||w| + |bias|."""
    return op(*(None if array is None else _wide(array) for array in arrays), **options)


def _wide(array: Any) -> np.ndarray:
    """Absolute values in float64."""
    return np.abs(np.asarray(array, np.float64))


def _added(bias: Any) -> int:
    return 0 if bias is None else 1
