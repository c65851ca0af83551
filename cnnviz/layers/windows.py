"""Windows over maps: which cells one output reads, for receipts and the browser.

Positions come from `ops.padding`, the engine's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnviz.layers.browser import BrowserStage
from cnnviz.layers.layer import Layer
from cnnviz.layers.links import Slide
from cnnviz.layers.operands import Position, check_terms
from cnnviz.ops.padding import Axis, Window


@dataclass(frozen=True)
class Patch:
    """The cells of a map that one window reads: their rows and columns, and which are padding."""

    rows: np.ndarray
    cols: np.ndarray
    padding: np.ndarray

    @classmethod
    def at(cls, rows: np.ndarray, cols: np.ndarray, shape: Sequence[int]) -> Patch:
        """These rows and columns of a map; those outside it are padding."""
        check_terms(rows.size * cols.size)
        outside = [(at < 0) | (at >= size) for at, size in zip((rows, cols), shape, strict=False)]
        return cls(rows, cols, outside[0][:, None] | outside[1])

    @classmethod
    def of(cls, view: Window, position: Position) -> Patch:
        """What the output at a row and a column reads."""
        rows, cols = (_reads(axis, u) for axis, u in zip(view, position, strict=False))
        return cls.at(rows, cols, [axis.size for axis in view])

    @classmethod
    def of_stamps(cls, view: Window, position: Position) -> tuple[Patch, np.ndarray, np.ndarray]:
        """What reaches an output of a transposed convolution, and through which taps, down and across."""
        (down, rows), (across, cols) = (_stamps(axis, p) for axis, p in zip(view, position, strict=False))
        return cls(rows, cols, np.zeros((len(rows), len(cols)), bool)), down, across

    def cut(self, x: np.ndarray, channels: np.ndarray, fill: float = 0.0) -> dict[str, Any]:
        """The fields of Operands for these cells in some channels of x (H, W, C)."""
        check_terms(self.padding.size * channels.size)
        inside = [np.clip(at, 0, size - 1) for at, size in zip((self.rows, self.cols), x.shape, strict=False)]
        factor = x[np.ix_(*inside, channels)].transpose(2, 0, 1)
        places = np.broadcast_arrays(self.rows[:, None], self.cols, channels[:, None, None])
        return {
            "factor": np.where(self.padding, x.dtype.type(fill), factor),
            "position": np.stack(places, axis=-1),
            "padding": np.broadcast_to(self.padding, factor.shape),
        }


def _reads(axis: Axis, u: int) -> np.ndarray:
    """The inputs that the taps of output u read, padding included."""
    return u * axis.stride - axis.before + np.arange(axis.kernel) * axis.dilation


def _stamps(axis: Axis, p: int) -> tuple[np.ndarray, np.ndarray]:
    """The taps whose stamps fall on cell p of a transposed convolution, and the inputs that stamp them."""
    taps = np.arange(axis.kernel)
    inputs, off = np.divmod(p + axis.before - taps * axis.dilation, axis.stride)
    reached = (off == 0) & (inputs >= 0) & (inputs < axis.out)
    return taps[reached], inputs[reached]


def kernel_indices(rows: Any, cols: Any, third: Any, fourth: Any) -> np.ndarray:
    """(groups, rows, columns, 4): indices of a kernel's entries; the last two one for each group."""
    third, fourth = (np.asarray(axis)[..., None, None] for axis in (third, fourth))
    return np.stack(np.broadcast_arrays(np.asarray(rows)[:, None], np.asarray(cols), third, fourth), axis=-1)


def slides(view: Window) -> tuple[Slide, Slide]:
    """The links of a window that slides over rows and columns."""
    return Slide(0, view.rows), Slide(1, view.cols)


def browser_axes(view: Window) -> dict[str, list[int]]:
    """The window as forward.js reads it."""
    rows, cols = ([a.size, a.kernel, a.stride, a.dilation, a.before, a.after, a.out] for a in view)
    return {"rows": rows, "cols": cols}


def sample_stage(
    layer: Layer,
    tables: Sequence[tuple[np.ndarray, np.ndarray]],
    source: Sequence[int],
    fill: float = 0.0,
    *,
    differences: Sequence[bool] = (False, False),
) -> BrowserStage:
    """Each unit a sum of a few cells of its own channel, times weights that belong to rows and to columns.

    A table for the rows and one for the columns: the cells that each unit reads, and their weights, both
    (units, taps). Cells outside the map are padding and hold `fill`; what has the weight 0 is not read, but
    where a share of the difference of two cells is added to the first: that of infinite ones is NaN.
    """
    along: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for axis, size, (cells, weights), apart in zip(
        ("rows", "cols"), source, tables, differences, strict=False
    ):
        names = {"cells": f"{layer.name}/{axis}", "weights": f"{layer.name}/{axis}_weights"}
        arrays |= {names["cells"]: cells.astype(np.int32), names["weights"]: weights.astype(np.float32)}
        along.append({"size": size, "taps": cells.shape[1], "differences": apart, **names})
    op = {"type": "sample", "along": along, "fill": fill, "label": layer.entry.label or layer.kind}
    return BrowserStage(op, arrays)


def map_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """An input's shape, if it is a map's; else a ValueError."""
    if len(shape) != 3:
        raise ValueError(f"its input must be a map (height, width, channels), got {shape}")
    return shape[0], shape[1], shape[2]
