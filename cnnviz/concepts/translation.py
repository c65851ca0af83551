"""Moving an image by whole pixels, and how far a network's maps move with it.

A layer that shares its weights over all positions commutes with translation (it is equivariant), except
at the border; behind a stride only moves by its multiples do. Turning, scaling and moves by parts of a pixel
are left out. After Azulay and Weiss, "Why do deep convolutional networks generalize so poorly to small image
transformations?", JMLR 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import takewhile
from typing import Any

import numpy as np

from cnnviz.network import Network, Run
from cnnviz.network.simplifying import is_chain
from cnnviz.ops.padding import Pair, integer
from cnnviz.receptive_fields import ReceptiveField, ReceptiveFields, receptive_field


def shift(image: Any, rows: int, cols: int) -> np.ndarray:
    """Move an image, or maps, by whole cells; zeros come in, and what goes over the border is lost.

    Parameters
    ----------
    image
        (H, W), (H, W, C) or (N, H, W, C).
    rows, cols
        How far down and to the right; negative is up and to the left.

    Returns
    -------
    array
        A copy of the same shape and dtype.

    Raises
    ------
    ValueError
        for another rank, or a move that is no whole number.

    Examples
    --------
    >>> shift(np.array([[1, 2], [3, 4]]), 0, 1)
    array([[0, 1],
           [0, 3]])
    """
    image = np.asarray(image)
    if not 2 <= image.ndim <= 4:
        raise ValueError(f"image must be (H, W), (H, W, C) or (N, H, W, C), got shape {image.shape}")
    moves = integer(rows, "rows"), integer(cols, "cols")
    moved = np.zeros_like(image)
    first = 1 if image.ndim == 4 else 0
    pairs = [_overlap(size, move) for size, move in zip(image.shape[first:], moves, strict=False)]
    targets, sources = zip(*pairs, strict=True)
    lead = (slice(None),) * first
    moved[(*lead, *targets)] = image[(*lead, *sources)]
    return moved


def _overlap(size: int, move: int) -> tuple[slice, slice]:
    """Where the cells that stay arrive along an axis, and where they come from."""
    move = max(-size, min(size, move))
    return slice(max(move, 0), size + min(move, 0)), slice(max(-move, 0), size - max(move, 0))


@dataclass(frozen=True, eq=False)
class MovedMaps:
    """A layer's maps of an image and of the moved image, and how they should be related.

    Parameters
    ----------
    name
        The layer.
    before, after
        Its maps of the image and of the moved image, (H, W, C).
    moved
        How far the image moved, (rows, columns) in cells of this layer; a fraction behind a stride
        that does not divide the move.
    inside
        bool (H, W): cells that cannot tell the difference, since neither they nor the cells they
        come from see anything beyond the border of the image. If `whole`, they are equal but for
        rounding.
    """

    name: str
    before: np.ndarray
    after: np.ndarray
    moved: tuple[Fraction, Fraction]
    inside: np.ndarray

    @property
    def whole(self) -> bool:
        """Whether the move is a whole number of this layer's cells."""
        return all(move.denominator == 1 for move in self.moved)

    @property
    def cells(self) -> Pair:
        """The nearest whole number of cells to `moved`, halves towards zero."""
        rows, cols = (_nearest(move) for move in self.moved)
        return rows, cols

    @cached_property
    def expected(self) -> np.ndarray:
        """The maps of the image, moved by `cells`."""
        return shift(self.before, *self.cells)

    @cached_property
    def kept(self) -> np.ndarray:
        """bool (H, W): the cells that something of the map has moved to, which can be compared."""
        return shift(np.ones(self.before.shape[:2], bool), *self.cells)

    @cached_property
    def difference(self) -> np.ndarray:
        """The moved image's maps minus the moved maps, (H, W, C); 0 where nothing can be compared."""
        return np.where(self.kept[:, :, np.newaxis], self.after - self.expected, 0)

    @property
    def error(self) -> float | None:
        """The equivariance error: the root mean square of the difference over that of the moved maps.

        Over the cells in `kept`; None if there are none.
        """
        return self._error(self.kept)

    @property
    def error_inside(self) -> float | None:
        """The same over the cells that see no border, where only a stride can make a difference."""
        return self._error(self.kept & self.inside)

    def _error(self, cells: np.ndarray) -> float | None:
        if not cells.any():
            return None
        whole = float(np.square(self.expected[cells], dtype=float).sum())
        rest = float(np.square(self.difference[cells], dtype=float).sum())
        if whole == 0:
            return 0.0 if rest == 0 else math.inf
        return math.sqrt(rest / whole)


