"""Convolution kernels with a name, each built from what defines it.

Kernels are float64 (height, width) and meant for cross-correlation, which is what a CNN's
"convolution" computes: a derivative kernel answers with + where brightness rises to the right or
downwards. Colour, three dimensions and steerable families are left out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnnviz.numbers import brief
from cnnviz.ops.arguments import number, real
from cnnviz.ops.padding import integer

SIZES = range(1, 12)
"""The sizes that a resizable kernel can have here."""

MOST = 512
"""The largest size of all: a Sobel kernel's products of two rows of Pascal's triangle are below 2**1024."""

LARGEST = 1e150
"""Of a kernel that is looked into: the squares of its weights are numbers too."""

_DIFFERENCE = np.array([-1.0, 0.0, 1.0])


def binomial(size: int) -> np.ndarray:
    """A row of Pascal's triangle over its sum: the smoothing that repeated [1, 1] tends to.

    >>> binomial(3) * 4
    array([1., 2., 1.])
    """
    _at_least(size, "binomial")
    row = np.array([math.comb(size - 1, k) for k in range(size)], float)
    return row / row.sum()


def gaussian_weights(size: int, sigma: float) -> np.ndarray:
    """A normal density sampled at whole steps from the middle, over its sum.

    >>> gaussian_weights(1, 1.0)
    array([1.])
    """
    x = _steps(size)
    # Squared after the division: no power of a tiny sigma is 0.
    weights = np.exp(-((x / _positive(sigma, "sigma")) ** 2) / 2)
    return weights / weights.sum()


def separate(kernel: Any, tolerance: float = 1e-9) -> tuple[np.ndarray, np.ndarray] | None:
    """The column and the row whose outer product a kernel is, or None if it is no outer product.

    Applying the two after each other costs height + width multiplications a pixel, not
    height * width.

    Parameters
    ----------
    kernel
        (height, width).
    tolerance
        How large the second singular value may be, relative to the first.

    Returns
    -------
    (column, row) or None
        (height,) and (width,), scaled alike; `np.outer(column, row)` is the kernel.

    Examples
    --------
    >>> separate(np.ones((3, 3)) / 9)[0].round(4)
    array([0.3333, 0.3333, 0.3333])
    >>> separate(np.eye(3)) is None
    True
    """
    kernel = matrix(kernel)
    u, s, vt = np.linalg.svd(kernel, full_matrices=False)
    if s[0] == 0 or (len(s) > 1 and s[1] > tolerance * s[0]):
        return None
    column, row = u[:, 0] * math.sqrt(s[0]), vt[0] * math.sqrt(s[0])
    sign = -1.0 if column[np.abs(column).argmax()] < 0 else 1.0
    return column * sign, row * sign


def identity(size: int = 3) -> np.ndarray:
    """Leaves the image as it is: one in the middle. Odd sizes only.

    >>> int(identity(5).sum()), float(identity(5)[2, 2])
    (1, 1.0)
    """
    _odd(size, "identity")
    kernel = np.zeros((size, size))
    kernel[size // 2, size // 2] = 1.0
    return kernel


def box(size: int = 3) -> np.ndarray:
    """The mean of a square: blurs, with visible edges.

    >>> float(box(2)[0, 0])
    0.25
    """
    _at_least(size, "box")
    return np.full((size, size), 1.0 / size**2)


def gaussian(size: int = 3, sigma: float | None = None) -> np.ndarray:
    """Blurs alike in all directions. Without sigma it is the binomial kernel of that size.

    >>> (gaussian(3) * 16).round().tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    weights = binomial(size) if sigma is None else gaussian_weights(size, _positive(sigma, "sigma"))
    return np.outer(weights, weights)


def sharpen() -> np.ndarray:
    """The image minus its Laplacian.

    >>> sharpen().tolist()
    [[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]
    """
    return identity(3) - laplacian()


def unsharp(size: int = 5, sigma: float | None = None, amount: float = 1.0) -> np.ndarray:
    """The image plus `amount` times what a Gaussian blur takes away from it. Odd sizes only.

    >>> int((unsharp(5) * 256).round()[2, 2])
    476
    """
    _odd(size, "unsharp")
    return (1 + number(amount, "amount")) * identity(size) - amount * gaussian(size, sigma)


def emboss(size: int = 3) -> np.ndarray:
    """Lights the image from the top left: a diagonal derivative added to the image. Odd sizes from 3.

    >>> emboss().tolist()
    [[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]]
    """
    _odd(size, "emboss", 3)
    steps = _steps(size)
    slope = steps[:, np.newaxis] + steps
    return slope + identity(size)


