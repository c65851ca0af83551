"""A kernel as a column times a row, cell by cell, and what such a product leaves out of it."""

from __future__ import annotations

from typing import Any, Unpack

from cnnviz.colours import Scale
from cnnviz.figures.canvas import WIDE, Canvas
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.kernels import Separation, separation
from cnnviz.numbers import number

GAP = 14.0


@figure
def outer_product(kernel: Any, *, width: float = WIDE, **look: Unpack[Look]) -> Picture:
    """A column on the left, a row above, and in every cell their product: the kernel, if it is separable.

    Otherwise the product is the one nearest to the kernel, and what it leaves out stands beside it.

    Parameters
    ----------
    kernel
        (height, width), or its `kernels.Separation`.

    Returns
    -------
    Picture
        Its artists are the images "column", "row" and "product", and "rest" (None if separable).

    Examples
    --------
    >>> picture = outer_product([[1.0, 2.0], [2.0, 4.0]])
    >>> picture["product"].get_array().tolist(), picture["rest"]
    ([[1.0, 2.0], [2.0, 4.0]], None)
    """
    separated = kernel if isinstance(kernel, Separation) else separation(kernel)
    rows, cols = separated.kernel.shape
    exact = separated.rank <= 1
    beside = not exact and width >= 600
    # Beside the product stands what it leaves out, as large.
    across = (2 * cols + 1 if beside else cols + 1, GAP * (3 if beside else 1))
    unit = min((width - 1 - across[1]) / across[0], 56.0)
    wide, tall = unit * cols, unit * rows
    top = 24 + unit + GAP
    height = top + tall + (0 if exact or beside else 38 + tall)
    canvas = Canvas(width, height + 62, **look)
    left_out = separated.kernel - separated.product
    shared = Scale.of(separated.kernel, separated.product, left_out, signed=True)
    x = 0.5 + unit + GAP
    parts = {}
    for name, array, over, down in (
        ("column", separated.column[:, None], 0.5, top),
        ("row", separated.row[None], x, 24.0),
        ("product", separated.product, x, top),
    ):
        scale = shared if name == "product" else Scale.of(array, signed=True)
        parts[name] = canvas.table(array, over, down, unit, scale)
    canvas.text(x, 15, "Row", weight="bold")
    canvas.text(0.5, 15, "Column" if unit >= 40 else "", weight="bold")
    canvas.text(0.5 + unit / 2, 24 + unit / 2 + 6, "×", size=16, ha="center", colour="muted")
    rest = None
    if not exact:
        over, down = (x + wide + 2 * GAP, top) if beside else (x, top + tall + 38)
        canvas.text(over, down - 9, "Left out", weight="bold")
        rest = canvas.table(left_out, over, down, unit, shared)
    parted = "weights; column and row" if width >= 460 else "column, row:"
    words = f"{parted} each to its own largest weight"
    canvas.legend(shared, 0.5, height + 30, min(220.0, width - 1), words)
    column, row = (
        " ".join(Scale.of(part, signed=True).write(v) for v in part)
        for part in (separated.column, separated.row)
    )
    alt = f"The column {column} times the row {row} "
    alt += f"{'is' if exact else 'is nearest to'} the kernel of {rows} by {cols}"
    alt += "." if exact else f"; it leaves out {number(100 * separated.error)} % of it."
    return canvas.picture(alt, rest=rest, **parts)
