"""From scores to the loss and back: signed columns by class, the curve of the cross-entropy, pixels.

Signs are written with the numbers. The gradient's picture has a scale of its own, centred on zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.colours import INK, Scale
from cnnviz.figures.axes import chart, label, mark_point
from cnnviz.figures.bar_charts import LIKELIEST, MOST_CLASSES
from cnnviz.figures.canvas import SMALL, WIDE, Canvas, Grid
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.images.class_names import class_names
from cnnviz.numbers import minus, number, percent, signed_number


@figure
def class_columns(
    values: Any,
    *,
    classes: Any = None,
    selected: int | None = None,
    title: str = "",
    signed: bool = True,
    width: float = 460.0,
    **look: Unpack[Look],
) -> Picture:
    """One number a class as a column up or down from zero, its value written at its end.

    Of more than 20 classes 10 are drawn: the selected one, and those with the largest numbers of either
    sign.

    Parameters
    ----------
    values
        (classes,): logits, or a gradient with respect to them.
    classes
        Their names, as `cnnviz.images.class_names.class_names` takes them; None is 0, 1, 2, ...
    selected
        A class to mark.
    title
        What the numbers are.
    signed
        Whether there is room below zero even if nothing is negative.

    Returns
    -------
    Picture
        Its artists are "columns".

    Examples
    --------
    >>> class_columns([1.0, -2.0], title="logit").alt
    'logit by class: 0: +1.00, 1: −2.00.'
    """
    numbers = np.asarray(values, float)
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        raise ValueError(f"values must be (classes,) and finite, got shape {numbers.shape}")
    names = class_names(range(len(numbers)) if classes is None else classes, len(numbers))
    if (count := len(numbers)) > MOST_CLASSES:
        ranked = np.argsort(-np.abs(numbers), kind="stable").tolist()
        chosen = [] if selected is None else [selected]
        shown = sorted([*chosen, *(k for k in ranked if k != selected)][:LIKELIEST])
        names, numbers = [names[k] for k in shown], numbers[shown]
        selected = None if selected is None else shown.index(selected)
        title = f"{title or 'values'}, {len(shown)} of the largest of {count:,}"
    scale = Scale.of(numbers, signed=signed or None)
    # Small numbers are written in units of a power of ten, which the title names.
    unit = 10.0 ** math.floor(math.log10(scale.limit)) if scale.limit < 0.01 else 1.0
    canvas = Canvas(width, 224, **look)
    words = title if unit == 1 else minus(f"{title}, in units of {unit:.0e}")
    if words:
        canvas.text(0, 14, words, size=SMALL + 1, colour="muted")
    scale = Scale(scale.kind, scale.limit / unit)
    columns = canvas.columns(
        [float(v) / unit for v in numbers], 0, 46, width, 130, scale, names, selected=selected
    )
    listed = ", ".join(f"{name}: {signed_number(v)}" for name, v in zip(names, numbers, strict=True))
    return canvas.picture(f"{title or 'Values'} by class: {listed}.", columns=columns)


@figure
def cross_entropy_curve(probability: float, *, width: float = 460.0, **look: Unpack[Look]) -> Picture:
    """The loss -log p by the target's probability p, with one image's place on it.

    Parameters
    ----------
    probability
        Of the target, from 0 to 1.

    Returns
    -------
    Picture
        Its artists are "curve" and "point"; a loss beyond the picture is marked at its upper edge.

    Examples
    --------
    >>> cross_entropy_curve(0.5).alt
    'The loss −log p falls from 6.91 at p = 0.1 % to 0 at p = 100 %; at p = 50.00 % it is 0.693.'
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"probability must be from 0 to 1, got {probability!r}")
    ax, chosen = chart(width, 240, **look)
    p = np.linspace(0.001, 1, 400)
    (curve,) = ax.plot(p, -np.log(p), color=chosen.positive, linewidth=2)
    loss = float(-np.log(probability)) + 0.0 if probability > 0 else np.inf
    top = float(-np.log(p[0]))
    height = loss if loss <= top else 0.96 * top
    right = probability > 0.6
    point = mark_point(
        ax,
        (probability, height),
        number(loss),
        (-8 if right else 12, 10 if loss < 0.8 * top else -14),
        colour=chosen.accent,
        ha="right" if right else "left",
        shape="o" if loss <= top else "^",
    )
    ax.set(xlim=(0, 1.04), ylim=(0, top))
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    label(ax, chosen, x="probability of the target", y="loss in nats")
    alt = (
        f"The loss −log p falls from {number(top)} at p = 0.1 % to 0 at p = 100 %; at p = "
        f"{percent(probability)} it is {number(loss)}."
    )
    return Picture(ax, {"curve": curve, "point": point}, alt)


