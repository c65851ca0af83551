"""What feeds a unit, drawn: its boxes on every map on the way from the image, and the ladder of connections.

Everything about positions comes in as numbers of `cnnviz.receptive_field`; nothing is derived here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Unpack

import numpy as np

from cnnviz.colours import Scale
from cnnviz.figures.canvas import SMALL, WIDE, Canvas, Grid, maps_of, text_width
from cnnviz.figures.picture import Look, Picture, figure
from cnnviz.images.input_pictures import InputPicture, input_picture
from cnnviz.network import LayerGraph, Run
from cnnviz.network.colour_planes import picture_of
from cnnviz.numbers import brief, counted
from cnnviz.receptive_fields import ReceptiveFields, receptive_field
from cnnviz.receptive_fields.field import Box


@dataclass(frozen=True)
class Seen:
    """One layer on the way from the image to a unit: its maps (H, W, C) and which of its cells feed it.

    The box is ((top, bottom), (left, right)), ends included; it may reach beyond the maps, into padding.
    `pixels` says that the maps are a picture's, and `picture` how that is drawn; None lets their range
    decide. `kind` is the layer's class; `behind` are those of the layers, not shown, that change the numbers
    between the last map shown and this one.
    """

    name: str
    maps: np.ndarray
    box: Box
    pixels: bool = False
    kind: str = ""
    behind: tuple[str, ...] = ()
    picture: InputPicture | None = None


@dataclass(frozen=True)
class Rung:
    """One layer of the ladder along one axis: where its units lie, and which of them feed the unit.

    `centers` are in input pixels; `links` are, for each unit here, the units one rung below that it
    reads (None: not drawn, for the lowest rung).
    """

    name: str
    centers: Sequence[float]
    seen: Sequence[int]
    links: Sequence[Sequence[int]] | None = None


def path_to(run: Run, layer: str, row: int, col: int, image: int = 0) -> list[Seen]:
    """What `receptive_path` draws: every map between the image and a unit, and its part that feeds it.

    Layers whose units see just what those before them do (activations, normalisation, dropout) are
    left out, except for the unit's own layer; `left_out` says what they do to the numbers.

    Parameters
    ----------
    run
        From `net.run`.
    layer, row, col
        The unit's place; its layer must have maps.
    image
        Its place in the batch.

    Returns
    -------
    list of Seen
        From the image up. Boxes may reach beyond the maps, into padding.
    """
    sizes = {name: run[name].shape[1:] for name in run.network.inputs}
    fields = receptive_field(run.network, sizes if len(sizes) > 1 else next(iter(sizes.values())))
    names = _on_the_way(fields, run.network, layer)
    return [
        Seen(
            name,
            run[name][image],
            fields.between(layer, name).box(row, col, clip=False),
            pixels=name in run.network.inputs,
            kind=run.network[name].kind,
            behind=_not_shown(run.network, name, names),
            picture=picture_of(run, name, image) if name in run.network.inputs else None,
        )
        for name in names
    ]


def _not_shown(net: LayerGraph, name: str, shown: Sequence[str]) -> tuple[str, ...]:
    """The kinds of the layers between a layer and the shown ones that feed it, dropout and the like aside."""
    kinds, waiting = [], list(net[name].inputs)
    while waiting:
        layer = net[waiting.pop()]
        if layer.name not in shown:
            waiting += layer.inputs
            if not layer.passes_on:
                kinds.append(layer.kind)
    return tuple(dict.fromkeys(kinds))


def left_out(layers: Sequence[Seen]) -> str:
    """What a path leaves out though it changes numbers, in a sentence or two; "" if there is nothing.

    >>> from cnnviz import load_mnist, load_model
    >>> run = load_model("mnist_14k").run(load_mnist()[1][0][0])
    >>> left_out(path_to(run, "conv2d_1", 5, 5))
    'Not shown, as it widens no field: BatchNormalization, in front of conv2d_1.'
    """
    fronts: dict[str, list[str]] = {}
    for layer in layers:
        for kind in layer.behind:
            fronts.setdefault(kind, []).append(layer.name)
    if not fronts:
        return ""
    parts = [f"{kind}, in front of {_listed(names)}" for kind, names in fronts.items()]
    said = f"Not shown, as it widens no field: {'; '.join(parts)}."
    for before, layer in pairwise(layers):
        # Pooling makes nothing negative: it was a layer that is not shown.
        if layer.behind and "Pooling" in layer.kind and before.maps.min() >= 0 > layer.maps.min():
            said += f" Hence {layer.name} has numbers below zero and {before.name} none."
    return said


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def rungs_to(net: LayerGraph, layer: str, unit: int, axis: int = 1, input_shape: Any = None) -> list[Rung]:
    """What `receptive_ladder` draws: the rows (axis 0) or columns (1) that feed one of a layer's.

    Of a vector it is what feeds one unit, the only one on its rung: a vector has no rows or columns.
    `input_shape` is `receptive_field`'s, for networks that take any size; ValueError without it.

    >>> from cnnviz import load_model
    >>> [len(rung.seen) for rung in rungs_to(load_model("mnist_14k"), "conv2d_1", 5)]
    [5, 3, 1]
    """
    shape = tuple(input_shape) if input_shape is not None else None
    sizes = receptive_field(net, shape)[net[layer].name].shape
    if axis not in (0, 1):
        raise ValueError(f"axis must be 0, rows, or 1, columns, got {brief(axis)}")
    most = sizes[0 if len(sizes) == 1 else axis] if sizes else 0
    if not 0 <= unit < (math.inf if most is None else most):
        raise IndexError(f"unit must be one of {layer}'s, {sizes}, along axis {axis}, got {brief(unit)}")
    vector = len(sizes) == 1
    fields, rungs = _rungs(net, layer, unit if vector else 0, axis, shape)
    return [
        replace(rung, seen=list(fields.between(layer, rung.name).cells(axis, unit)))
        if len(fields[rung.name].shape) > 1
        else replace(rung, seen=[0])
        for rung in rungs
    ]


@lru_cache(maxsize=4)
def _rungs(
    net: LayerGraph, layer: str, unit: int, axis: int, input_shape: Any
) -> tuple[ReceptiveFields, list[Rung]]:
    """What all units have in common: the rungs and their links; only a vector's depend on the unit."""
    fields = receptive_field(net, input_shape)
    names = _on_the_way(fields, net, layer)
    rungs: list[Rung] = []
    for below, name in zip([None, *names], names, strict=False):
        field = fields[name]
        if None in field.shape:
            raise ValueError(f"the size of {name!r} is not known: pass input_shape=(height, width)")
        vector = len(field.shape) == 1
        units: Sequence[int] = [unit] if vector else range(field.shape[axis] or 0)
        places = [u if vector else (u, 0) if axis == 0 else (0, u) for u in units]
        centers = [float(field.center(unit=place)[axis]) for place in places]
        reads = None if below is None else fields.between(name, below)
        links = None if reads is None else [list(reads.cells(axis, u)) for u in units]
        rungs.append(Rung(name, centers, [], links))
    return fields, rungs


