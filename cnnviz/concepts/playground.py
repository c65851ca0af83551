"""What it takes to play with a convolution: patches, kernels of any shape, sizes written out.

Geometry comes from `ops.padding` and kernels from the gallery; here they get the words and shapes that a
lesson asks for. Nothing is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from cnnviz import kernels
from cnnviz.channels import Cost, conv_cost
from cnnviz.layers.layer import Layer
from cnnviz.network import Run
from cnnviz.numbers import counted
from cnnviz.ops.padding import Axis, Pair, Window, integer, window

_NAMED = ("sobel x", "sobel y", "roberts x", "box", "sharpen", "laplacian", "outline", "emboss", "gabor 45°")
"""Kernels of the gallery to begin with."""


def patch(image: Any, row: int, col: int, size: int) -> np.ndarray:
    """A square piece of an image, as values from 0 to 1.

    Parameters
    ----------
    image
        (H, W): uint8 from 0 to 255, or floats, which are taken as they are.
    row, col
        Its upper left corner.
    size
        Its side, in pixels.

    Returns
    -------
    array (size, size), float32

    Raises
    ------
    ValueError
        If it does not lie within the image.

    Examples
    --------
    >>> patch(np.full((28, 28), 255, np.uint8), 3, 4, 2)
    array([[1., 1.],
           [1., 1.]], dtype=float32)
    """
    image = np.asarray(image)
    row, col, size = (integer(v, n) for v, n in ((row, "row"), (col, "col"), (size, "size")))
    piece = image[row : row + size, col : col + size] if image.ndim == 2 else image
    if min(row, col) < 0 or size < 1 or piece.shape != (size, size):
        raise ValueError(
            f"a patch of {size} cells at row {row}, column {col} must lie within the image (H, W), "
            f"got shape {image.shape}"
        )
    piece = piece.astype(np.float32)
    return piece / np.float32(255) if image.dtype == np.uint8 else piece


def liveliest(image: Any, size: int) -> Pair:
    """The corner of the patch in which neighbours differ most: where there is something to see.

    >>> image = np.zeros((9, 9)); image[6:, 6:] = 1
    >>> liveliest(image, 4)
    (5, 5)
    """
    image = np.asarray(image, float)
    change = np.zeros(image.shape)
    change[1:] += np.abs(np.diff(image, axis=0))
    change[:, 1:] += np.abs(np.diff(image, axis=1))
    windows = np.lib.stride_tricks.sliding_window_view(change, (size, size)).sum(axis=(2, 3))
    row, col = np.unravel_index(int(windows.round(6).argmax()), windows.shape)
    return int(row), int(col)


def starters(rows: int, cols: int) -> dict[str, np.ndarray]:
    """Kernels (rows, cols) to begin with, by name: ones, a one in the middle, a slope, some of the gallery.

    >>> list(starters(2, 3)), starters(2, 3)["middle"].tolist()
    (['ones', 'middle', 'slope'], [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    """
    middle = np.zeros((rows, cols))
    middle[(rows - 1) // 2, (cols - 1) // 2] = 1
    slope = np.tile(np.arange(cols) - (cols - 1) / 2, (rows, 1))
    chosen = {"ones": np.ones((rows, cols)), "middle": middle, "slope": slope}
    if rows == cols > 1:
        named = {entry.name: entry.kernel for entry in kernels.gallery(rows)}
        chosen |= {name: named[name] for name in _NAMED if name in named}
    return {name: kernel.astype(np.float32) for name, kernel in chosen.items()}


CUSTOM = "custom"
"""The name of a kernel that is none of the `starters`."""


def name_of(kernel: Any) -> str:
    """Which of the `starters` of its size a kernel is, or `CUSTOM`.

    >>> name_of(np.ones((2, 3))), name_of([[1, 2], [3, 4]])
    ('ones', 'custom')
    """
    kernel = np.asarray(kernel, np.float32)
    named = starters(*kernel.shape)
    return next((name for name, other in named.items() if np.array_equal(kernel, other)), CUSTOM)


def resized(kernel: Any, rows: int, cols: int) -> np.ndarray:
    """A kernel with rows and columns of zeros put around it, or taken off it, so that its middle stays.

    The middle of an even number of cells is the one before its half, as in the `starters`.

    >>> resized([[1, 2, 3], [4, 5, 6], [7, 8, 9]], 1, 2).tolist()
    [[5, 6]]
    >>> resized([[5, 6]], 3, 3).tolist()
    [[0, 0, 0], [0, 5, 6], [0, 0, 0]]
    """
    kernel = np.asarray(kernel)
    found = np.zeros((rows, cols), kernel.dtype)
    # A middle is the cell (size - 1) // 2, as in `starters`.
    shifts = [(new - 1) // 2 - (old - 1) // 2 for new, old in zip(found.shape, kernel.shape, strict=True)]
    (top, left), (height, width) = shifts, kernel.shape
    for row in range(rows):
        for col in range(cols):
            if 0 <= row - top < height and 0 <= col - left < width:
                found[row, col] = kernel[row - top, col - left]
    return found


def example_cells(size: int) -> np.ndarray:
    """Cells (size, size) to begin typing from: an upright edge, dark on the left.

    >>> example_cells(4)[0].tolist()
    [0.0, 0.0, 9.0, 9.0]
    """
    cells = np.zeros((size, size), np.float32)
    cells[:, size // 2 :] = 9
    return cells


def flipped(kernel: Any) -> np.ndarray:
    """A kernel turned by half a circle: what mathematics calls convolution correlates with this one.

    >>> flipped([[1, 2], [3, 4]]).tolist()
    [[4, 3], [2, 1]]
    """
    return np.ascontiguousarray(np.asarray(kernel)[::-1, ::-1])


# Sizes ------------------------------------------------------------------------------------------


def size_formula(axis: Axis) -> str:
    """The output's size along an axis, with the numbers filled in and the floor shown.

    >>> size_formula(Axis(size=7, kernel=3, stride=2, before=1, after=1))
    '⌊(7 + 1 + 1 − 3) / 2⌋ + 1 = ⌊3⌋ + 1 = 4'
    >>> size_formula(Axis(size=8, kernel=3, stride=2))
    '⌊(8 + 0 + 0 − 3) / 2⌋ + 1 = ⌊2.5⌋ + 1 = 3'
    """
    inner = (axis.padded - axis.extent) / axis.stride
    return (
        f"⌊({axis.size} + {axis.before} + {axis.after} − {axis.extent}) / {axis.stride}⌋ + 1 = ⌊{inner:.4g}⌋ "
        f"+ 1 = {axis.out}"
    )


def transposed_formula(axis: Axis, output_padding: int = 0) -> str:
    """The same backwards: what a transposed convolution makes of the output.

    >>> transposed_formula(Axis(size=7, kernel=3, stride=2, before=1, after=1))
    '(4 − 1) · 2 + 3 − 1 − 1 + 0 = 7'
    """
    full = (axis.out - 1) * axis.stride + axis.extent
    after = full - axis.before - axis.size + output_padding
    return (
        f"({axis.out} − 1) · {axis.stride} + {axis.extent} − {axis.before} − {after} + {output_padding} "
        f"= {axis.size}"
    )


def unread(axis: Axis) -> int:
    """Cells at the end, padding included, that no window reads because of the stride.

    >>> unread(Axis(size=8, kernel=3, stride=2))
    1
    """
    return axis.padded - axis.extent - (axis.out - 1) * axis.stride


def backwards(geometry: Window) -> dict[str, Any]:
    """`padding` and `output_padding` with which `conv2d_transpose` undoes a convolution's geometry.

    The result has the convolution's input size, whatever its floor left over. Values do not come back.

    >>> from cnnviz.ops.padding import window
    >>> backwards(window((8, 8), (3, 3), (2, 2), "valid"))
    {'padding': ((0, 0), (0, 0)), 'output_padding': (1, 1)}
    """
    left = [unread(axis) for axis in geometry]
    cut = tuple((axis.before, max(axis.after - over, 0)) for axis, over in zip(geometry, left, strict=True))
    extra = tuple(max(over - axis.after, 0) for axis, over in zip(geometry, left, strict=True))
    return {"padding": cut, "output_padding": extra}


@dataclass(frozen=True)
class SamePadding:
    """What 'same' adds to an input of a size."""

    size: int
    out: int
    before: int
    after: int

    @property
    def uneven(self) -> bool:
        return self.before != self.after


def same_padding(sizes: Any, kernel: int, stride: int = 1, dilation: int = 1) -> list[SamePadding]:
    """What padding 'same' adds before and after inputs of these sizes, TensorFlow's way.

    >>> [(s.size, s.before, s.after, s.out) for s in same_padding([7, 8], 3, 2)]
    [(7, 1, 1, 4), (8, 0, 1, 4)]
    """
    paddings = []
    for size in sizes:
        axis = window((size, size), (kernel, kernel), (stride, stride), "same", (dilation, dilation)).rows
        paddings.append(SamePadding(size, axis.out, axis.before, axis.after))
    return paddings


# Several channels -------------------------------------------------------------------------------

KINDS = ("plain", "grouped", "depthwise")


@dataclass(frozen=True)
class ChannelExample:
    """A few channels of a trained layer's input, and of its weights: see `channel_example`."""

    x: np.ndarray
    kernel: np.ndarray
    groups: int
    channels: tuple[int, ...]
    filters: tuple[int, ...]


def channel_example(run: Run, layer: Layer, kind: str, most: int = 6) -> ChannelExample:
    """Four channels that a trained layer reads, cut out where they are strongest, and its weights for them.

    Parameters
    ----------
    run, layer
        A run, and a convolution in it that reads four channels or more.
    kind
        "plain": two filters, each over all four channels; "grouped": two groups of two channels, a
        filter each; "depthwise": one kernel a channel. Weights that a kind has no use for are left
        out, so that all three are the trained ones.
    most
        Rows and columns to cut out at most.

    Returns
    -------
    ChannelExample
        Of the run's first image: x (h, w, 4); kernel (kh, kw, 4, 2),
        (kh, kw, 2, 2) or (kh, kw, 4, 1); groups; the layer's channels and filters that were taken.

    Raises
    ------
    ValueError
        For another kind, or fewer channels or filters.

    Examples
    --------
    >>> import cnnviz
    >>> net = cnnviz.load_model("mnist_14k")
    >>> found = channel_example(net.run(cnnviz.load_mnist()[1][0][0]), net["conv2d_1"], "grouped")
    >>> found.x.shape, found.kernel.shape, found.groups
    ((6, 6, 4), (3, 3, 2, 2), 2)
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    x, weights = run.inputs(layer.name)[0][0], np.asarray(layer.weights["kernel"])
    if x.shape[2] < 4 or weights.shape[3] < 2:
        raise ValueError(f"layer must read 4 channels and have 2 filters, got kernel shape {weights.shape}")
    strongest = np.argsort(-x.sum(axis=(0, 1)), kind="stable")[:4]
    chosen = tuple(sorted(int(c) for c in strongest))
    maps = x[:, :, chosen]
    side = min(max(most, *weights.shape[:2]), *maps.shape[:2])
    row, col = liveliest(maps.sum(axis=2), side)
    piece = maps[row : row + side, col : col + side]
    taken = weights[:, :, chosen]
    if kind == "depthwise":
        return ChannelExample(piece, np.ascontiguousarray(taken[:, :, :, :1]), 1, chosen, (0,))
    if kind == "grouped":
        halves = np.stack([taken[:, :, :2, 0], taken[:, :, 2:, 1]], axis=3)
        return ChannelExample(piece, halves, 2, chosen, (0, 1))
    return ChannelExample(piece, np.ascontiguousarray(taken[:, :, :, :2]), 1, chosen, (0, 1))


def cost_by_kind(layer: Layer) -> list[tuple[str, Cost]]:
    """What a convolution costs as it is, in groups, and depthwise, at the layer's own widths, without bias.

    Only groups that divide both widths are listed; the depthwise one has a kernel for each input channel,
    and so as many outputs as inputs.

    >>> import cnnviz
    >>> for name, cost in cost_by_kind(cnnviz.load_model("mnist_14k")["conv2d_1"])[::3]:
    ...     print(name, cost.parameters)
    1 group 2304
    8 groups 288
    """
    kh, kw, depth, filters = np.shape(layer.weights["kernel"])
    channels_in, out = depth * layer.config["groups"], layer.output_shape[:2]
    possible = [g for g in (1, 2, 4, 8) if channels_in % g == filters % g == 0 and g < max(channels_in, 2)]
    cost = partial(conv_cost, channels_in, kernel_size=(kh, kw), output_size=out, bias=False)
    grouped = [(counted(g, "group"), cost(filters, groups=g)) for g in possible]
    return [*grouped, ("depthwise", cost(channels_in, groups=channels_in))]
