"""Feature maps: all channels of a layer, one of them large, and every layer of a network.

Maps that stand side by side share one scale, whose legend is drawn with them. Values are drawn as
they are given; nothing is normalised here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from cnnviz.colours import INK, Scale
from cnnviz.figures.canvas import WIDE, Canvas, Grid, map_of, maps_of, side_by_side
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.network import Run
from cnnviz.numbers import number, percent
from cnnviz.receptive_fields import receptive_field


@figure
def feature_maps(
    maps: Any,
    *,
    scale: Scale | None = None,
    labels: Sequence[str] | None = None,
    selected: int | None = None,
    cell: tuple[int, int] | None = None,
    columns: int | None = None,
    title: str = "",
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """All channels of one layer as tiles on one scale.

    Parameters
    ----------
    maps
        (H, W, C) or (1, H, W, C): what the layer returned for one image.
    scale
        None is the maps' own, shared by all channels: from zero, or centred on it.
    labels
        One for each tile; None is the channels' numbers.
    selected
        A channel to outline.
    cell
        (row, column) to outline in the selected channel.
    columns
        Tiles in a row; None is as many as are at least 84 pixels wide (the narrow page's: 4).
    title
        Of the legend.

    Returns
    -------
    Picture
        Its artists are "maps", the images by channel, "legend", and "tiles", where each map with its
        label is: (x, y, width, height) as shares of the figure's width and height.

    Raises
    ------
    ValueError
        for another shape, or a number of labels other than the channels'.

    Examples
    --------
    >>> picture = feature_maps(np.ones((4, 4, 3)))
    >>> len(picture["maps"])
    3
    """
    maps = maps_of(maps)
    rows, cols, channels = maps.shape
    scale = scale or Scale.of(maps)
    names = [str(channel) for channel in range(channels)] if labels is None else list(labels)
    if len(names) != channels:
        raise ValueError(f"labels must have one entry for each of {channels} channels, got {len(names)}")
    columns = columns or min(channels, 8 if width >= 600 else 4)
    grid = Grid(channels, columns, width, 10.0 if width >= 600 else 8.0, 150.0)
    tile, step = grid.side, grid.side * rows / cols + 24
    canvas = Canvas(width, grid.lines * step + 44, **look)
    images, tiles = [], []
    for channel in range(channels):
        x, y = grid.place(channel, step, 16)
        marked = channel == selected
        canvas.name(x, y - 5, names[channel], marked, colour="muted")
        images.append(canvas.image(maps[:, :, channel], x, y, tile, scale=scale))
        tiles.append(canvas.share(x, y - 16, tile, tile * rows / cols + 16))
        if marked:
            canvas.box(x, y, tile, tile * rows / cols, "accent", 2, zorder=4)
            if cell:
                canvas.cell(x, y, tile / cols, *cell)
    legend = canvas.legend(scale, 0, grid.lines * step + 18, min(220.0, width), title)
    peak = np.unravel_index(int(np.nanargmax(np.abs(maps))), maps.shape)
    alt = (
        f"{channels} maps of {rows} by {cols} cells on one scale, {scale}. The largest magnitude is "
        f"{number(maps[peak])}, in channel {peak[2]} at row {peak[0]}, column {peak[1]}. "
        f"Means by channel: {', '.join(number(m, 2) for m in maps.mean(axis=(0, 1)))}."
    )
    return canvas.picture(alt, maps=images, legend=legend, tiles=tiles)


@figure
def single_map(
    values: Any,
    *,
    cell: tuple[int, int] | None = None,
    scale: Scale | None = None,
    title: str = "",
    width: float = 340.0,
    **look: Unpack[Look],
) -> Picture:
    """One map, large, its numbers written into it where they fit, one cell outlined.

    Parameters
    ----------
    values
        (H, W).
    cell
        (row, column) to outline.
    scale
        None is the map's own; give the layer's to compare it with the others.
    title
        Of the legend.

    Returns
    -------
    Picture
        Its artists are "map" and "legend", and "values" if they are written.

    Examples
    --------
    >>> single_map(np.eye(3))["map"].get_array().shape
    (3, 3)
    """
    values = map_of(values, "values")
    rows, cols = values.shape
    scale = scale or Scale.of(values)
    size = width / cols
    canvas = Canvas(width, rows * size + 50, **look)
    image = canvas.image(values, 0, 1, width - 1, rows * size, scale=scale)
    written = canvas.values(values, 0, 1, size, scale) if size >= 32 else []
    if cell:
        canvas.cell(0, 1, size, *cell)
    legend = canvas.legend(scale, 0, rows * size + 22, min(220.0, width), title)
    top = strongest(values)
    alt = (
        f"A map of {rows} by {cols} cells, {scale}; largest value {number(values[top])} at row {top[0]}, "
        f"column {top[1]}"
    )
    if cell:
        alt += f"; at row {cell[0]}, column {cell[1]} it is {number(values[cell])}"
    return canvas.picture(alt + ".", map=image, legend=legend, values=written)


@figure
def image_of(
    pixels: Any,
    *,
    box: tuple[tuple[int, int], tuple[int, int]] | None = None,
    width: float = 220.0,
    **look: Unpack[Look],
) -> Picture:
    """A grey image, pixels 0 to 1 (or 0 to 255 as integers), ink on paper.

    Parameters
    ----------
    pixels
        (H, W).
    box
        A part of it to outline: ((top, bottom), (left, right)), inclusive.

    Returns
    -------
    Picture
        Its artist is "image".

    Examples
    --------
    >>> image_of(np.zeros((28, 28), "uint8"))["image"].get_array().shape
    (28, 28)
    """
    pixels = map_of(pixels, "pixels")
    scale = Scale.of_pixels(pixels)
    size = width / pixels.shape[1]
    canvas = Canvas(width, pixels.shape[0] * size, **look)
    image = canvas.image(pixels, 0.5, 0.5, width - 1, pixels.shape[0] * size - 1, scale=scale)
    if box:
        (top, bottom), (left, right) = box
        canvas.field(0, 0, size, box)
    share = float((pixels > 0).mean())
    alt = f"An image of {pixels.shape[0]} by {pixels.shape[1]} pixels, {percent(share, 0)} of them inked"
    alt += f"; outlined are rows {top} to {bottom} and columns {left} to {right}." if box else "."
    return canvas.picture(alt, image=image)


@dataclass(frozen=True)
class LayerMaps:
    """What `network_maps` draws of one layer: its values (H, W, C) or (C,), and words about it."""

    name: str
    values: np.ndarray
    note: str = ""
    pixels: bool = False


def strongest(values: Any) -> tuple[int, int]:
    """Row and column of a map's largest value.

    >>> strongest([[0.0, 2.0], [1.0, 0.0]])
    (0, 1)
    """
    values = np.asarray(values)
    row, col = np.unravel_index(int(np.nanargmax(values)), values.shape)
    return int(row), int(col)


def strongest_channel(maps: Any) -> int:
    """The channel that holds the largest value of all.

    >>> strongest_channel([[[0.0, 2.0, 1.0]]])
    1
    """
    return int(np.nanmax(maps_of(maps), axis=(0, 1)).argmax())


def layers_of(run: Run, image: int = 0) -> list[LayerMaps]:
    """What `network_maps` draws of a run: every layer that changes values, with what its units see.

    Layers that pass their input on (dropout) or only reshape it (flatten) are left out.

    Parameters
    ----------
    run
        From `net.run`.
    image
        Its place in the batch.

    Returns
    -------
    list of LayerMaps
        In the network's order; maps (H, W, C) or vectors (C,).
    """
    fields = receptive_field(run.network)
    rows = []
    for layer in run.network.layers:
        values = run[layer.name][image]
        before = [array[image] for array in run.inputs(layer.name)]
        if values.ndim not in (1, 3) or (
            len(before) == 1
            and before[0].size == values.size
            and np.array_equal(before[0].ravel(), values.ravel())
        ):
            continue
        note = " × ".join(map(str, values.shape))
        if layer.name in fields and before:
            note += f", sees {' × '.join(map(str, fields[layer.name].size))}"
        rows.append(LayerMaps(layer.name, values, note, pixels=not before))
    return rows


@figure
def network_maps(
    layers: Sequence[LayerMaps],
    *,
    shared: bool = False,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """Every layer's maps, one row a layer, from the image down to the last numbers.

    Parameters
    ----------
    layers
        In order; `pixels` marks the input, which is drawn as ink on a scale of its own.
    shared
        One scale for the whole network instead of one for each layer, so that rows compare too.

    Returns
    -------
    Picture
        Its artists are "maps", one image a layer that holds all its channels side by side with
        empty cells between them, "legends" and "scales", by layer.

    Examples
    --------
    >>> rows = [LayerMaps("image", np.eye(4)[..., None], pixels=True), LayerMaps("scores", np.ones(3))]
    >>> len(network_maps(rows)["maps"])
    2
    """
    if not layers:
        raise ValueError("layers must not be empty")
    wide = width >= 600
    left, right = (196.0, 104.0) if wide else (0.0, 0.0)
    across = min(16, max(_stack(layer).shape[2] for layer in layers)) if wide else 8
    tile = min((width - left - right - (across - 1) * 4) / across, 56.0)
    scales = _scales(layers, shared)
    blocks = [_mosaics(_stack(layer), across, 4 / tile) for layer in layers]
    tile = min(tile, (width - left - right - 1) / max(rows[0].tiles for rows in blocks))
    heights = [max(len(rows) * (rows[0].shape * tile + 4), 40 if wide else 0) for rows in blocks]
    head, foot = (0, 12) if wide else (44, 14)
    canvas = Canvas(width, sum(heights) + len(layers) * (head + foot), **look)
    images, legends, frames, y = [], [], [], 0.0
    for layer, scale, rows, height in zip(layers, scales, blocks, heights, strict=True):
        base = y + height / 2 if wide else y + 18
        canvas.text(0, base - 2, layer.name, weight="bold")
        canvas.note(0, base + 14, layer.note)
        tall = rows[0].shape * tile
        top = y + head + (height - len(rows) * (tall + 4)) / 2
        for mosaic in rows:
            x = left + 0.5
            broad = mosaic.tiles * tile
            images.append(canvas.image(mosaic.cells, x, top, broad, tall, scale=scale, frame=None))
            frames += [(x + k * mosaic.step * tile, top, tile, tall) for k in range(mosaic.count)]
            top += tall + 4
        legends.append(canvas.legend(scale, width - 84, base - 14, 84.0))
        y += height + head + foot
    canvas.boxes(frames)
    alt = "Every layer's output. " + " ".join(
        f"{layer.name}: {' by '.join(map(str, np.shape(layer.values)))}, {scale}."
        for layer, scale in zip(layers, scales, strict=True)
    )
    return canvas.picture(alt, maps=images, legends=legends, scales=scales)


@dataclass(frozen=True)
class _Mosaic:
    """Tiles beside each other in one array, empty cells between them; lengths in tiles."""

    cells: np.ndarray
    count: int
    step: float
    tiles: float
    shape: float


def _mosaics(maps: np.ndarray, across: int, gap: float) -> list[_Mosaic]:
    """The maps in rows of at most `across`, small ones repeated so that gaps can be thin."""
    rows, cols, channels = maps.shape
    repeat = max(1, -(-24 // cols))
    big = maps.repeat(repeat, axis=0).repeat(repeat, axis=1)
    between = max(1, round(gap * big.shape[1]))
    mosaics = []
    for first in range(0, channels, across):
        chosen = big[:, :, first : first + across]
        cells, wide = side_by_side(chosen, between), cols * repeat
        step, tiles = (wide + between) / wide, cells.shape[1] / wide
        mosaics.append(_Mosaic(cells, chosen.shape[2], step, tiles, rows / cols))
    return mosaics


def _stack(layer: LayerMaps) -> np.ndarray:
    values = np.asarray(layer.values)
    return values.reshape(1, 1, -1) if values.ndim == 1 else maps_of(values, f"values of {layer.name}")


def _scales(layers: Sequence[LayerMaps], shared: bool) -> list[Scale]:
    data = [layer.values for layer in layers if not layer.pixels]
    everything = Scale.of(*data) if shared else None
    return [INK if layer.pixels else everything or Scale.of(layer.values) for layer in layers]
