"""An animation as plain data, for a browser to draw: grids with texts and colours, and the steps.

The browser computes no number; it places cells and moves the window.
"""

from __future__ import annotations

from typing import Any

from cnnviz.animate.panels import PaintedCell, Panel, Panels
from cnnviz.animate.words import arithmetic

COLOURS = ("background", "panel", "ink", "muted", "line", "accent")
"""What of the theme the browser draws with."""


def scene_of(panels: Panels) -> dict[str, Any]:
    """Grids, steps and the theme's colours.

    Returns
    -------
    dict
        `inputs`, `outputs`: grids {title, rows, cols, before, after, around, cells}, a cell being
        [text, fill, ink]; `kernels`: a list of grids for each output channel; `steps`: {row, col,
        sources, target, first, words, result, written, winner}, `first` being the window's first cell
        and `written` [row, col, text, fill, ink]; `dilation`, `kernel` and `backwards` say how the
        window lies.

    Examples
    --------
    >>> from cnnviz.animate import max_pool2d
    >>> scene = max_pool2d([[1, 2], [4, 3]]).scene()
    >>> scene["steps"][0]["result"], scene["steps"][0]["written"][0][:3]
    ('= 4', [0, 0, '4'])
    """
    walk = panels.walk
    rows, cols = walk.geometry
    steps = []
    for step in walk.steps:
        parts, result = arithmetic(walk, step)
        steps.append(
            {
                "row": step.row,
                "col": step.col,
                "sources": list(step.sources),
                "target": step.target,
                "first": list(step.cells[0]),
                "words": " ".join(parts),
                "result": result,
                "written": [[row, col, *_cell(cell)] for row, col, cell in panels.written(step)],
                "winner": list(step.winner) if step.winner else None,
            }
        )
    return {
        "operation": walk.operation,
        "backwards": walk.backwards,
        "kernel": [rows.kernel, cols.kernel],
        "dilation": [rows.dilation, cols.dilation],
        "inputs": [_grid(panel) for panel in panels.inputs],
        "kernels": [[_grid(panel) for panel in each] for each in panels.kernels],
        "outputs": [_grid(panel) for panel in panels.outputs],
        "steps": steps,
        "colours": {name: getattr(panels.theme, name) for name in COLOURS},
    }


def _grid(panel: Panel) -> dict[str, Any]:
    rows, cols = panel.shape
    return {
        "title": panel.title,
        "rows": rows,
        "cols": cols,
        "before": list(panel.before),
        "after": list(panel.after),
        "around": panel.around,
        "cells": [[_cell(cell) for cell in row] for row in panel.cells],
    }


def _cell(cell: PaintedCell) -> list[str]:
    return [cell.text, cell.fill, cell.ink]
