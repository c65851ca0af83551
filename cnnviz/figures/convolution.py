"""Convolution: one output cell as patch times kernel, and a kernel as it is against the same turned.

Positions come from `ops.padding`, the engine's own; values are the arrays given, their products and
sums. How the window moves is left to `cnnviz.animate`.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from cnnviz.colours import INK, Scale
from cnnviz.figures.canvas import TITLE, WIDE, Canvas, map_of, maps_of
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.numbers import all_of, counted, number, signed_number
from cnnviz.ops.convolution import conv2d
from cnnviz.ops.padding import Axis, sliding_window


@figure
def convolution_step(
    x: Any,
    kernel: Any,
    bias: float = 0.0,
    *,
    row: int,
    col: int,
    output: Any,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    in_channel: int | None = None,
    pixels: bool = False,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """One cell of a convolution's output: the patch it reads, the kernel, their products, the sum.

    Parameters
    ----------
    x
        (H, W, C) or (1, H, W, C): what the layer reads.
    kernel
        (kh, kw, C): the weights of one filter.
    bias
        Of that filter.
    row, col
        The output cell.
    output
        (H_out, W_out): the filter's output before its activation, drawn beside the arithmetic.
    strides, padding, dilation_rate
        As in `ops.conv2d`.
    in_channel
        The input channel that is written out; None is the one that contributes most.
    pixels
        Draw x as an image, ink on paper, if it lies between 0 and 1.

    Returns
    -------
    Picture
        Its artists are the images "input", "patch", "kernel", "products" and "output", and the
        arrays "partial_sums", one for each input channel, and "total", their sum and the bias.

    Raises
    ------
    ValueError
        if shapes do not fit together or the cell is not one of the output's.

    Examples
    --------
    >>> x, kernel = np.arange(16.0).reshape(4, 4), np.ones((3, 3, 1))
    >>> picture = convolution_step(x, kernel, row=0, col=0, output=np.zeros((2, 2)))
    >>> float(picture["total"])
    45.0
    """
    x, kernel, output = maps_of(x, "x"), np.asarray(kernel), np.asarray(output)
    if kernel.ndim != 3 or kernel.shape[2] != x.shape[2]:
        raise ValueError(f"kernel must be (kh, kw, {x.shape[2]}), got shape {kernel.shape}")
    axes = sliding_window((1, *x.shape), kernel.shape, strides, padding, dilation_rate)
    if output.shape != axes.out or not (0 <= row < axes.out[0] and 0 <= col < axes.out[1]):
        raise ValueError(f"output must be {axes.out} and hold ({row}, {col}), got shape {output.shape}")
    patch = _patch(x, axes.rows, axes.cols, row, col)
    products = patch * kernel
    partial = products.sum(axis=(0, 1))
    total = partial.sum() + np.asarray(bias, partial.dtype)
    shown = int(np.abs(partial).argmax()) if in_channel is None else in_channel
    if not 0 <= shown < x.shape[2]:
        raise ValueError(f"in_channel must be one of the {x.shape[2]} input channels, got {in_channel}")

    wide, several = width >= 600, x.shape[2] > 1
    layout = _wide_layout(width) if wide else _narrow_layout(width)
    per_line = x.shape[2] if wide or x.shape[2] <= 8 else 8
    lines = -(-x.shape[2] // per_line) if several else 0
    one_line = width >= 800
    bottom = layout["end"][1] + (8 if one_line else 30)
    canvas = Canvas(width, bottom + (lines * 128 + 36 if several else 0), **look)
    # A picture whose numbers are not 0 to 1 has a scale of its own; no number may lie beyond it.
    data = INK if pixels and 0 <= x.min() <= x.max() <= 1 else Scale.of(x)
    parts = {
        "input": (f"Input, channel {shown}" if several else "Input", x[:, :, shown], data),
        "patch": ("Patch", patch[:, :, shown], data),
        "kernel": ("Kernel", kernel[:, :, shown], Scale.of(kernel, signed=True)),
        "products": ("Products", products[:, :, shown], Scale.of(products, signed=True)),
        "output": ("Before activation", output, Scale.of(output, signed=True)),
    }
    images = {}
    for name, (title, array, scale) in parts.items():
        left, top, side = layout[name]
        canvas.text(left, top - 8, title, weight="bold")
        unit = side / max(array.shape)
        if name in ("patch", "kernel", "products"):
            unit = min(unit, 60.0)
            offset = (side - unit * array.shape[1]) / 2
            images[name] = canvas.table(array, left + offset, top, unit, scale)
            canvas.legend(scale, left, top + side + 14, min(side, 110.0))
        else:
            images[name] = canvas.image(array, left, top, side, scale=scale)
            canvas.legend(scale, left, top + side * array.shape[0] / array.shape[1] + 14, min(side, 150.0))
    left, top, side = layout["input"]
    first_row = row * axes.rows.stride - axes.rows.before
    first_col = col * axes.cols.stride - axes.cols.before
    canvas.cell(left, top, side / x.shape[1], first_row, first_col, axes.rows.extent, axes.cols.extent)
    left, top, side = layout["output"]
    canvas.cell(left, top, side / output.shape[1], row, col)
    for name, sign in (("kernel", "×"), ("products", "=")):
        left, top, side = layout[name]
        canvas.text(left - layout["gap"][0] / 2, top + side / 2 + 6, sign, size=18, ha="center")
    _write_sum(canvas, layout["end"], partial, shown, float(bias), float(total), one_line)
    if several:
        scale = Scale.of(partial, signed=True)
        y = bottom + 42
        canvas.text(
            0,
            y - 10,
            f"What {counted(len(partial), 'input channel')} {'adds' if len(partial) == 1 else 'add'}",
            weight="bold",
        )
        for line in range(lines):
            part = slice(line * per_line, (line + 1) * per_line)
            share = len(partial[part]) / per_line
            inside = shown - part.start if part.start <= shown < part.stop else None
            names = [str(c) for c in range(len(partial))][part]
            canvas.columns(
                partial[part], 0, y + 22 + line * 128, width * share, 60, scale, names, selected=inside
            )
    alt = (
        f"At row {row}, column {col} the patch of channel {shown} is {_rows(patch[:, :, shown])}, the kernel "
        f"{_rows(kernel[:, :, shown])}. All products add up to {signed_number(partial.sum())}; with the bias "
        f"{signed_number(bias)} that is {signed_number(total)}."
    )
    return canvas.picture(alt, **images, partial_sums=partial, total=total)


def _patch(x: np.ndarray, rows: Axis, cols: Axis, row: int, col: int) -> np.ndarray:
    """The cells that an output reads, padding as zeros."""
    before, after = (rows.before, rows.after), (cols.before, cols.after)
    padded = np.pad(x, (before, after, (0, 0)))
    top, left = row * rows.stride, col * cols.stride
    return padded[top : top + rows.extent : rows.dilation, left : left + cols.extent : cols.dilation]


def _wide_layout(width: float) -> dict[str, tuple[float, ...]]:
    large, small = 0.205 * width, 0.162 * width
    gap = (width - 1 - 2 * large - 3 * small) / 4
    y = 26.0
    inner = y + (large - small) / 2
    places: dict[str, tuple[float, ...]] = {"input": (0.5, y, large)}
    x = large + gap
    for name in ("patch", "kernel", "products"):
        places[name] = (x, inner, small)
        x += small + gap
    places["output"] = (width - large - 0.5, y, large)
    return {**places, "gap": (gap,), "end": (large + gap, y + large + 62)}


def _narrow_layout(width: float) -> dict[str, tuple[float, ...]]:
    large, gap = (width - 17) / 2, 24.0
    small = (width - 1 - 2 * gap) / 3
    y, lower = 26.0, 26 + large + 84
    places = {
        name: (0.5 + k * (small + gap), lower, small)
        for k, name in enumerate(("patch", "kernel", "products"))
    }
    return {
        "input": (0.5, y, large),
        "output": (width - large - 0.5, y, large),
        **places,
        "gap": (gap,),
        "end": (0.0, lower + small + 66),
    }


def _write_sum(
    canvas: Canvas,
    place: tuple[float, ...],
    partial: np.ndarray,
    shown: int,
    bias: float,
    total: float,
    one_line: bool,
) -> None:
    """The arithmetic in words, the result marked."""
    x, y = place
    words = f"Sum of products {signed_number(partial.sum())}"
    if len(partial) > 1:
        words = f"Sum over {all_of(len(partial), 'channel')} {signed_number(partial.sum())}"
        if one_line:
            words = f"This channel {signed_number(partial[shown])}.  {words}"
    canvas.text(x, y, f"{words},  bias {signed_number(bias)}")
    at, ha = ((canvas.width - 0.5, y), "right") if one_line else ((x, y + 22), "left")
    canvas.text(*at, f"= {signed_number(total)}", size=TITLE, weight="bold", colour="accent", ha=ha)


def _rows(array: np.ndarray) -> str:
    return "; ".join(" ".join(number(v, 2) for v in row) for row in array)


@figure
def correlation_and_convolution(
    x: Any,
    kernel: Any,
    *,
    strides: Any = 1,
    padding: Any = "valid",
    dilation_rate: Any = 1,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """What a kernel makes of a map as networks use it, and turned by half a circle as mathematics does.

    Parameters
    ----------
    x
        (H, W): one channel.
    kernel
        (kh, kw).
    strides, padding, dilation_rate
        As in `ops.conv2d`.

    Returns
    -------
    Picture
        Its artists are "kernels" and "outputs", two images each, the correlation's first, and
        "difference", the largest between the outputs.

    Raises
    ------
    ValueError
        As `ops.conv2d`.

    Examples
    --------
    >>> picture = correlation_and_convolution(np.arange(16).reshape(4, 4), [[1, 0], [0, -1]])
    >>> picture["difference"]
    10.0
    """
    x, kernel = map_of(x, "x"), map_of(kernel, "kernel")
    both = [kernel, kernel[::-1, ::-1]]
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    outputs = [conv2d(x, each[:, :, np.newaxis, np.newaxis], **options) for each in both]
    weights, scale = Scale.of(kernel, signed=True), Scale.of(*outputs, signed=True)
    names = ("Correlation: the kernel as it is", "Convolution: the kernel turned by 180°")
    wide = width >= 600
    block = (width - 48) / 2 if wide else width - 1
    (rows, cols), (kh, kw), gap = outputs[0].shape, kernel.shape, 38.0
    small = min(36.0, 0.32 * block / kw)
    unit = min(36.0, (block - gap - kw * small) / cols, 330 / rows)
    tall = max(rows * unit, kh * small)
    canvas = Canvas(width, (tall + 46) * (1 if wide else 2) + 44, **look)
    kernel_images, output_images = [], []
    for place, (name, each, output) in enumerate(zip(names, both, outputs, strict=True)):
        left = 0.5 + (place * (block + 48) if wide else 0)
        top = 26 + (0 if wide else place * (tall + 46))
        canvas.text(left, top - 10, name, weight="bold")
        middle = top + (tall - kh * small) / 2
        kernel_images.append(canvas.table(each, left, middle, small, weights))
        end = left + kw * small
        canvas.arrow((end + 9, top + tall / 2), (end + gap - 9, top + tall / 2))
        at = top + (tall - rows * unit) / 2
        output_images.append(canvas.image(output, end + gap, at, cols * unit, scale=scale))
        if unit >= 26:
            canvas.values(output, end + gap, at, unit, scale)
    bottom = (tall + 46) * (1 if wide else 2) + 12
    for left, each, words in ((0.5, weights, "weights"), (min(190.0, width / 2), scale, "outputs")):
        canvas.legend(each, left, bottom, min(150.0, width / 2 - 20), words)
    difference = float(np.abs(outputs[0] - outputs[1]).max())
    alt = (
        f"The kernel {_rows(kernel)} gives outputs from {number(outputs[0].min())} to "
        f"{number(outputs[0].max())}; turned by 180 degrees, {_rows(both[1])}, it gives "
        f"{number(outputs[1].min())} to {number(outputs[1].max())}. The largest difference is "
        f"{number(difference)}."
    )
    return canvas.picture(alt, kernels=kernel_images, outputs=output_images, difference=difference)
