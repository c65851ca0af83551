"""How far the four methods of a convolution may be from the exact result, and how far they are.

A sum of products is off by at most c*u*sum|x||w|, with u the unit roundoff and c the roundings on
the longest path from a product to the result (Higham, "Accuracy and Stability of Numerical
Algorithms", 2nd ed., SIAM 2002, section 3.1). Underflow is left out: no product may be subnormal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cnnviz.ops import fft
from cnnviz.ops.arguments import images as as_images
from cnnviz.ops.convolution import conv2d
from cnnviz.ops.padding import pair, parse_padding, window
from cnnviz.ops.winograd import Transforms, transforms, winograd

METHODS = {
    "direct": "one weight after the other, each times the whole map under it",
    "im2col": "every window a row of a matrix, the kernels its columns: one matrix product",
    "fft": "both as waves, multiplied wave by wave",
    "winograd": "tiles of 2 × 2 outputs, with 16 multiplications instead of 36; for 3 × 3 kernels only",
}
"""The methods of `ops.conv2d`, and how each goes about it."""


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
    roundings = int(np.prod(np.shape(kernel)[:3])) + added(bias)
    return Bound(roundings, on_absolute_values(conv2d, x, kernel, bias, **options))


def fft_bound(x: Any, kernel: Any, bias: Any = None, *, groups: int = 1, **options: Any) -> Bound:
    """The bound of `conv2d(method="fft")`, relative to norms: any output may err by as much.

    A transform of n = p*q*... numbers is off, relative to its 2-norm, by (p + 4)*sqrt(p)*u for each
    prime factor: a butterfly of p inputs takes p - 1 additions of products of four roundings and a
    twiddle, and its matrix of ones has norm p where the transform has sqrt(p) (after Higham 2002,
    theorem 24.2, whose radix-2 stage has 7u). Three transforms, a complex product (4) and C
    additions act on at most the sum over channels of ||x||_2 * ||w||_1, which bounds the 2-norm of
    their correlation (Young's inequality) and each of its cells.
    """
    kernel = absolute(kernel)
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
        magnitude = magnitude + absolute(bias)
    magnitude = np.broadcast_to(magnitude, (len(images), *geometry.out, kernel.shape[3]))
    return Bound(3 * stages + 4 + kernel.shape[2] + added(bias), restore(magnitude))


def winograd_bound(
    x: Any, kernel: Any, bias: Any = None, *, tile: int = 2, groups: int = 1, padding: Any = "valid", **_: Any
) -> Bound:
    """The bound of `conv2d(method="winograd")`: on all cells of a tile, not only on a window's.

    Each transform is a sum of as many products as its matrix has entries in a row, all of them
    exact but the kernel's (9, with its last rounding); between them C products are summed. They
    act on |A.T|^2 applied to the sums over channels of |G|^2 |w| times |B.T|^2 |d|.
    """
    arguments = [None if array is None else absolute(array) for array in (x, kernel, bias)]
    images, restore = as_images(arguments[0])  # type: ignore[arg-type]
    geometry = window(images.shape[1:3], (3, 3), (1, 1), parse_padding(padding))  # type: ignore[arg-type]
    matrices = Transforms(*(np.abs(matrix) for matrix in transforms(tile)))
    magnitude = winograd(images, arguments[1], arguments[2], geometry, groups, tile, matrices)  # type: ignore[arg-type]
    longest = sum(int((matrix > 0).sum(axis=1).max()) ** 2 for matrix in (matrices.input, matrices.output))
    return Bound(longest + 9 + np.shape(kernel)[2] + added(bias), restore(magnitude))


def _prime_factors(number: int) -> list[int]:
    factors, p = [], 2
    while number > 1:
        while number % p == 0:
            factors.append(p)
            number //= p
        p += 1
    return factors


def on_absolute_values(op: Callable[..., np.ndarray], *arrays: Any, **options: Any) -> np.ndarray:
    """The operation on absolute values, in float64: sum|x||w| + |bias|."""
    return op(*(None if array is None else absolute(array) for array in arrays), **options)


def absolute(array: Any) -> np.ndarray:
    """Absolute values in float64."""
    return np.abs(np.asarray(array, np.float64))


def added(bias: Any) -> int:
    return 0 if bias is None else 1


@dataclass(frozen=True)
class MethodError:
    """One method on given numbers: how far from float64 it is, and how far rounding can take it.

    `difference` is the largest over all outputs; `limit` is what rounding may make of any output at most;
    `within` says whether every output keeps to its own limit.
    """

    method: str
    difference: float
    limit: float
    within: bool


def compare_methods(x: Any, kernel: Any, bias: Any = None, **options: Any) -> list[MethodError]:
    """Every method of `conv2d` that can compute this convolution, against float64.

    Parameters
    ----------
    x, kernel, bias
        As for `ops.conv2d`, float32.
    options
        Its strides, padding, dilation_rate and groups.

    Returns
    -------
    list of MethodError
        In the order of `METHODS`; Winograd's is left out where it does not apply.

    Examples
    --------
    >>> [each.method for each in compare_methods(np.ones((5, 5)), np.ones((2, 2, 1, 1)))]
    ['direct', 'im2col', 'fft']
    """
    exact = conv2d(
        *(None if array is None else np.asarray(array, np.float64) for array in (x, kernel, bias)),
        method="direct",
        **options,
    )
    found = []
    for method in METHODS:
        try:
            y = conv2d(x, kernel, bias, method=method, **options)
        except ValueError:
            if method != "winograd":
                raise
            continue
        limits = conv2d_bound(x, kernel, bias, method=method, **options).limit()
        errors = np.abs(y - exact)
        found.append(
            MethodError(method, float(errors.max()), float(limits.max()), bool((errors <= limits).all()))
        )
    return found