def outline(size: int = 3) -> np.ndarray:
    """A pixel against all the others of its square; of size 3, minus the 8-neighbour Laplacian.

    Odd sizes from 3.

    >>> int(outline()[1, 1]), int(outline().sum()), int(outline(5)[2, 2])
    (8, 0, 24)
    """
    _odd(size, "outline", 3)
    return size**2 * identity(size) - 1


def laplacian(neighbours: int = 4) -> np.ndarray:
    """The sum of the neighbours' differences from the middle, of 4 neighbours or 8.

    >>> laplacian().tolist()
    [[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]
    """
    second = np.array([1.0, -2.0, 1.0])
    here = np.array([0.0, 1.0, 0.0])
    if neighbours == 4:
        return np.outer(here, second) + np.outer(second, here)
    if neighbours == 8:
        return -outline(3)
    raise ValueError(f"neighbours must be 4 or 8, got {neighbours!r}")


def laplacian_of_gaussian(size: int = 5, sigma: float | None = None) -> np.ndarray:
    """The Laplacian of a blurred image, in one kernel whose sum is made zero.

    Without sigma it is a fifth of the size: the kernel's rim is then close to zero.

    >>> bool(abs(laplacian_of_gaussian(9, 1.4).sum()) < 1e-12)
    True
    """
    _at_least(size, "laplacian_of_gaussian", 3)
    sigma = size / 5 if sigma is None else _positive(sigma, "sigma")
    x = _steps(size)
    square = x[:, np.newaxis] ** 2 + x**2
    weights = gaussian_weights(size, sigma)
    kernel = np.outer(weights, weights) * (square - 2 * sigma**2) / sigma**4
    return kernel - kernel.mean()


def sobel(axis: str = "x", size: int = 3) -> np.ndarray:
    """A derivative along one axis, smoothed binomially along the other. Odd sizes from 3.

    >>> sobel("x").tolist()
    [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]
    """
    _odd(size, "sobel", 3)
    smooth = binomial(size) * 2.0 ** (size - 1)
    slope = np.convolve(binomial(size - 2) * 2.0 ** (size - 3), _DIFFERENCE)
    return _along(axis, slope, smooth)


def scharr(axis: str = "x") -> np.ndarray:
    """As Sobel, with the smoothing whose gradient turns most nearly with the image.

    >>> scharr("y")[2].tolist()
    [3.0, 10.0, 3.0]
    """
    return _along(axis, _DIFFERENCE, np.array([3.0, 10.0, 3.0]))


def prewitt(axis: str = "x", size: int = 3) -> np.ndarray:
    """The slope of the plane that fits the square best, in whole numbers: as Sobel, with plain averaging.

    Sizes from 2.

    >>> prewitt("x")[0].tolist(), prewitt("x", 4)[0].tolist()
    ([-1.0, 0.0, 1.0], [-3.0, -1.0, 1.0, 3.0])
    """
    _at_least(size, "prewitt", 2)
    return _along(axis, _steps(size) * (1 if size % 2 else 2), np.ones(size))


def roberts(axis: str = "x") -> np.ndarray:
    """A difference along one of the diagonals of a 2 by 2 square.

    >>> roberts("x").tolist(), roberts("y").tolist()
    ([[1.0, 0.0], [0.0, -1.0]], [[0.0, 1.0], [-1.0, 0.0]])
    """
    _axis(axis)
    return np.diag([1.0, -1.0]) if axis == "x" else np.fliplr(np.diag([1.0, -1.0]))


def gabor(
    size: int = 7,
    angle: float = 0.0,
    wavelength: float | None = None,
    *,
    sigma: float | None = None,
    aspect: float = 0.5,
    phase: float = 0.0,
) -> np.ndarray:
    """A wave under a Gaussian: answers to stripes of one width and one direction.

    Parameters
    ----------
    size
        At least 2.
    angle
        Of the direction in which the wave runs, in degrees: 0 to the right (upright stripes), 90 down.
    wavelength
        In pixels; None is two thirds of the size.
    sigma
        Of the Gaussian along the wave, in pixels; None is 0.56 wavelengths, one octave of bandwidth.
    aspect
        How much narrower the Gaussian is along the wave than across it.
    phase
        In degrees: 0 is even (a stripe), 90 odd (an edge).

    Examples
    --------
    >>> gabor(7, 30).shape
    (7, 7)

    Source: J. G. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and
    orientation", 1985; its parameters as in Petkov and Kruizinga, 1997.
    """
    _at_least(size, "gabor", 2)
    wavelength = 2 * size / 3 if wavelength is None else _positive(wavelength, "wavelength")
    sigma = 0.56 * wavelength if sigma is None else _positive(sigma, "sigma")
    x = _steps(size)
    cos, sin = math.cos(math.radians(number(angle, "angle"))), math.sin(math.radians(number(angle, "angle")))
    along = x * cos + x[:, np.newaxis] * sin
    across = -x * sin + x[:, np.newaxis] * cos
    envelope = np.exp(-(along**2 + (_positive(aspect, "aspect") * across) ** 2) / (2 * sigma**2))
    return envelope * np.cos(2 * np.pi * along / wavelength + math.radians(number(phase, "phase")))


