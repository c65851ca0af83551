"""How large receptive fields are, drawn: their growth with depth, and the effective one inside its box.

Everything about positions comes in as numbers of `cnnviz.receptive_field`; nothing is derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.colours import Scale
from cnnviz.figures.canvas import LABEL, Canvas, map_of, text_width
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.figures.receptive_paths import clipped
from cnnviz.numbers import number
from cnnviz.receptive_fields.field import Box


@figure
def receptive_growth(
    names: Sequence[str],
    sizes: Sequence[float],
    *,
    effective: Sequence[float] | None = None,
    image: float | None = None,
    highlight: int | None = None,
    width: float = 460.0,
    **look: Unpack[Look],
) -> Picture:
    """The size of the receptive field, layer by layer, in input pixels.

    Parameters
    ----------
    names, sizes
        Layers and their receptive fields' sizes along one axis.
    effective
        The width that holds most of the gradient, drawn as a band inside each outline.
    image
        The image's size along that axis, drawn as a line.
    highlight
        A layer in the accent colour.

    Returns
    -------
    Picture
        Its artists are "bars", "effective" and "image".

    Examples
    --------
    >>> receptive_growth(["conv", "pool"], [3, 4], image=28).alt
    'Receptive field in input pixels: conv 3, pool 4; the image is 28 wide.'
    """
    if len(names) != len(sizes) or not names or (effective is not None and len(effective) != len(names)):
        raise ValueError("names, sizes and effective must have one entry for each layer")
    row, top = 24.0, 6.0
    left = 12 + max(text_width(name, weight="bold") for name in names)
    canvas = Canvas(width, top + row * len(names) + 30, **look)
    whole = max([*sizes, image or 0])
    unit = (width - left - (44 if effective is None else 72)) / whole
    bars, inner = [], []
    for k, (name, size) in enumerate(zip(names, sizes, strict=True)):
        y = top + row * k
        chosen = k == highlight
        tone, weight = ("accent", "bold") if chosen else ("positive", "normal")
        canvas.name(left - 10, y + 16.5, name, chosen, size=LABEL, ha="right")
        # Centred, as the field lies around its unit.
        middle = left + whole * unit / 2
        place = middle - size * unit / 2, y + 5, size * unit, 14
        if effective is None:
            bars.append(canvas.bar(*place, tone))
            words = f"{size:g}"
        else:
            part = effective[k] * unit
            bars.append(canvas.box(*place, tone, 1.2, fill="panel"))
            inner.append(canvas.bar(middle - part / 2, y + 8, part, 8, tone))
            words = f"{effective[k]:g} of {size:g}"
        canvas.text(left + whole * unit + 8, y + 16.5, words, weight=weight)
    line = None
    if image:
        end = top + row * len(names)
        edges = [left + (whole - image) * unit / 2, left + (whole + image) * unit / 2]
        line = [canvas.line([(x, top), (x, end + 4)], "muted", 1, (0, (3, 2))) for x in edges]
        canvas.note((edges[0] + edges[1]) / 2, end + 20, f"image, {image:g} pixels", ha="center")
    alt = "Receptive field in input pixels: " + ", ".join(
        f"{name} {size:g}" for name, size in zip(names, sizes, strict=True)
    )
    alt += f"; the image is {image:g} wide." if image else "."
    if effective is not None:
        alt += f" Effective: {', '.join(number(e) for e in effective)}."
    return canvas.picture(alt, bars=bars, effective=inner, image=line)


@figure
def effective_field(
    field: Any,
    box: Box,
    *,
    scale: Scale | None = None,
    title: str = "mean magnitude of the gradient",
    width: float = 340.0,
    **look: Unpack[Look],
) -> Picture:
    """How much each input pixel counts for a unit, with the theoretical box around it.

    Parameters
    ----------
    field
        (H, W): magnitudes of the gradient with respect to the input, not negative.
    box
        ((top, bottom), (left, right)), the theoretical field; what is beyond the image is left out.
    scale
        To share with another field; by default from 0 to the largest magnitude here.
    title
        Of the legend.

    Returns
    -------
    Picture
        Its artists are "field", "box" and "legend".

    Examples
    --------
    >>> effective_field(np.ones((5, 5)), ((1, 3), (1, 3)))["field"].get_array().shape
    (5, 5)
    """
    field = map_of(field, "field")
    scale = scale or Scale.of(field, signed=False)
    unit = (width - 2) / field.shape[1]
    canvas = Canvas(width, unit * field.shape[0] + 62, **look)
    image = canvas.image(field, 1, 2, width - 2, scale=scale)
    (top, bottom), (left, right) = inner = clipped(box[0], field.shape[0]), clipped(box[1], field.shape[1])
    outline = canvas.field(1, 2, unit, inner)
    legend = canvas.legend(scale, 1, 2 + unit * field.shape[0] + 30, min(220.0, width - 2), title)
    total = float(field.sum(dtype=float))
    inside = field[top : bottom + 1, left : right + 1]
    share = float(inside.sum(dtype=float)) / total if total else 0.0
    peak = np.unravel_index(int(field.argmax()), field.shape)
    alt = (
        f"{title[:1].upper()}{title[1:]} over {field.shape[0]} by {field.shape[1]} pixels, largest "
        f"{number(field.max())} at row {peak[0]}, column {peak[1]}; the theoretical field, rows {top} to "
        f"{bottom} and columns {left} to {right}, holds {100 * share:.0f} % of them."
    )
    return canvas.picture(alt, field=image, box=outline, legend=legend)
