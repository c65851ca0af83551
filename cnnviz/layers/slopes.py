"""Slopes: how much each number of a layer changes with one number that it is made of.

What comes back to a number is the sum of what comes back to all that it changes, times these. They follow
from what an entry says already: what it computes, its gradient, and which cells it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from cnnviz.layers.links import ANY, after, forward, one_hot
from cnnviz.layers.operands import Operands, Position, by_channel, check_terms, operands

Arrays = Sequence[np.ndarray]
# The module of Layer needs this one.
Layer = Any

MOST_NUMBERS = 1 << 26
"""Slopes that take more numbers than this to find are not found: the receipt is not taken apart."""
AT_ONCE = 1 << 22
"""So many numbers of gradients are computed at a time."""


def readers_of(layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
    """Which numbers of a layer read one cell of an input: marks of the output's shape without a batch."""
    shapes = [x.shape[1:] for x in inputs]
    links = layer.entry.links(layer, shapes)[place]
    return np.broadcast_to(forward(links, one_hot(shapes[place], cell), ANY), after(links, shapes[place]))


def slopes_of_input(layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray | None:
    """By the layer's gradient: of each number that reads the cell, a gradient of its own.

    Where these would be too large it is by what each of the numbers is made of; None where that says nothing
    of slopes, since the layer is no sum of products.
    """
    readers = readers_of(layer, inputs, place, cell)
    count, size = int(readers.sum()), sum(x[0].size for x in inputs) + readers.size
    if count > 1 and count * size > MOST_NUMBERS:
        return None if layer.entry.bends(layer) else _by_operands(layer, inputs, place, cell, readers)
    slopes = np.zeros(readers.shape, inputs[0].dtype)
    at = np.argwhere(readers)
    for few in np.array_split(at, max(1, -(-count * size // AT_ONCE))):
        seeds = np.zeros((len(few), *readers.shape), slopes.dtype)
        seeds[(np.arange(len(few)), *few.T)] = 1
        copies = [np.repeat(x[:1], len(few), axis=0) for x in inputs]
        found = layer.entry.input_gradients(layer, copies, seeds)[place]
        slopes[tuple(few.T)] = np.moveaxis(found, 0, -1)[cell]
    return slopes


def _by_operands(
    layer: Layer, inputs: Arrays, place: int, cell: Position, readers: np.ndarray
) -> np.ndarray | None:
    """The weights with which each of the numbers that read the cell reads it."""
    slopes, images = np.zeros(readers.shape, inputs[0].dtype), [x[0] for x in inputs]
    for reader in np.argwhere(readers).tolist():
        found = layer.entry.operands(layer, images, tuple(reader))
        if not found.taken_apart:
            return None
        at = found.position[..., found.position.shape[-1] - len(cell) :]
        here = (at == cell).all(axis=-1) & (found.source == place)[:, np.newaxis, np.newaxis]
        mix = 1 if found.mix is None else found.mix[:, np.newaxis, np.newaxis]
        slopes[tuple(reader)] = (found.weight * mix)[here].sum()
    return slopes


def slopes_cell_by_cell(layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
    """The same for a class that joins its inputs cell by cell: what it broadcasts is read as if whole."""
    readers = readers_of(layer, inputs, place, cell)
    rank = readers.ndim + 1
    whole = [x.reshape(1, *[1] * (rank - x.ndim), *x.shape[1:]) for x in inputs]
    whole[place] = np.broadcast_to(whole[place], (1, *readers.shape)).copy()
    ones = np.ones((1, *readers.shape), inputs[0].dtype)
    return np.where(readers, layer.entry.input_gradients(layer, whole, ones)[place][0], ones.dtype.type(0))


def slopes_of_factor(layer: Layer, inputs: Arrays, place: int, cell: Position) -> np.ndarray:
    """Of a class that multiplies its inputs with each other: what it computes with that one cell 1."""
    one = [*inputs]
    one[place] = np.zeros_like(one[place])
    one[place][(0, *cell)] = 1
    return layer.entry.compute(layer, *one)[0]


def slopes_of_weight(layer: Layer, weight: str, index: Position, inputs: Arrays) -> np.ndarray:
    """Of a class that is linear in each weight, but for what it adds: what it computes with that weight 1.

    All others of the weight, and what is added, are 0 then; where it is added itself, the others are.
    """
    added = layer.entry.added
    one = np.zeros_like(layer.weights[weight])
    one[index] = 1
    others = layer.weights if weight not in added else {name: w * 0 for name, w in layer.weights.items()}
    held = {name: w * 0 if name in added else w for name, w in others.items()}
    if weight in added:
        # Whatever was read.
        inputs = [np.zeros_like(x[:1]) for x in inputs]
    return layer.entry.compute(replace(layer, weights={**held, weight: one}), *inputs)


def slopes_with_copies(
    layer: Layer,
    weight: str,
    index: Position,
    x: np.ndarray,
    lies: Callable[[np.ndarray], np.ndarray],
    **options: Any,
) -> np.ndarray:
    """Of a class that takes each number by itself: its gradient where each has weights of its own.

    `lies` puts a weight against the input, with its batch; `options` are those of a layer on a vector.
    """
    own = np.zeros(layer.weights[weight].shape, bool)
    own[index] = True
    here = np.broadcast_to(lies(own), x.shape)
    weights = {name: np.broadcast_to(lies(w), x.shape)[here] for name, w in layer.weights.items()}
    alone, flat = replace(layer, weights=weights, config={**layer.config, **options}), x[here][np.newaxis]
    slopes = np.zeros_like(x)
    slopes[here] = layer.entry.weight_gradient(alone, weight, [flat], np.ones_like(flat))
    return slopes


# As operands ------------------------------------------------------------------------------------


def returning(grad: np.ndarray, slopes: np.ndarray, readers: np.ndarray) -> Operands:
    """What comes back to a cell: what came back to each number that reads it, times its slope."""
    check_terms(int(readers.sum()))
    index = by_channel(_grid(readers)) if readers.any() else np.empty((0, 1, 1, grad.ndim), int)
    at = tuple(np.moveaxis(index, -1, 0))
    away = ~readers[at]
    factor = np.where(away, grad.dtype.type(0), grad[at])
    return operands([grad], factor, slopes[at], index, padding=away, labels=channels_of(index))


def used(slopes: np.ndarray, grad: np.ndarray) -> Operands:
    """What makes the gradient of a weight: for each image how much each number changes with it, times
    what came back to that.

    Both have a batch, `slopes` one of 1 where they are the same for all images.
    """
    grid = _grid((slopes != 0).any(axis=0))
    at = (slice(None), *np.moveaxis(grid, -1, 0))
    factor, back = (np.broadcast_to(each[at], (len(grad), *grid.shape[:-1])) for each in (slopes, grad))
    return over_images(factor, back, grid, grid, source=1)


def over_images(
    factor: np.ndarray, back: np.ndarray, read: np.ndarray, reached: np.ndarray, source: int = 0
) -> Operands:
    """What was read at each position of each image, times what came back there: (images, axes...).

    `read` holds the cells that were read, the same in all images, (axes..., of the cells), and `reached`
    those of the layer that were made of them; with the source 1 both are these.
    """
    check_terms(factor.size)
    images, lengths = len(factor), [1, 1, *(size for size in factor.shape[1:] if size != 1)]
    # Axes that hold more than one number as rows and columns.
    window = images, prod(lengths[:-1]), lengths[-1]
    read, reached = (
        np.broadcast_to(each, (images, *each.shape)).reshape(*window, each.shape[-1])
        for each in (read, reached)
    )
    return operands(
        [factor],
        factor.reshape(window),
        back.reshape(window),
        read,
        source=np.full(images, source),
        weight_index=reached,
        labels=tuple(f"image {i}" for i in range(images)),
        images=np.arange(images),
    )


def channels_of(index: np.ndarray) -> tuple[str, ...]:
    """Names for groups of cells by their last index."""
    axes = index.shape[-1]
    if not axes:
        return ("number",) * len(index)
    return tuple(f"{'unit' if axes == 1 else 'channel'} {int(group[0, 0, -1])}" for group in index)


def _grid(marks: np.ndarray) -> np.ndarray:
    """The indices of the smallest rows, columns, ... that hold all marked cells: (..., axes)."""
    lines: Sequence[np.ndarray] = [
        np.flatnonzero(marks.any(axis=tuple(i for i in range(marks.ndim) if i != axis)))
        for axis in range(marks.ndim)
    ]
    if not lines:
        return np.empty((0,), int)
    return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
