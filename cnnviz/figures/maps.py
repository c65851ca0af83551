"""Feature maps: all channels of a layer, one of them large, and every layer of a network.

Maps that stand side by side share one scale, whose legend is drawn with them. Values are drawn as
they are given; nothing is normalised here, but for the input of a network, which is drawn as the picture
that it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from cnnviz.colours import INK, Scale
from cnnviz.figures.canvas import WIDE, Canvas, Grid, map_of, maps_of, side_by_side
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.images.input_pictures import COLOURS, InputPicture, input_picture
from cnnviz.network import Run
from cnnviz.network.colour_planes import picture_of
from cnnviz.numbers import counted, number, percent
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
        f"{counted(channels, 'map')} of {rows} by {cols} cells on one scale, {scale}. The largest magnitude "
        f"is {number(maps[peak])}, in channel {peak[2]} at row {peak[0]}, column {peak[1]}. Means by "
        f"channel: {', '.join(number(m, 2) for m in maps.mean(axis=(0, 1)))}."
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
    preprocess: str | None = None,
    box: tuple[tuple[int, int], tuple[int, int]] | None = None,
    width: float = 220.0,
    **look: Unpack[Look],
) -> Picture:
    """An image: a grey one as ink on paper, a colour one in its colours.

    Parameters
    ----------
    pixels
        (H, W), (H, W, 1) or (H, W, 3): 0 to 1, 0 to 255, or as a network was given them.
    preprocess
        The mode that they were prepared with, which is undone; if it is None, pixels with another range than
        0 to 1 or 0 to 255 are drawn from their smallest number to their largest, and the picture says so.
    box
        A part of it to outline: ((top, bottom), (left, right)), inclusive.

    Returns
    -------
    Picture
        Its artist is "image".

    Raises
    ------
    ValueError
        for another shape or an unknown mode.

    Examples
    --------
    >>> image_of(np.zeros((28, 28), "uint8"))["image"].get_array().shape
    (28, 28)
    """
    picture = input_picture(pixels, preprocess)
    shown, scale = picture.drawn(pixels)
    rows, cols = shown.shape[:2]
    size = width / cols
    canvas = Canvas(width, rows * size + (20 if picture.said else 0), **look)
    image = canvas.image(shown, 0.5, 0.5, width - 1, rows * size - 1, scale=scale)
    if picture.said:
        canvas.note(0.5, rows * size + 14, picture.said)
    if box:
        (top, bottom), (left, right) = box
        canvas.field(0, 0, size, box)
    alt = f"An image of {rows} by {cols} pixels, "
    if picture.planes:
        means = (
            f"{name} {number(mean)}" for name, mean in zip(COLOURS, shown.mean(axis=(0, 1)), strict=True)
        )
        alt += f"in colour, on the average {', '.join(means)} of 1"
    else:
        alt += f"{percent(float((shown > 0).mean()), 0)} of them inked"
    alt += f", {picture.said}" if picture.said else ""
    alt += f"; outlined are rows {top} to {bottom} and columns {left} to {right}." if box else "."
    return canvas.picture(alt, image=image)


@dataclass(frozen=True)
class LayerMaps:
    """What `network_maps` draws of one layer: its values (H, W, C) or (C,), and words about it.

    `pixels` says that they are a picture's, and `picture` how that is drawn; None lets their range decide.
    """

    name: str
    values: np.ndarray
    note: str = ""
    pixels: bool = False
    picture: InputPicture | None = None


def strongest(values: Any) -> tuple[int, int]:
    """Row and column of a map's largest value.

    >>> strongest([[0.0, 2.0], [1.0, 0.0]])
    (0, 1)
    """
    values = map_of(values, "values")
    if np.isnan(values).all():
        raise ValueError("values must have a number to be the largest; all are NaN")
    row, col = np.unravel_index(int(np.nanargmax(values)), values.shape)
    return int(row), int(col)


def strongest_channel(maps: Any) -> int:
    """The channel that holds the largest value of all.

    >>> strongest_channel([[[0.0, 2.0, 1.0]]])
    1
    """
    maps = maps_of(maps)
    if np.isnan(maps).all():
        raise ValueError("maps must have a number to be the largest; all are NaN")
    return int(np.nanmax(np.where(np.isnan(maps), -np.inf, maps), axis=(0, 1)).argmax())


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
        picture = None if before else picture_of(run, layer.name, image)
        rows.append(LayerMaps(layer.name, values, note, pixels=not before, picture=picture))
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
        In order; `pixels` marks the input: a grey picture is drawn as ink on a scale of its own, a picture
        of three channels in its colours.
    shared
        One scale for the whole network instead of one for each layer, so that rows compare too.

    Returns
    -------
    Picture
        Its artists are "maps", one image a layer that holds all its channels side by side with
        empty cells between them, "legends" and "scales", by layer; a picture in its colours has neither.

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
    pictures = [_picture(layer) for layer in layers]
    maps, scales = _drawn(layers, pictures, shared)
    blocks = [_mosaics(each, across, 4 / tile) for each in maps]
    tile = min(tile, (width - left - right - 1) / max(rows[0].tiles for rows in blocks))
    heights = [max(len(rows) * (rows[0].shape * tile + 4), 40 if wide else 0) for rows in blocks]
    head, foot = (0, 12) if wide else (44, 14)
    canvas = Canvas(width, sum(heights) + len(layers) * (head + foot), **look)
    images, legends, frames, y = [], [], [], 0.0
    for layer, picture, scale, rows, height in zip(layers, pictures, scales, blocks, heights, strict=True):
        base = y + height / 2 if wide else y + 18
        canvas.text(0, base - 2, layer.name, weight="bold")
        said = picture.said if picture else ""
        canvas.note(0, base + 14, layer.note if wide else ", ".join(filter(None, [layer.note, said])))
        if wide:
            canvas.note(0, base + 28, said)
        tall = rows[0].shape * tile
        top = y + head + (height - len(rows) * (tall + 4)) / 2
        for mosaic in rows:
            x = left + 0.5
            broad = mosaic.tiles * tile
            images.append(canvas.image(mosaic.cells, x, top, broad, tall, scale=scale or INK, frame=None))
            frames += [(x + k * mosaic.step * tile, top, tile, tall) for k in range(mosaic.count)]
            top += tall + 4
        legends.append(canvas.legend(scale, width - 84, base - 14, 84.0) if scale else None)
        y += height + head + foot
    canvas.boxes(frames)
    alt = "Every layer's output. " + " ".join(
        f"{layer.name}: {' by '.join(map(str, np.shape(layer.values)))}, {scale or 'in its colours'}"
        + (f", {picture.said}." if picture and picture.said else ".")
        for layer, picture, scale in zip(layers, pictures, scales, strict=True)
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
    """The maps in rows of at most `across`, small ones repeated so that gaps can be thin.

    A picture in its colours, (H, W, 1, 3), is one map.
    """
    rows, cols, channels = maps.shape[:3]
    repeat = max(1, -(-24 // cols))
    big = maps.repeat(repeat, axis=0).repeat(repeat, axis=1)
    if maps.ndim == 4:
        return [_Mosaic(big[:, :, 0], 1, 1.0, 1.0, rows / cols)]
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


def _picture(layer: LayerMaps) -> InputPicture | None:
    """How a layer's values are drawn if they are a picture's."""
    several = np.ndim(layer.values) == 3 and np.shape(layer.values)[2] not in (1, 3)
    if not layer.pixels or np.ndim(layer.values) not in (2, 3) or several:
        return None
    return layer.picture or input_picture(layer.values)


def _drawn(
    layers: Sequence[LayerMaps], pictures: Sequence[InputPicture | None], shared: bool
) -> tuple[list[np.ndarray], list[Scale | None]]:
    """The maps of each layer, (H, W, C) or in colours (H, W, 1, 3), and their scales."""
    data = [layer.values for layer in layers if not layer.pixels]
    everything = Scale.of(*data) if shared else None
    maps: list[np.ndarray] = []
    scales: list[Scale | None] = []
    for layer, picture in zip(layers, pictures, strict=True):
        if picture is None:
            maps.append(_stack(layer))
            scales.append(Scale.of(layer.values) if layer.pixels else everything or Scale.of(layer.values))
            continue
        array, scale = picture.drawn(layer.values)
        maps.append(array[:, :, np.newaxis])
        scales.append(None if picture.planes else scale)
    return maps, scales