def _on_the_way(fields: ReceptiveFields, net: LayerGraph, layer: str) -> list[str]:
    """The layers with maps, from the image to a layer, that have a kernel or see more than what is before."""
    names: list[str] = []
    for name, field in fields.items():
        if name == net[layer].name:
            break
        if len(field.shape) != 3 or layer not in fields.wrt(name):
            continue
        last = fields[names[-1]] if names else None
        new = last is None or (field.size, field.stride) != (last.size, last.stride)
        if new or "kernel" in net[name].weights:
            names.append(name)
    return [*names, net[layer].name]


@figure
def receptive_path(
    layers: Sequence[Seen],
    *,
    legends: bool = True,
    width: float = WIDE,
    **look: Unpack[Look],
) -> Picture:
    """What a unit sees, outlined on the image and on every map between.

    What lies beyond a map, in padding or past the border, is outlined in dashes: it is cut off.

    Parameters
    ----------
    layers
        From the image to the unit's own layer, whose box is the unit itself. Of each the channel
        with the largest magnitude inside the box is shown, but of a colour picture all three.
    legends
        Whether each map has its scale under it.

    Returns
    -------
    Picture
        Its artists are "maps", "boxes", "cut" (the dashed outlines, None where nothing is cut off) and
        the numbers of the "channels" shown, None for a picture in its colours.

    Examples
    --------
    >>> layers = [Seen("image", np.eye(5), ((0, 2), (1, 3)), True), Seen("conv", np.eye(3), ((0, 0), (1, 1)))]
    >>> receptive_path(layers)["channels"]
    [0, 0]
    """
    if not layers:
        raise ValueError("layers must not be empty")
    wide = width >= 600
    lines = -(-len(layers) // (6 if wide else 3))
    across = -(-len(layers) // lines) if wide else min(len(layers), 3)
    grid = Grid(len(layers), across, width, 22.0 if wide else 14.0, 224.0)
    side = grid.side
    step = side + (100.0 if legends else 46.0)
    canvas = Canvas(width, lines * step + 4, **look)
    images, boxes, cut, channels, sizes = [], [], [], [], []
    for k, layer in enumerate(layers):
        maps = maps_of(layer.maps, f"maps of {layer.name}")
        rows, cols, _ = maps.shape
        (top, bottom), (left, right) = layer.box
        here = [clipped(layer.box[0], rows), clipped(layer.box[1], cols)]
        (first, last), (start, end) = here
        inside = maps[first : last + 1, start : end + 1]
        picture = None
        if layer.pixels and maps.shape[2] in (1, 3):
            picture = layer.picture or input_picture(maps)
        channel = None
        if picture is None:
            channel = int(np.abs(inside).max(axis=(0, 1)).argmax()) if inside.size else 0
            shown = maps[:, :, channel]
            scale = Scale.of(shown)
        else:
            shown, scale = picture.drawn(maps)
            channel = None if picture.planes else 0
        x, y = grid.place(k, step, 36)
        # Room for what lies beyond the map.
        before = max(-top, 0), max(-left, 0)
        extent = rows + before[0] + max(bottom + 1 - rows, 0), cols + before[1] + max(right + 1 - cols, 0)
        unit = side / max(extent)
        beyond = extent != (rows, cols)
        x0, y0 = x + before[1] * unit, y + before[0] * unit
        canvas.text(x, y - 21, layer.name, weight="bold", size=SMALL + 1)
        size = f"{last - first + 1} × {end - start + 1}"
        words = f"{size} of {rows} × {cols}"
        if (
            channel is not None
            and maps.shape[2] > 1
            and text_width(f"{words}, channel {channel}", SMALL) <= side
        ):
            words += f", channel {channel}"
        canvas.note(x, y - 6, words)
        images.append(canvas.image(shown, x0, y0, unit * cols, scale=scale))
        if legends and channel is not None:
            canvas.legend(scale, x, y + side + 14, min(side, 110.0))
        whole = top, left, bottom - top + 1, right - left + 1
        cut.append(
            canvas.cell(x0, y0, unit, *whole, colour="muted", thickness=1.2, dashes=(0, (3, 2)))
            if beyond
            else None
        )
        if inside.size:
            boxes.append(canvas.cell(x0, y0, unit, first, start, *inside.shape[:2]))
        channels.append(channel)
        sizes.append(f"{layer.name}: {size} cells, rows {first} to {last}, columns {start} to {end}")
        if picture is not None and picture.said:
            sizes[-1] += f", {picture.said}"
        if beyond:
            sizes[-1] += f", cut off from rows {top} to {bottom}, columns {left} to {right}"
    alt = f"What the unit sees, from the image up. {'; '.join(sizes)}. {left_out(layers)}".rstrip()
    return canvas.picture(alt, maps=images, boxes=boxes, cut=cut, channels=channels)


def clipped(ends: tuple[int, int], size: int) -> tuple[int, int]:
    """The part of an interval that lies on a map's axis, (0, -1) if none does.

    >>> clipped((-2, 3), 28), clipped((30, 31), 28)
    ((0, 3), (0, -1))
    """
    first, last = max(ends[0], 0), min(ends[1], size - 1)
    return (first, last) if first <= last else (0, -1)


@figure
def receptive_ladder(rungs: Sequence[Rung], *, width: float = WIDE, **look: Unpack[Look]) -> Picture:
    """One row or column of every layer, the image at the bottom, and the fan of what feeds one unit.

    Parameters
    ----------
    rungs
        From the image up; the last one's `seen` is the unit itself.

    Returns
    -------
    Picture
        Its artists are "cells", the boxes of all units by rung, and "links", the lines.

    Examples
    --------
    >>> reads = [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    >>> rungs = [Rung("input", range(5), [0, 1, 2]), Rung("conv", [1, 2, 3], [0], reads)]
    >>> len(receptive_ladder(rungs)["links"])
    3
    """
    if not rungs:
        raise ValueError("rungs must not be empty")
    wide = width >= 600
    left = 12 + max(text_width(rung.name) for rung in rungs) if wide else 0.0
    low = min(min(rung.centers) for rung in rungs) - 0.5
    high = max(max(rung.centers) for rung in rungs) + 0.5
    unit = (width - left - 1) / (high - low)
    row = 40.0 if wide else 46.0
    canvas = Canvas(width, row * len(rungs) + 4, **look)
    thick = min(0.72 * unit, 14.0)
    cells: list[list[Any]] = []
    links = []
    for k, rung in enumerate(rungs):
        y = row * (len(rungs) - 1 - k) + row - 20
        if not wide:  # The fan may run under the name.
            canvas.bar(0, y - 19, text_width(rung.name, SMALL) + 3, 15, "background", zorder=5)
        canvas.text(0, y + 12 if wide else y - 8, rung.name, size=SMALL + (1 if wide else 0), colour="muted")
        mine: list[Any] = []
        feeding = set(rung.seen)
        for u, centre in enumerate(rung.centers):
            x = left + (centre - low) * unit
            on = u in feeding
            line, fill = ("accent", "accent") if on else ("line", "panel")
            mine.append(canvas.box(x - thick / 2, y, thick, 14, line, fill=fill))
            if on and rung.links is not None:
                below = rungs[k - 1]
                for v in rung.links[u]:
                    to = left + (below.centers[v] - low) * unit
                    links.append(canvas.line([(x, y + 14), (to, y + row)], "accent", 0.7, zorder=1))
        cells.append(mine)
    alt = "From the image up: " + "; ".join(
        f"{rung.name}: {len(rung.seen)} of {counted(len(rung.centers), 'cell')}" for rung in rungs
    )
    return canvas.picture(alt + ".", cells=cells, links=links)
