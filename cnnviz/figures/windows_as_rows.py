"""A convolution as one matrix product: every window a row, the kernel a column, the map the answer.

Only for one channel and maps small enough to be read; how the engine multiplies is in `cnnviz.ops.im2col`.
"""

from __future__ import annotations

from typing import Any, Unpack

from cnnviz.colours import INK, Scale
from cnnviz.figures.canvas import Canvas, map_of
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.kernels.definitions import matrix as checked
from cnnviz.numbers import counted, number, signed_number
from cnnviz.ops.im2col import im2col_matrix


@figure
def patch_matrix(
    x: Any, kernel: Any, *, output: int = 0, pixels: bool = True, width: float = 720.0, **look: Unpack[Look]
) -> Picture:
    """A small map's windows as the rows of a matrix, times the kernel as a column: the convolution.

    Parameters
    ----------
    x
        (H, W): one channel, whose windows are at most 64.
    kernel
        (kh, kw).
    output
        Which window to outline, counted row by row.
    pixels
        Draw x as ink on paper, from 0 to 1.

    Returns
    -------
    Picture
        Its artists are the images "input", "matrix", "kernel", "product" and "map", and "tiles", where each
        row of the matrix is: (x, y, width, height) as shares of the figure's width and height.

    Raises
    ------
    ValueError
        for other shapes, or an output that does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> picture = patch_matrix(np.eye(4), np.ones((3, 3)), output=1)
    >>> picture["matrix"].get_array().shape, picture["product"].get_array().ravel().tolist()
    ((4, 9), [3.0, 2.0, 2.0, 3.0])
    """
    x, kernel = map_of(x, "x"), checked(kernel)
    kh, kw = kernel.shape
    rows, cols = x.shape[0] - kh + 1, x.shape[1] - kw + 1
    if not 1 <= rows * cols <= 64 or min(rows, cols) < 1:
        raise ValueError(f"x must have 1 to 64 windows of the kernel's {kh} x {kw}, got shape {x.shape}")
    if not 0 <= output < rows * cols:
        raise ValueError(f"output must be one of the {rows} x {cols} outputs, got {output!r}")
    matrix = im2col_matrix(x, (kh, kw))
    weights = kernel.astype(x.dtype).reshape(-1, 1)
    product = matrix @ weights
    answer = product.reshape(rows, cols)
    row, col = divmod(output, cols)
    data, of_kernel = INK if pixels else Scale.of(x), Scale.of(kernel, signed=True)
    of_answer = Scale.of(answer, signed=True)
    wide = width >= 600
    gap = 34.0 if wide else 16.0
    across = kh * kw + 2 + (x.shape[1] + cols if wide else 0)
    unit = min((width - 1 - gap * (4 if wide else 2)) / across, 32.0)
    head, below = 24.0, 26.0
    first = max(x.shape[0], rows) * unit + below + head if not wide else 0.0
    tall = max(rows * cols, kh * kw, x.shape[0] if wide else 0) * unit
    canvas = Canvas(width, first + head + tall + 52, **look)
    place = {"input": (0.5, head), "map": (0.5 + x.shape[1] * unit + gap, head)}
    left, top = (0.5 + x.shape[1] * unit + gap if wide else 0.5), first + head
    for name, many in (("matrix", kh * kw), ("kernel", 1), ("product", 1)):
        place[name] = left, top
        left += many * unit + gap
    if wide:
        place["map"] = left, head
    parts = {
        "input": ("Input", x, data),
        "matrix": ("Its windows, one a row", matrix, data),
        "kernel": ("", weights, of_kernel),
        "product": ("", product, of_answer),
        "map": ("The map", answer, of_answer),
    }
    images = {}
    for name, (title, array, scale) in parts.items():
        at = place[name]
        canvas.text(at[0], at[1] - 8, title, weight="bold")
        images[name] = canvas.image(array, *at, array.shape[1] * unit, scale=scale)
        canvas.values(array, *at, unit, scale)
    for name, sign in (("kernel", "×"), ("product", "=")):
        canvas.text(place[name][0] - gap / 2, top + kh * kw * unit / 2, sign, size=18, ha="center")
    canvas.cell(*place["input"], unit, row, col, kh, kw)
    canvas.cell(*place["matrix"], unit, output, 0, 1, kh * kw)
    canvas.cell(*place["product"], unit, output, 0)
    canvas.cell(*place["map"], unit, row, col)
    canvas.legend(of_kernel, 0.5, first + head + tall + 24, min(150.0, width / 2 - 20), "weights")
    canvas.legend(
        of_answer, min(230.0, width / 2), first + head + tall + 24, min(150.0, width / 2 - 20), "map"
    )
    at = place["matrix"]
    tiles = [canvas.share(at[0], at[1] + line * unit, kh * kw * unit, unit) for line in range(rows * cols)]
    terms = " + ".join(
        f"({signed_number(float(weight))})·{number(float(value), 2)}"
        for value, weight in zip(matrix[output], weights[:, 0], strict=True)
    )
    alt = (
        f"{counted(rows * cols, 'window')} of {kh} by {kw} cells as a matrix of {rows * cols} by {kh * kw}, "
        f"times the kernel as a column. Window {output}, at row {row}, column {col}: {terms} = "
        f"{number(float(answer[row, col]))}."
    )
    return canvas.picture(alt, tiles=tiles, **images)
