"""The operations that can be animated: each calls the one of its name in `cnnviz.ops`.

That one checks the arguments. What is too large to be watched is refused here: more than 1,000 steps, more
than 8 channels, tiny cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnnviz import ops
from cnnviz.animate.animation import Animation
from cnnviz.animate.walk import Walk, backward_steps, check_size, forward_steps
from cnnviz.ops.arguments import check_rank, floats, images
from cnnviz.ops.padding import Window, pair, sliding_window
from cnnviz.ops.pooling import pooling_window
from cnnviz.ops.transposed import transpose_geometry


def conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    symbolic: bool = False,
    **look: Any,
) -> Animation:
    """A convolution, one output cell a step: the window on the padded input, the kernel, the sum.

    Parameters
    ----------
    x
        (H, W), (H, W, C) or (1, H, W, C); if symbolic, also just a shape (H, W).
    kernel
        (kh, kw, C // groups, F), or (kh, kw) for one channel and one filter; if symbolic, also just
        a shape (kh, kw).
    bias, strides, padding, dilation_rate, groups
        As in `ops.conv2d`.
    symbolic
        Write names in place of numbers: a, b, c, ... for x, w11, w12, ... for the kernel.
    look
        `theme`, `fps`, `scale`: see `Animation`.

    Returns
    -------
    Animation
        With a step for every cell of the output.

    Raises
    ------
    ValueError, TypeError
        As `ops.conv2d`, and for more steps, channels or cells than can be watched.

    Examples
    --------
    >>> animation = conv2d(np.eye(4), np.ones((3, 3)))
    >>> len(animation), animation.walk.steps[0].written
    (4, ((0, 0, 3.0),))
    >>> print(conv2d((2, 2), (2, 2), symbolic=True).words(0))
    w11·a + w12·b + w21·c + w22·d = y11
    """
    x, kernel = _image(x, symbolic), _kernel(kernel, symbolic)
    settings = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate, "groups": groups}
    geometry = sliding_window((1, *x.shape), kernel.shape, strides, padding, dilation_rate)
    check_size(x, kernel.shape[3], geometry)
    out = ops.conv2d(x, kernel, bias, **settings)
    depth, per_group = kernel.shape[2], kernel.shape[3] // groups
    sources = [
        tuple(range(f // per_group * depth, (f // per_group + 1) * depth)) for f in range(kernel.shape[3])
    ]
    weights = tuple(kernel[:, :, :, f] for f in range(kernel.shape[3]))
    return _forward("conv2d", x, out, weights, bias, geometry, sources, symbolic, settings, look)


def depthwise_conv2d(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    symbolic: bool = False,
    **look: Any,
) -> Animation:
    """A depthwise convolution: each channel with its own kernel, one output cell a step.

    Parameters, results and errors as in `conv2d`, but for the kernel (kh, kw, C, multiplier), as in
    `ops.depthwise_conv2d`.

    >>> len(depthwise_conv2d(np.ones((3, 3, 2)), np.ones((2, 2, 2, 1))))
    8
    """
    x, kernel = _image(x, symbolic), _kernel(kernel, symbolic)
    settings = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    geometry = sliding_window((1, *x.shape), kernel.shape, strides, padding, dilation_rate)
    check_size(x, kernel.shape[2] * kernel.shape[3], geometry)
    out = ops.depthwise_conv2d(x, kernel, bias, **settings)
    places = [(c, m) for c in range(kernel.shape[2]) for m in range(kernel.shape[3])]
    weights = tuple(kernel[:, :, c, m, np.newaxis] for c, m in places)
    sources = [(c,) for c, _ in places]
    return _forward("depthwise_conv2d", x, out, weights, bias, geometry, sources, symbolic, settings, look)


def conv2d_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
    symbolic: bool = False,
    **look: Any,
) -> Animation:
    """A transposed convolution, one stamp a step: an input cell, times the kernel, is added to the output.

    It is the picture of `conv2d` run backwards: from a cell to the window that a convolution would have
    read it from. What `padding` cuts off is drawn around the output.

    Parameters
    ----------
    x
        (H, W), (H, W, C) or (1, H, W, C); if symbolic, also just a shape (H, W).
    kernel
        (kh, kw, F, C), or (kh, kw) for one channel and one filter; if symbolic, also a shape (kh, kw).
    bias, strides, padding, output_padding, dilation_rate
        As in `ops.conv2d_transpose`.
    symbolic, look
        As in `conv2d`.

    Returns
    -------
    Animation
        With a step for every cell of x, for each filter.

    Raises
    ------
    ValueError, TypeError
        As `ops.conv2d_transpose`, and for more steps, channels or cells than can be watched.

    Examples
    --------
    >>> animation = conv2d_transpose([[1.0, 2.0]], np.ones((1, 2)), strides=1)
    >>> [step.written for step in animation.walk.steps]
    [((0, 0, 1.0), (0, 1, 1.0)), ((0, 1, 3.0), (0, 2, 2.0))]
    """
    x, kernel = _image(x, symbolic), _kernel(kernel, symbolic)
    settings = {
        "strides": strides,
        "padding": padding,
        "output_padding": output_padding,
        "dilation_rate": dilation_rate,
    }

    def transpose(cells: np.ndarray) -> np.ndarray:
        return ops.conv2d_transpose(cells, kernel, bias, **settings)

    filters = kernel.shape[2]
    geometry = transpose_geometry(
        (1, *x.shape), kernel.shape, strides, padding, output_padding, dilation_rate
    )
    check_size(x, filters, geometry, backwards=True)
    out = transpose(x)
    weights = tuple(kernel[:, :, f] for f in range(filters))
    biases = None if bias is None else np.asarray(bias)
    steps = tuple(backward_steps(x, filters, geometry, transpose))
    walk = Walk("conv2d_transpose", x, out, weights, biases, geometry, steps, symbolic, settings)
    return Animation(walk, **look)


def max_pool2d(
    x: Any,
    pool_size: Any = 2,
    *,
    strides: Any = None,
    padding: Any = "valid",
    symbolic: bool = False,
    **look: Any,
) -> Animation:
    """Max pooling, one output cell a step, with the cell that wins; padding never does.

    Parameters
    ----------
    x
        (H, W), (H, W, C) or (1, H, W, C); if symbolic, also just a shape (H, W).
    pool_size, strides, padding
        As in `ops.max_pool2d`.
    symbolic, look
        As in `conv2d`. The cell that wins is not marked where cells have names instead of numbers.

    Returns
    -------
    Animation
        With a step for every cell of the output.

    Raises
    ------
    ValueError, TypeError
        As `ops.max_pool2d`, and for more steps, channels or cells than can be watched.

    Examples
    --------
    >>> animation = max_pool2d([[1, 2], [4, 3]])
    >>> animation.walk.steps[0].winner, animation.words(0)
    ((1, 0), 'max(1, 2, 4, 3) = 4')
    """
    return _pooling(ops.max_pool2d, x, pool_size, strides, padding, symbolic, look)


def avg_pool2d(
    x: Any,
    pool_size: Any = 2,
    *,
    strides: Any = None,
    padding: Any = "valid",
    symbolic: bool = False,
    **look: Any,
) -> Animation:
    """Average pooling, one output cell a step; padded cells are not counted.

    Parameters, results and errors as in `max_pool2d`.

    >>> avg_pool2d([[1, 2], [4, 3]], 2, strides=1, padding="same").words(1)
    '(2 + 3) / 2 = 2.5'
    """
    return _pooling(ops.avg_pool2d, x, pool_size, strides, padding, symbolic, look)


def _pooling(
    operation: Callable[..., np.ndarray],
    x: Any,
    pool_size: Any,
    strides: Any,
    padding: Any,
    symbolic: bool,
    look: dict[str, Any],
) -> Animation:
    x = _image(x, symbolic)
    geometry = pooling_window((1, *x.shape), pool_size, strides, padding)
    check_size(x, x.shape[2], geometry)
    out = operation(x, pool_size, strides=strides, padding=padding)
    settings = {"strides": pool_size if strides is None else strides, "padding": padding}
    sources = [(c,) for c in range(x.shape[2])]
    return _forward(operation.__name__, x, out, (), None, geometry, sources, symbolic, settings, look)


def _forward(
    operation: str,
    x: np.ndarray,
    out: np.ndarray,
    weights: tuple[np.ndarray, ...],
    bias: Any,
    geometry: Window,
    sources: Sequence[tuple[int, ...]],
    symbolic: bool,
    settings: dict[str, object],
    look: dict[str, Any],
) -> Animation:
    winners = operation == "max_pool2d" and not symbolic
    steps = tuple(forward_steps(x, out, geometry, sources, winners=winners))
    biases = None if bias is None else np.asarray(bias)
    return Animation(Walk(operation, x, out, weights, biases, geometry, steps, symbolic, settings), **look)


def _image(x: Any, symbolic: bool) -> np.ndarray:
    """x as (H, W, C) floats, of one image; a shape becomes an image of zeros."""
    if symbolic and np.ndim(x) == 1:
        x = np.zeros(pair(x, "x"))
    (x,) = floats(x=x)
    batch, _ = images(x)
    if len(batch) != 1:
        raise ValueError(f"x must be one image, got {len(batch)} (x.shape={x.shape})")
    return batch[0]


def _kernel(kernel: Any, symbolic: bool) -> np.ndarray:
    """The kernel as floats of rank four, if it is one."""
    if symbolic and np.ndim(kernel) == 1:
        kernel = np.zeros(pair(kernel, "kernel"))
    (kernel,) = floats(kernel=kernel)
    kernel = kernel[:, :, np.newaxis, np.newaxis] if kernel.ndim == 2 else kernel
    check_rank(kernel, 4, "kernel", "(kh, kw) or of rank 4")
    return kernel
