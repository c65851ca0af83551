"""A still picture of a scene, for where no script may run: the image and some maps of each layer."""

from __future__ import annotations

import numpy as np

from cnnviz.colours import INK, THEMES, Scale, cell_colours, png
from cnnviz.stage.scene import Scene

SIDE = 30
"""Of a map, in pixels."""
MAPS, COLUMNS = 5, 14
GAP = 3


def still_png(scene: Scene) -> bytes:
    """The maps that were sent of the first image, layer by layer from left to right, as a small PNG.

    Each layer has a scale of its own. Of many channels or layers some are left out, evenly.
    """
    stages = scene.plan.taken.stages
    columns = [[_map(values.reshape(stages[s].shape)[:, :, 0], INK)] for s, values in _some(scene, 1)]
    for s, values in _some(scene, COLUMNS)[1:]:
        maps = np.moveaxis(values.reshape(stages[s].shape), 2, 0)
        if maps[0].size == 1:
            maps = maps.reshape(1, -1, 1)
        chosen = maps[np.unique(np.linspace(0, len(maps) - 1, MAPS).round().astype(int))]
        columns.append([_map(each, Scale.of(maps)) for each in chosen])
    paper = np.array([int(THEMES["light"].background[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)
    height = MAPS * (SIDE + GAP) + GAP
    picture = np.tile(paper, (height, len(columns) * (SIDE + GAP) + GAP, 1))
    for c, column in enumerate(columns):
        top = (height - len(column) * (SIDE + GAP)) // 2
        for r, tile in enumerate(column):
            y, x = top + r * (SIDE + GAP), GAP + c * (SIDE + GAP)
            picture[y : y + SIDE, x : x + SIDE] = tile
    return png(picture)


def _some(scene: Scene, count: int) -> list[tuple[int, np.ndarray]]:
    """Stages whose numbers were sent, the first and the last among them."""
    sent = sorted(scene.values[0].items())
    return [sent[n] for n in np.unique(np.linspace(0, len(sent) - 1, count).round().astype(int))]


def _map(cells: np.ndarray, scale: Scale) -> np.ndarray:
    """A map as a square of colours, each place that of the cell that is there."""
    rows, cols = (np.arange(SIDE) * size // SIDE for size in cells.shape)
    return cell_colours(cells[np.ix_(rows, cols)], scale)[:, :, :3]