class Translation(Mapping[str, MovedMaps]):
    """A network on an image and on the moved image: a mapping from layers with maps to `MovedMaps`.

    Made by `compare_shift`.

    Parameters
    ----------
    before, after
        The two runs.
    rows, cols
        How far the image moved.
    layers
        {name: MovedMaps}, in the network's order.
    """

    def __init__(self, before: Run, after: Run, rows: int, cols: int, layers: Mapping[str, MovedMaps]):
        self.before, self.after = before, after
        self.rows, self.cols = rows, cols
        self._layers = dict(layers)

    def __getitem__(self, name: str) -> MovedMaps:
        return self._layers[self.before.network[name].name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __repr__(self) -> str:
        return f"<Translation by {self.rows} rows, {self.cols} columns: {len(self)} layers>"

    @property
    def lost(self) -> float:
        """The share of the image's sum that went over the border, 0 to 1."""
        total = float(np.abs(self.before.input).sum(dtype=float))
        return 1 - float(np.abs(self.after.input).sum(dtype=float)) / total if total else 0.0


def compare_shift(
    network: Network, image: Any, rows: int, cols: int, fields: ReceptiveFields | None = None
) -> Translation:
    """Run a network on an image and on the image moved, and compare layer by layer.

    Parameters
    ----------
    network
        With one input, an image.
    image
        One image, as `Network.predict` takes it.
    rows, cols
        How far to move it down and to the right, in pixels; zeros come in.
    fields
        The network's receptive fields on images of that size, where they are known already.

    Returns
    -------
    Translation
        Of all layers with maps whose units lie in a regular grid over the image.

    Raises
    ------
    ValueError
        for a batch of several images, or a network without an image as its only input.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> digit = load_mnist()[1][0][0]
    >>> found = compare_shift(load_model("mnist_14k"), digit, 1, 0)
    >>> found["conv2d_2"].error < 1e-6, found["max_pooling2d"].error > 0.1
    (True, True)
    """
    if len(network.inputs) != 1 or len(network.input_shape) != 3:
        raise ValueError(
            f"network must have one image (H, W, C) as its input, {network.name} has {network.input_shape}"
        )
    before = network.run(image)
    if len(before.input) != 1:
        raise ValueError(f"image must be one image, got a batch of {len(before.input)}")
    image = np.asarray(image)
    # It may be (H, W), (H, W, C), (1, H, W) or (1, H, W, C).
    moved = shift(image.reshape(before.input.shape[1:]), rows, cols)
    after = network.run(moved)
    fields = fields or receptive_field(network, before.input.shape[1:3])
    layers = {}
    for name, field in fields.items():
        steps = field.stride
        if before[name].ndim != 4 or len(steps) != 2 or None in steps:
            continue
        moves = [(rows, cols)[axis] for axis in field.axes]
        down, across = (
            Fraction(move) / step if step else Fraction(0) for move, step in zip(moves, steps, strict=True)
        )
        inside = _inside(field, (down, across), before.input.shape[1:3])
        layers[name] = MovedMaps(name, before[name][0], after[name][0], (down, across), inside)
    return Translation(before, after, rows, cols, layers)


def padded_with_zeros(network: Network) -> Network:
    """A network's layers with maps, with the same weights, but with 'same' padding in its convolutions.

    At its border, maps then hold zeros that the layer before never gave: something to recognise the
    border by.

    Parameters
    ----------
    network
        A chain of layers, which is cut off where its maps end.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        if it is no chain of layers on an image.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> padded_with_zeros(load_model("mnist_14k"))["conv2d_1"].output_shape
    (28, 28, 16)

    Source: Islam, Jia and Bruce, "How much position information do convolutional neural networks
    encode?", ICLR 2020.
    """
    if not is_chain(network.layers):
        raise ValueError(f"network must be one chain of layers, got {network!r}")
    kept = list(takewhile(lambda layer: len(layer.output_shape) == 3, network.layers))
    if not kept:
        raise ValueError(f"network must have an image (H, W, C) as its input, got {network!r}")
    layers = [
        replace(one, config={**one.config, "padding": "same"}) if one.is_convolution else one for one in kept
    ]
    return Network(layers, name=network.name)


def predictions_over_shifts(network: Network, image: Any, reach: int = 8) -> np.ndarray:
    """What a network makes of an image at every place that whole-pixel moves up to `reach` lead to.

    Parameters
    ----------
    network
        With one input, an image, and one output.
    image
        One image, as `Network.predict` takes it, without a batch axis.
    reach
        The farthest move in each direction, in pixels.

    Returns
    -------
    array (2*reach + 1, 2*reach + 1, ...)
        The network's outputs by rows moved, then by columns; the middle is the image where it was.

    Examples
    --------
    >>> from cnnviz import load_mnist, load_model
    >>> found = predictions_over_shifts(load_model("mnist_14k"), load_mnist()[1][0][0], 2)
    >>> found.shape, int(found[2, 2].argmax())
    ((5, 5, 10), 7)
    """
    if integer(reach, "reach") < 0:
        raise ValueError(f"reach must not be negative, got {reach!r}")
    moves = range(-reach, reach + 1)
    moved = np.stack([shift(image, rows, cols) for rows in moves for cols in moves])
    outputs = network.predict(moved)
    return outputs.reshape(len(moves), len(moves), *outputs.shape[1:])


def _inside(field: ReceptiveField, moved: Any, size: Pair) -> np.ndarray:
    """The cells whose own field and whose source's field do not reach over the image's border."""
    inner = []
    for axis, move in enumerate(moved):
        ends = field.intervals(axis, clip=False)
        clear = (ends[:, 0] >= 0) & (ends[:, 1] < size[field.axes[axis]]) & (field.stride[axis] != 0)
        targets, sources = _overlap(len(clear), _nearest(move))
        both = np.zeros_like(clear)
        both[targets] = clear[targets] & clear[sources]
        inner.append(both)
    return np.logical_and.outer(*inner)


def _nearest(value: Fraction) -> int:
    """The nearest whole number, halves towards zero."""
    steps = math.ceil(abs(value) - Fraction(1, 2))
    return steps if value > 0 else -steps