@figure
def pixel_gradient(
    image: Any,
    gradient: Any,
    *,
    after: Any = None,
    titles: Sequence[str] = ("the pixels", "gradient", "after the step"),
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """An image, the gradient of its loss by pixel, and the image after a step, side by side.

    Parameters
    ----------
    image
        (H, W), 0 to 1, paper to ink; or (H, W, 3), a picture in colour.
    gradient
        (H, W), of either sign, or a change of the pixels: drawn on a scale centred on zero.
    after
        As `image`, or None.
    titles
        Of the three.

    Returns
    -------
    Picture
        Its artists are the images "image", "gradient" and "after", and "legend".

    Examples
    --------
    >>> picture = pixel_gradient(np.eye(3), np.eye(3) - 0.5)
    >>> picture["gradient"].norm.vmin == -picture["gradient"].norm.vmax
    True
    """
    image, gradient = np.asarray(image), np.asarray(gradient)
    shown = [image, gradient] if after is None else [image, gradient, np.asarray(after)]
    sizes = {array.shape[:2] for array in shown}
    kinds = [gradient.shape[2:], *(each.shape[2:] for each in (image, shown[-1 if after is not None else 0]))]
    if image.ndim not in (2, 3) or 0 in image.shape or len(sizes) != 1 or kinds[1] != kinds[2]:
        raise ValueError(f"image and gradient must both be (H, W), got {[array.shape for array in shown]}")
    if kinds[0] != () or kinds[1] not in ((), (3,)):
        raise ValueError(f"image must be (H, W) or (H, W, 3), got {[array.shape for array in shown]}")
    gap, across = (20.0, len(shown)) if width >= 600 else (10.0, 2)
    grid = Grid(len(shown), across, width, gap, 300.0)
    tall = grid.side * image.shape[0] / image.shape[1]
    below = grid.lines * (tall + 34)
    canvas = Canvas(width, below + 46, **look)
    scale = Scale.of(gradient, signed=True)
    images = []
    for k, (array, title) in enumerate(zip(shown, titles, strict=False)):
        x, y = grid.place(k, tall + 34, 22)
        canvas.text(x, y - 8, title, size=SMALL + 1, weight="bold")
        images.append(canvas.image(array, x, y, grid.side, tall, scale=scale if k == 1 else INK))
    legend = canvas.legend(scale, 0.5, below + 20, min(220.0, width - 1), titles[1])
    low, high = (np.unravel_index(at, gradient.shape) for at in (gradient.argmin(), gradient.argmax()))
    alt = (
        f"{titles[0]}, and {titles[1]} from {signed_number(gradient[low])} at row {low[0]}, column {low[1]} "
        f"to {signed_number(gradient[high])} at row {high[0]}, column {high[1]}"
    )
    if after is not None and image.ndim == 2:
        alt += f"; {titles[2]}, with {number(float(np.sum(after)))} of ink instead of {number(image.sum())}"
    artists = dict(zip(("image", "gradient", "after"), images, strict=False))
    return canvas.picture(alt[0].upper() + alt[1:] + ".", **artists, legend=legend)
