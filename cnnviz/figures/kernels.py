"""Kernels as small tables of coloured numbers, and what one of them makes of an image.

Trained kernels share one scale; kernels of different kinds may each have their own, and then the
legend says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from cnnviz.colours import BRIGHTNESS, INK, Scale
from cnnviz.figures.canvas import SMALL, WIDE, Canvas, Grid, map_of, text_width
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.images.input_pictures import COLOURS
from cnnviz.kernels import ExcitingPatch, frequency_response
from cnnviz.kernels.definitions import is_mean
from cnnviz.numbers import counted, number


@figure
def kernel_tiles(
    kernels: Any,
    *,
    labels: Sequence[str] | None = None,
    notes: Sequence[str] | None = None,
    shared: bool = True,
    scale: Scale | None = None,
    values: bool = True,
    planes: Sequence[str] = COLOURS,
    selected: int | None = None,
    columns: int | None = None,
    title: str = "",
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """Kernels as tiles, their weights written into them where they fit.

    A kernel over a colour picture is four tables: its weights for red, green and blue, on one scale, and the
    three together as a colour picture, in which grey is zero.

    Parameters
    ----------
    kernels
        (kh, kw, N), or a sequence of (kh, kw) arrays, whose sizes may differ. Over colours
        (kh, kw, 3, N), as a layer has them, or a sequence of (kh, kw, 3).
    labels, notes
        Above each tile, and under it (in lines); None is the numbers from 0, and nothing.
    shared
        One signed scale for all; otherwise each kernel is drawn from minus to plus its own largest
        weight, and the legend says so.
    scale
        The shared scale, if it is to be another than these kernels' own.
    values
        Whether to write the weights.
    planes
        Which colour each channel of a kernel over colours reads: blue first behind the preprocessing
        "caffe". `cnnviz.network.colour_planes.planes_of` says it of a run.
    selected
        A kernel to outline.
    columns
        Tiles in a row; None is as many as their words leave room for, 8 at most.
    title
        Of the legend.

    Returns
    -------
    Picture
        Its artists are "kernels", the images, "scales" and "legend". Over colours each of "kernels" is
        a tuple of its planes in the channels' order, and "pictures" are the kernels as colour pictures.

    Raises
    ------
    ValueError
        for other shapes, and labels or notes that are not as many as the kernels.

    Examples
    --------
    >>> picture = kernel_tiles(np.ones((3, 3, 16)))
    >>> len(picture["kernels"]), picture["scales"][0].limit
    (16, 1.0)
    """
    if sorted(planes) != sorted(COLOURS):
        raise ValueError(f"planes must be red, green and blue in the channels' order, got {planes!r}")
    tiles = _as_list(kernels, colours=True)
    names = [str(k) for k in range(len(tiles))] if labels is None else list(labels)
    under = [""] * len(tiles) if notes is None else list(notes)
    if len(names) != len(tiles) or len(under) != len(tiles):
        raise ValueError(f"labels and notes must have one entry for each of {len(tiles)} kernels")
    common = scale or (Scale.of(*tiles, signed=True) if shared else None)
    scales = [common or Scale.of(tile, signed=True) for tile in tiles]
    gap = 14.0 if width >= 600 else 10.0
    widest = max(text_width(line, SMALL) for words in (*names, *under) for line in words.split("\n"))
    coloured = any(tile.ndim == 3 for tile in tiles)
    least = 2 * text_width(_WHOLE, SMALL - 2) + 14 if coloured else 70.0
    # Words may shrink by a fifth to make room for one more column.
    fitting = int((width + gap - 1) // (max(0.8 * widest, least) + gap))
    columns = columns or max(1, min(len(tiles), fitting, 8))
    grid = Grid(len(tiles), columns, width, gap, 300.0 if coloured else 150.0)
    side = grid.side
    # Hinted letters can be a little wider than measured.
    size = SMALL * min(1.0, 0.97 * side / widest)
    tall = side + _PLANE_NAMES if coloured else side
    step = tall + 30.0 + 14 * max(len(note.split("\n")) if note else 0 for note in under)
    below = grid.lines * step
    canvas = Canvas(width, below + (62 if coloured else 46), **look)
    images: list[Any] = []
    pictures: list[Any] = []
    for k, (tile, own) in enumerate(zip(tiles, scales, strict=True)):
        x, y = grid.place(k, step, 18)
        marked = k == selected
        canvas.name(x, y - 6, names[k], marked, size=size)
        unit = side / max(tile.shape[:2])
        if tile.ndim == 3:
            parts = _over_colours(canvas, tile, x, y, side, own, planes, values)
            pictures.append(parts[0])
            images.append(parts[1:])
        else:
            images.append(canvas.image(tile, x, y, unit * tile.shape[1], scale=own))
            if values:
                canvas.values(tile, x, y, unit, own)
        if marked and tile.ndim == 3:
            canvas.box(x - 3, y - 1, side + 6, tall + 4, "accent", 2, zorder=4)
        elif marked:
            canvas.box(x, y, unit * tile.shape[1], unit * tile.shape[0], "accent", 2, zorder=4)
        for n, line in enumerate(under[k].split("\n")):
            canvas.text(x, y + tall + 15 + 14 * n, line, size=size, colour="muted")
    words = title if common else title or "each kernel from minus to plus its own largest weight"
    legend = canvas.legend(common or Scale("signed", 1.0), 0.5, below + 18, min(220.0, width - 1), words)
    if coloured:
        canvas.note(0.5, below + 56, _AS_COLOURS)
    alt = "Kernels. " + " ".join(
        f"{name}: {_in_words(tile, own, planes)}."
        for name, tile, own in zip(names, tiles, scales, strict=True)
    )
    drawn = {"pictures": pictures} if coloured else {}
    return canvas.picture(alt, kernels=images, scales=scales, legend=legend, **drawn)


_PLANE_NAMES = 28.0
"""Room for the names over the two lines of tables of a kernel over colours."""

_WHOLE = "in colours"
_AS_COLOURS = f"{_WHOLE}: grey is 0, full colour the scale's end"


def _over_colours(
    canvas: Canvas,
    kernel: np.ndarray,
    x: float,
    y: float,
    side: float,
    scale: Scale,
    planes: Sequence[str],
    values: bool,
) -> tuple[Any, ...]:
    """A kernel (kh, kw, 3) as a colour picture and its three planes, in two lines of two, with names."""
    gap = 6.0
    part = (side - gap) / 2
    unit = part / max(kernel.shape[:2])
    whole = 0.5 + kernel[:, :, [list(planes).index(name) for name in COLOURS]] / (2 * scale.limit)
    images = []
    for n, name in enumerate((_WHOLE, *planes)):
        left, top = (
            x + (n % 2) * (part + gap),
            y + (n // 2) * (part + _PLANE_NAMES / 2 + 2) + _PLANE_NAMES / 2 - 2,
        )
        canvas.text(left, top - 3, name, size=SMALL - 2, colour="muted")
        array = whole if n == 0 else kernel[:, :, n - 1]
        images.append(canvas.image(array, left, top, unit * kernel.shape[1], scale=INK if n == 0 else scale))
        if values and n:
            canvas.values(array, left, top, unit, scale)
    return tuple(images)


@figure
def kernel_response(
    image: Any,
    kernel: Any,
    response: Any,
    *,
    photograph: bool = False,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """An image, a kernel, and what the kernel answers at every position.

    Parameters
    ----------
    image
        (H, W), 0 to 1.
    kernel
        (kh, kw).
    response
        (H_out, W_out): the convolution of the two, drawn on a scale centred on zero; but if the kernel takes
        a mean (`kernels.is_mean`), as the picture that it is.
    photograph
        Draw the image from black to white, not as ink on paper.

    Returns
    -------
    Picture
        Its artists are the images "image", "kernel" and "response".

    Examples
    --------
    >>> kernel_response(np.eye(5), np.ones((3, 3)), np.ones((3, 3)))["response"].get_array().shape
    (3, 3)
    """
    image, kernel, response = map_of(image, "image"), map_of(kernel, "kernel"), map_of(response, "response")
    wide = width >= 600
    gap = 52.0 if wide else 20.0
    side = (width - 1 - 2 * gap) / 3
    unit = side / max(image.shape[1], response.shape[1])
    bottom = 24 + unit * max(image.shape[0], response.shape[0])
    canvas = Canvas(width, bottom + 52, **look)
    own = BRIGHTNESS if photograph else INK
    parts = [
        ("Image", image, own),
        ("Kernel", kernel, Scale.of(kernel, signed=True)),
        ("Response", response, own if is_mean(kernel) else Scale.of(response, signed=True)),
    ]
    images = []
    for k, (title, array, scale) in enumerate(parts):
        x = 0.5 + k * (side + gap)
        canvas.text(x, 15, title, weight="bold")
        if title == "Kernel":
            images.append(canvas.table(array, x, 24, side / max(kernel.shape), scale))
        else:
            images.append(canvas.image(array, x, 24, unit * array.shape[1], scale=scale))
        canvas.legend(scale, x, bottom + 14, min(side, 200.0))
        if k:
            sign = "∗" if k == 1 else "="
            canvas.text(x - gap / 2, 24 + unit * image.shape[0] / 2 + 6, sign, size=18, ha="center")
    peak = np.unravel_index(int(np.nanargmax(np.abs(response))), response.shape)
    alt = (
        f"The kernel, {_in_words(kernel, parts[1][2])}, on an image of {image.shape[0]} by {image.shape[1]} "
        f"pixels. Its strongest response is {number(response[peak])}, at row {peak[0]}, column {peak[1]}."
    )
    return canvas.picture(alt, image=images[0], kernel=images[1], response=images[2])


@figure
def kernel_gallery(
    kernels: Any,
    responses: Sequence[Any],
    labels: Sequence[str],
    *,
    selected: int | None = None,
    photograph: bool = False,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """Many kernels, each over what it makes of one image; kinds so different share no scale.

    Parameters
    ----------
    kernels
        (kh, kw, N), or a sequence of (kh, kw) arrays, whose sizes may differ.
    responses
        As many (H, W), the convolutions of one image with them; their sizes may differ.
    labels
        As many names.
    selected
        A kernel whose name is to stand out.
    photograph
        Draw what a mean makes (`kernels.is_mean`) from black to white, not as ink on paper.

    Returns
    -------
    Picture
        Its artists are the images "kernels" and "responses", "legend", and "tiles", where each pair with
        its name is: (x, y, width, height) as shares of the picture's width and height.

    Examples
    --------
    >>> picture = kernel_gallery([np.eye(3), np.ones((3, 3))], [np.eye(5)] * 2, ["diagonal", "box"])
    >>> len(picture["kernels"]), len(picture["responses"])
    (2, 2)
    """
    tiles, answers = _as_list(kernels), [map_of(response, "responses") for response in responses]
    counts = len(tiles), len(answers), len(labels)
    if len(set(counts)) != 1:
        raise ValueError(f"kernels, responses and labels must be equally many, got {counts}")
    gap = 16.0 if width >= 600 else 10.0
    columns = min(len(tiles), max(3, int((width + gap) // (88 + gap))))
    grid = Grid(len(tiles), columns, width, gap, 150.0)
    side = grid.side
    unit = side / max(answer.shape[1] for answer in answers)
    tall = unit * max(answer.shape[0] for answer in answers)
    size = SMALL * min(1.0, 0.97 * side / max(text_width(label, SMALL) for label in labels))
    step = 18 + side + 6 + tall + 18
    canvas = Canvas(width, grid.lines * step + 40, **look)
    drawn: dict[str, list[Any]] = {"kernels": [], "responses": [], "tiles": []}
    words = []
    for k, (tile, answer, label) in enumerate(zip(tiles, answers, labels, strict=True)):
        x, y = grid.place(k, step, 18)
        canvas.name(x, y - 6, label, k == selected, size=size)
        own, scale = Scale.of(tile, signed=True), Scale.of(answer, signed=True)
        if is_mean(tile):
            scale = BRIGHTNESS if photograph else INK
        cell = side / max(tile.shape)
        drawn["kernels"].append(canvas.table(tile, x, y, cell, own))
        drawn["responses"].append(canvas.image(answer, x, y + side + 6, unit * answer.shape[1], scale=scale))
        drawn["tiles"].append(canvas.share(x, y - 18, side, 24 + side + tall))
        words.append(f"{label}: responses from {number(answer.min())} to {number(answer.max())}")
    each = "each from minus to plus" if width >= 460 else "each to"
    said = f"{each} its own largest weight or response; means are drawn as pictures"
    if width < 460:
        said = f"{each} its own largest; means as pictures"
    legend = canvas.legend(Scale("signed", 1.0), 0.5, grid.lines * step + 12, min(220.0, width - 1), said)
    alt = f"{counted(len(tiles), 'kernel')} and what they make of one image. " + "; ".join(words) + "."
    return canvas.picture(alt, legend=legend, **drawn)


@figure
def kernel_portraits(
    kernels: Any,
    patches: Sequence[ExcitingPatch],
    *,
    selected: int | None = None,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """Each kernel of a first layer, the part of an image that excites it most, and its gain for waves.

    Parameters
    ----------
    kernels
        (kh, kw, N).
    patches
        As many, from `kernels.exciting_patches`.
    selected
        A kernel to mark.

    Returns
    -------
    Picture
        Its artists are the images "kernels", "patches" and "gains", their "legends", and "tiles", where
        each three with their words are: (x, y, width, height) as shares of the picture's width and height.

    Raises
    ------
    ValueError
        if there are not as many patches as kernels.

    Examples
    --------
    >>> from cnnviz.kernels import exciting_patches
    >>> kernels = np.ones((3, 3, 1))
    >>> found = exciting_patches(kernels[:, :, None], np.ones((1, 5, 5), np.uint8))
    >>> len(kernel_portraits(kernels, found)["patches"])
    1
    """
    kernels = np.asarray(kernels)
    if kernels.ndim != 3 or kernels.shape[2] != len(patches):
        raise ValueError(f"kernels must be (kh, kw, {len(patches)}), got shape {kernels.shape}")
    waves = [frequency_response(kernels[:, :, k]) for k in range(kernels.shape[2])]
    weights = Scale.of(kernels, signed=True)
    gains = Scale.of(*(found.magnitude for found in waves), signed=False)
    columns = 4 if width >= 780 else 3 if width >= 560 else 2
    gap, inner = (28.0, 6.0) if width >= 560 else (14.0, 4.0)
    grid = Grid(len(waves), columns, width, gap)
    entry = grid.side
    side = (entry - 2 * inner) / 3
    step = 18 + side + 34 + 14
    canvas = Canvas(width, grid.lines * step + 44, **look)
    drawn: dict[str, list[Any]] = {"kernels": [], "patches": [], "gains": [], "tiles": []}
    words = []
    for k, (found, patch) in enumerate(zip(waves, patches, strict=True)):
        x, y = grid.place(k, step, 18)
        marked = k == selected
        canvas.name(x, y - 6, str(k), marked)
        parts = (
            ("kernels", kernels[:, :, k], weights),
            ("patches", patch.patch[:, :, 0], INK),
            ("gains", found.magnitude, gains),
        )
        for n, (name, array, scale) in enumerate(parts):
            drawn[name].append(canvas.image(array, x + n * (side + inner), y, side, scale=scale))
        if marked:
            canvas.box(x - 3, y - 3, entry + 6, side + 6, "accent", 1.5)
        peak = found.peak
        wave = "one brightness" if peak.angle is None else f"{peak.angle:.0f}°, {peak.frequency:.2f} a pixel"
        answer = f"{number(patch.response)} of {number(patch.possible)}"
        canvas.note(x, y + side + 15, wave)
        canvas.note(x, y + side + 29, answer)
        drawn["tiles"].append(canvas.share(x - 4, y - 18, entry + 8, side + 52))
        words.append(f"{k}: {wave}, {answer}")
    y = grid.lines * step + 16
    length = min(150.0, (width - 40) / 2)
    legends = [canvas.legend(weights, 0.5, y, length, "weights")]
    legends.append(canvas.legend(gains, 0.5 + length + 40, y, length, "gain"))
    alt = (
        f"{counted(len(waves), 'kernel')}: the wave that each lets through most, by angle and cycles "
        "a pixel, and its "
        "largest answer in these images of the largest possible. " + "; ".join(words) + "."
    )
    return canvas.picture(alt, legends=legends, **drawn)


def _as_list(kernels: Any, *, colours: bool = False) -> list[np.ndarray]:
    """Each kernel (kh, kw); with `colours` also (kh, kw, 3)."""
    if isinstance(kernels, np.ndarray) and kernels.ndim in ((3, 4) if colours else (3,)):
        one = kernels.ndim == 4 and kernels.shape[2] == 1
        tiles = [kernels[:, :, 0, k] if one else kernels[..., k] for k in range(kernels.shape[-1])]
    else:
        tiles = [np.asarray(kernel) for kernel in kernels]
    fits = [tile.ndim == 2 or (colours and tile.ndim == 3 and tile.shape[2] == 3) for tile in tiles]
    if not tiles or not all(fits) or any(0 in tile.shape for tile in tiles):
        shapes = [tile.shape for tile in tiles]
        more = ", or over colours (kh, kw, 3, N) or a sequence of (kh, kw, 3)" if colours else ""
        raise ValueError(f"kernels must be (kh, kw, N) or a sequence of (kh, kw){more}, got shapes {shapes}")
    return tiles


def _in_words(kernel: np.ndarray, scale: Scale, planes: Sequence[str] = COLOURS) -> str:
    if kernel.ndim == 3:
        return ", ".join(f"{name} {_in_words(kernel[:, :, c], scale)}" for c, name in enumerate(planes))
    if kernel.size > 25:
        size = f"{kernel.shape[0]} by {kernel.shape[1]}"
        return f"{size} weights from {number(kernel.min())} to {number(kernel.max())}"
    return "; ".join(" ".join(scale.write(v) for v in row) for row in kernel)
