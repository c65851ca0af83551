"""What a kernel does to waves: its gain for every frequency and direction, and the one it prefers.

The response is the kernel's Fourier transform, evaluated exactly at the frequencies asked for; no
window, no padding of the image. Definition after Gonzalez and Woods, "Digital Image Processing",
4th ed., chapter 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cnnviz.kernels.definitions import matrix
from cnnviz.ops.padding import integer

_TIED = 1e-9
"""Gains that differ by less, relatively, are the same but for rounding."""


@dataclass(frozen=True, eq=False)
class FrequencyResponse:
    """The gain of a kernel for plane waves.

    Parameters
    ----------
    frequencies
        float64 (n,), from -0.5 to 0.5 cycles per pixel: from minus to plus the highest frequency
        that pixels can show, light and dark in turn.
    values
        complex128 (n, n): by vertical frequency (positive downwards), then by horizontal. What
        cross-correlation with the kernel, taken around its middle, multiplies a wave by; the number's
        angle says how far the wave is shifted.
    """

    frequencies: np.ndarray
    values: np.ndarray

    @cached_property
    def magnitude(self) -> np.ndarray:
        """The gain, float64 (n, n): how many times larger a wave comes out than it went in."""
        return np.abs(self.values)

    @property
    def uniform(self) -> float:
        """The factor for an image of one brightness, frequency 0: the sum of the weights."""
        middle = len(self.frequencies) // 2
        return float(self.values[middle, middle].real)

    @cached_property
    def peak(self) -> Peak:
        """The wave that comes out largest; of several the slowest, then that of the smallest angle.

        The finest waves can be read in two ways: light and dark fields in turn run at 45 and at 135
        degrees.
        """
        gain = self.magnitude
        rows, cols = np.nonzero(gain >= gain.max() * (1 - _TIED))
        down, right = self.frequencies[rows], self.frequencies[cols]
        # A wave that runs backwards has the same gain, so half a turn covers all directions.
        angles = np.degrees(np.arctan2(down, right)) % 180
        frequencies = np.hypot(down, right)
        first = np.lexsort((angles, frequencies))[0]
        angle = None if frequencies[first] == 0 else float(angles[first])
        return Peak(float(gain.max()), float(frequencies[first]), angle)


@dataclass(frozen=True)
class Peak:
    """The wave to which a kernel answers most.

    Parameters
    ----------
    gain
        How many times larger it comes out.
    frequency
        In cycles per pixel, along the direction in which it runs: 0 to 0.71.
    angle
        That direction in degrees, as `gabor` takes it: 0 to the right (upright stripes), 90 down;
        None at frequency 0, which has no direction.
    """

    gain: float
    frequency: float
    angle: float | None


def frequency_response(kernel: Any, points: int = 65) -> FrequencyResponse:
    """A kernel's gain for plane waves of all frequencies and directions.

    Parameters
    ----------
    kernel
        (height, width).
    points
        Frequencies along each axis, an odd number so that 0 is one of them; at least 3.

    Returns
    -------
    FrequencyResponse

    Raises
    ------
    ValueError
        for another rank, or another number of points.

    Examples
    --------
    >>> from cnnviz.kernels import box, sobel
    >>> round(frequency_response(box(3)).uniform, 6), frequency_response(box(3)).peak.angle
    (1.0, None)
    >>> frequency_response(sobel("x")).peak
    Peak(gain=8.0, frequency=0.25, angle=0.0)

    Source: Gonzalez and Woods, "Digital Image Processing", 4th ed., chapter 4.
    """
    kernel = matrix(kernel)
    if integer(points, "points") < 3 or points % 2 == 0:
        raise ValueError(f"points must be odd and at least 3, got {points!r}")
    # By whole steps, so that the two halves are each other's mirror image to the last bit.
    frequencies = np.arange(-(points // 2), points // 2 + 1) / (points - 1)
    down, right = (_waves(frequencies, size) for size in kernel.shape)
    return FrequencyResponse(frequencies, down @ kernel @ right.T)


def _waves(frequencies: np.ndarray, size: int) -> np.ndarray:
    """A wave of each frequency at the cells of one axis, around its middle: complex (n, size)."""
    steps = np.arange(size) - (size - 1) / 2
    return np.exp(2j * np.pi * np.multiply.outer(frequencies, steps))
