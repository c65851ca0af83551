"""What an animation shows, without pictures: the positions in order, what each reads, what it gives.

Positions come from `ops.padding` and numbers from the operations themselves. A transposed convolution
is the same walk run backwards: it reads one cell and writes a window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnnviz.ops.padding import Pair, Window

MOST_STEPS = 1000
MOST_CHANNELS = 8
MOST_CELLS = 1 << 18
"""Of the map that a window walks over: far more than any picture of one shows."""
MOST_READ = 1 << 20
"""Cells of all windows together."""


@dataclass(frozen=True)
class Step:
    """One frame: a position of the window.

    Parameters
    ----------
    row, col
        The cell of the small side: the output's, or a transposed convolution's input.
    sources
        The input channels that are read.
    target
        The output channel that is written.
    cells
        The cells of the large side in the window, row by row; those outside it are padding, or cut off.
    written
        (row, column, value) of every output cell that this step changes, as it is after it.
    winner
        For max pooling, the input's cell whose value wins: the first of several.
    """

    row: int
    col: int
    sources: tuple[int, ...]
    target: int
    cells: tuple[Pair, ...]
    written: tuple[tuple[int, int, float], ...]
    winner: Pair | None = None


@dataclass(frozen=True)
class Walk:
    """An operation on one image, step by step.

    Parameters
    ----------
    operation
        Its name in `cnnviz.ops`.
    x, output
        (H, W, C) and (H_out, W_out, F): what went in, and what the operation gave.
    weights
        (kh, kw, channels) for each output channel, the channels being those of its steps' `sources`;
        empty for pooling.
    bias
        (F,) or None.
    geometry
        As the operation's; of the convolution that it transposes if `backwards`.
    steps
        In the order of the output's channels, and of each channel row by row.
    symbolic
        Whether cells have names in place of numbers.
    settings
        What the operation was called with, by its keywords.
    """

    operation: str
    x: np.ndarray
    output: np.ndarray
    weights: tuple[np.ndarray, ...]
    bias: np.ndarray | None
    geometry: Window
    steps: tuple[Step, ...]
    symbolic: bool
    settings: dict[str, object]

    @property
    def backwards(self) -> bool:
        return self.operation == "conv2d_transpose"

    @property
    def pooling(self) -> bool:
        return not self.weights

    @property
    def telling(self) -> int:
        """The step to look at first: of the largest result, or the largest cell read if run backwards."""
        if self.backwards:
            sizes = [abs(self.x[step.row, step.col, step.sources[0]]) for step in self.steps]
        else:
            sizes = [abs(value) for step in self.steps for _, _, value in step.written]
        return int(np.argmax(sizes))

    def inside(self, cell: Pair) -> bool:
        """Whether a cell of the large side is there, and not padding or cut off."""
        return _inside(self.geometry, cell)


def _inside(geometry: Window, cell: Pair) -> bool:
    return 0 <= cell[0] < geometry.rows.size and 0 <= cell[1] < geometry.cols.size


def window_cells(geometry: Window, row: int, col: int) -> tuple[Pair, ...]:
    """The cells of the window at an output's position, row by row, padding among them.

    >>> from cnnviz.ops.padding import window
    >>> window_cells(window((3, 3), (2, 2), (1, 1), ((1, 0), (0, 0))), 0, 1)
    ((-1, 1), (-1, 2), (0, 1), (0, 2))
    """
    rows, cols = geometry
    top, left = row * rows.stride - rows.before, col * cols.stride - cols.before
    return tuple(
        (top + u * rows.dilation, left + v * cols.dilation)
        for u in range(rows.kernel)
        for v in range(cols.kernel)
    )


def check_size(x: np.ndarray, channels_out: int, geometry: Window, *, backwards: bool = False) -> None:
    """ValueError for what would be too much to watch, before anything of it is computed."""
    if not np.isfinite(x).all():
        raise ValueError("x must be finite to be animated, got NaN or infinity")
    if max(x.shape[2], channels_out) > MOST_CHANNELS:
        raise ValueError(
            f"at most {MOST_CHANNELS} channels are animated, got {x.shape[2]} in and {channels_out} out"
        )
    places = x.size if backwards else math.prod(geometry.out)
    steps = places * channels_out
    if not 0 < steps <= MOST_STEPS:
        raise ValueError(
            f"an animation has 1 to {MOST_STEPS} steps, this one would have {steps}; take a smaller x, "
            "fewer channels or larger strides"
        )
    # A transposed convolution is computed whole at every step.
    cells = math.prod(axis.padded for axis in geometry) * (channels_out if backwards else 1)
    if cells > MOST_CELLS:
        raise ValueError(
            f"an {'output' if backwards else 'input'} of at most {MOST_CELLS:,} cells is animated, this one "
            f"would have {cells:,}; take a smaller x, kernel or {'strides' if backwards else 'padding'}"
        )
    window = math.prod(axis.kernel for axis in geometry)
    if steps * window > MOST_READ:
        raise ValueError(
            f"an animation's windows have at most {MOST_READ:,} cells together, this one would have "
            f"{steps:,} windows of {window:,}; take a smaller x or kernel"
        )


def forward_steps(
    x: np.ndarray,
    output: np.ndarray,
    geometry: Window,
    sources: Sequence[tuple[int, ...]],
    *,
    winners: bool = False,
) -> Iterator[Step]:
    """A step for every output cell: `sources` has the input channels of each output channel."""
    for target, read in enumerate(sources):
        for row, col in np.ndindex(geometry.out):
            cells = window_cells(geometry, row, col)
            value = float(output[row, col, target])
            winner = None
            if winners:
                present = [cell for cell in cells if _inside(geometry, cell)]
                winner = max(present, key=x[:, :, read[0]].__getitem__)
            yield Step(row, col, read, target, cells, ((row, col, value),), winner)


def backward_steps(
    x: np.ndarray, filters: int, geometry: Window, transpose: Callable[[np.ndarray], np.ndarray]
) -> Iterator[Step]:
    """A step for every input cell and filter; `transpose` is the operation, of whatever has been read."""
    for target in range(filters):
        read = np.zeros_like(x)
        for channel in range(x.shape[2]):
            for row, col in np.ndindex(x.shape[:2]):
                read[row, col, channel] = x[row, col, channel]
                so_far = transpose(read)
                cells = window_cells(geometry, row, col)
                inside = [cell for cell in cells if _inside(geometry, cell)]
                written = tuple((r, c, float(so_far[r, c, target])) for r, c in inside)
                yield Step(row, col, (channel,), target, cells, written)