def motion_blur(size: int = 5, angle: float = 0.0) -> np.ndarray:
    """The mean along a line through the middle: a camera that moved at that angle in degrees.

    The line is as long as the kernel is wide; cells share it by how near they are to it.

    >>> motion_blur(3)[1].round(3).tolist()
    [0.333, 0.333, 0.333]
    """
    x = _steps(size)
    cos, sin = math.cos(math.radians(number(angle, "angle"))), math.sin(math.radians(number(angle, "angle")))
    # Steps along the longer axis are whole cells, as in drawing an anti-aliased line.
    reach = max(abs(cos), abs(sin))
    across = np.abs(-x * sin + x[:, np.newaxis] * cos) / reach
    # A cosine of 90 degrees is 0 but for rounding.
    kernel = np.clip(1 - across.round(12), 0, 1)
    return kernel / kernel.sum()


def rotate(kernel: Any, eighths: int) -> np.ndarray:
    """A 3x3 kernel with its rim turned clockwise by so many eighths of a turn.

    >>> rotate(prewitt("x"), 2).tolist() == prewitt("y").tolist()
    True
    """
    kernel = matrix(kernel)
    if kernel.shape != (3, 3):
        raise ValueError(f"kernel must be (3, 3), got shape {kernel.shape}")
    turned = kernel.copy()
    turned[_RIM] = np.roll(kernel[_RIM], eighths)
    return turned


_RIM = ([0, 0, 0, 1, 2, 2, 2, 1], [0, 1, 2, 2, 2, 1, 0, 0])


def _steps(size: int) -> np.ndarray:
    """Distances from the middle: -1, 0, 1 for size 3, -0.5, 0.5 for size 2."""
    _at_least(size, "a kernel")
    return np.arange(size) - (size - 1) / 2


def _along(axis: str, slope: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    _axis(axis)
    return np.outer(smooth, slope) if axis == "x" else np.outer(slope, smooth)


def _axis(axis: str) -> None:
    if axis not in ("x", "y"):
        raise ValueError(f"axis must be 'x' or 'y', got {axis!r}")


def _at_least(size: int, name: str, minimum: int = 1) -> None:
    size = integer(size, "size")
    if not minimum <= size <= MOST:
        raise ValueError(f"size must be at least {minimum} and at most {MOST} for {name}, got {brief(size)}")


def _odd(size: int, name: str, minimum: int = 1) -> None:
    if size % 2 == 0 or size < minimum:
        raise ValueError(f"size must be odd and at least {minimum} for {name}, got {brief(size)}")
    _at_least(size, name, minimum)


def _positive(value: float, name: str) -> float:
    if not 1e-100 <= value <= 1e100:
        raise ValueError(f"{name} must be positive, from 1e-100 to 1e100, got {value!r}")
    return float(value)


def is_mean(kernel: Any) -> bool:
    """Whether a kernel takes a mean of what it reads, so that it makes a picture of a picture.

    Its weights are not negative and their sum is 1: each answer lies between the darkest and the brightest
    pixel that it reads.

    >>> is_mean(box()), is_mean(identity()), is_mean(sobel()), is_mean(sharpen())
    (True, True, False, False)
    """
    kernel = matrix(kernel)
    return bool((kernel >= 0).all()) and math.isclose(float(kernel.sum()), 1.0, rel_tol=1e-6)


def matrix(kernel: Any) -> np.ndarray:
    """A kernel as float64 (height, width); ValueError for another rank or a weight past `LARGEST`."""
    kernel = real(kernel, "kernel", float)
    if kernel.ndim != 2 or 0 in kernel.shape:
        raise ValueError(f"kernel must be (height, width), got shape {kernel.shape}")
    if not np.abs(kernel).max() <= LARGEST:
        raise ValueError(f"kernel must be finite, up to {LARGEST:g}, got {np.abs(kernel).max():g}")
    return kernel
