"""A convolution in two steps: each channel with a kernel of its own, then a 1x1 convolution that mixes them.

Biases and activations are left out. After Chollet, "Xception: Deep learning with depthwise separable
convolutions", CVPR 2017, and Eckart and Young, "The approximation of one matrix by another of lower rank",
Psychometrika, 1936, for the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.channels.cost import Comparison, conv_cost
from cnnviz.numbers import brief


@dataclass(frozen=True, eq=False)
class SeparatedKernel:
    """A convolution's kernel, and the nearest one that a depthwise and a 1x1 convolution make together.

    Parameters
    ----------
    kernel
        (kh, kw, C_in, C_out), float64: the convolution's.
    depthwise
        (kh, kw, C_in, 1): one kernel for each channel, as `ops.depthwise_conv2d` takes it.
    pointwise
        (1, 1, C_in, C_out): what mixes them.
    """

    kernel: np.ndarray
    depthwise: np.ndarray
    pointwise: np.ndarray

    @property
    def made(self) -> np.ndarray:
        """(kh, kw, C_in, C_out): the one kernel that both steps are together."""
        return self.depthwise * self.pointwise

    @property
    def share_left(self) -> float:
        """The sum of the squares that the two steps miss over that of the kernel; 0 for a kernel of zeros."""
        whole = float(np.square(self.kernel).sum())
        return float(np.square(self.kernel - self.made).sum()) / whole if whole else 0.0


def nearest_separable(kernel: Any) -> SeparatedKernel:
    """The depthwise and the 1x1 convolution that come nearest to a convolution, by least squares.

    A slice of the kernel for one input channel is a matrix, cells by outputs; two steps can only make one of
    rank 1, and the nearest of those is known.

    Parameters
    ----------
    kernel
        (kh, kw, C_in, C_out), finite.

    Returns
    -------
    SeparatedKernel

    Raises
    ------
    ValueError
        for another shape, or numbers that are not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> made = rng.normal(size=(3, 3, 4, 1)) * rng.normal(size=(1, 1, 4, 8))
    >>> nearest_separable(made).share_left < 1e-20
    True
    """
    kernel = np.asarray(kernel, np.float64)
    if kernel.ndim != 4 or not kernel.size:
        raise ValueError(f"kernel must be (kh, kw, C_in, C_out) and not empty, got shape {kernel.shape}")
    if not np.isfinite(kernel).all():
        raise ValueError(f"kernel must be finite, got {brief(kernel)}")
    rows, cols, channels_in, channels_out = kernel.shape
    slices = kernel.reshape(rows * cols, channels_in, channels_out).swapaxes(0, 1)
    left, strength, right = np.linalg.svd(slices, full_matrices=False)
    root = np.sqrt(strength[:, 0])
    depthwise = (left[:, :, 0] * root[:, np.newaxis]).T.reshape(rows, cols, channels_in, 1)
    pointwise = (right[:, 0] * root[:, np.newaxis]).reshape(1, 1, channels_in, channels_out)
    return SeparatedKernel(kernel, depthwise, pointwise)


def separable_cost(channels_in: int, channels_out: int, kernel_size: Any = 3, size: Any = 1) -> Comparison:
    """A convolution against a depthwise and a 1x1 convolution of the same shape ('same' padding, no biases).

    Parameters
    ----------
    channels_in, channels_out
        Of the convolution.
    kernel_size, size
        Of its kernels and of its maps, an int or a (height, width) pair.

    Returns
    -------
    Comparison
        Its steps are the depthwise and the 1x1 convolution.

    Examples
    --------
    >>> found = separable_cost(10, 16, 3, 10)
    >>> found.direct.parameters, [step.parameters for step in found.steps]
    (1440, [90, 160])
    """
    return Comparison(
        conv_cost(channels_in, channels_out, kernel_size, size, bias=False),
        (
            conv_cost(channels_in, channels_in, kernel_size, size, groups=channels_in, bias=False),
            conv_cost(channels_in, channels_out, 1, size, bias=False),
        ),
    )
