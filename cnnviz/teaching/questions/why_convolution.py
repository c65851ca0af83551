"""Questions about sharing weights over all positions: how far maps move, what larger images cost."""

from __future__ import annotations

import math
from fractions import Fraction

from cnnviz.channels import dense_cost
from cnnviz.layers.layer import Layer
from cnnviz.network import Network
from cnnviz.numbers import counted
from cnnviz.ops.padding import window
from cnnviz.receptive_fields import receptive_field
from cnnviz.teaching.questions.question import Choice, Question, question

_GEOMETRY = ("strides", "padding", "dilation_rate")


def how_far_a_map_moves(network: Network, layer: str, pixels: int = 6) -> Question:
    """By how many of its own cells a layer's map moves when the image does.

    Parameters
    ----------
    network, layer
        Of a layer with maps in a regular grid over the image.
    pixels
        How far the image moves.

    Raises
    ------
    ValueError
        for a layer whose units have no stride, or whose maps are no larger than the way.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> how_far_a_map_moves(load_model("mnist_14k"), "conv2d_3").answer.text
    '3 cells'
    """
    field = receptive_field(network)[layer]
    stride = field.stride[0] if len(field.stride) == 2 else None
    if not stride:
        raise ValueError(f"layer must have maps whose units lie in a regular grid, got {layer!r}")
    moved, times = Fraction(pixels) / stride, f"{float(stride):g}"
    if not moved < (network[layer].output_shape[0] or 0):
        raise ValueError(f"layer must have maps of more than {float(moved):g} rows, got {network[layer]}")
    if stride == 1:
        why = (
            "No stride up to here is larger than 1, so its cells are 1 pixel apart, and the map moves along."
        )
    else:
        why = f"Strides up to here put its cells {times} pixels apart: {pixels} / {times}."
    apart = f"Cells of {layer} are {times} pixel{'' if stride == 1 else 's'} apart"
    cut = pixels - field.size[0] + 1 if field.size[0] else pixels
    return question(
        f"The digit moves {counted(pixels, 'pixel')} down. By how much does a map of {layer} move?",
        Choice(_cells(moved), why),
        [
            Choice(
                _cells(Fraction(pixels)),
                f"{apart}, not 1.",
                "maps have the image's pixels",
            ),
            Choice(
                "0 cells",
                "That would be invariance. A kernel that finds a thing anywhere answers where it is.",
                "a convolution does not notice where something is",
            ),
            Choice(
                _cells(pixels * Fraction(stride)),
                "A step that is larger makes the way shorter in cells, not longer.",
                "a stride multiplies the way",
            ),
            Choice(
                _cells(Fraction(max(cut, 1))),
                "How far a unit sees decides what it answers, not how far the answer moves.",
                "the receptive field is taken off the way",
            ),
            Choice(
                _cells(Fraction(pixels, 2)),
                f"Only a stride takes cells farther apart. {apart}, not 2.",
                "every layer halves its maps",
            ),
        ],
    )


def weights_for_larger_images(layer: Layer, times: int = 2) -> Question:
    """How many weights a convolution needs for images that are larger in both directions.

    Parameters
    ----------
    layer
        A convolution of known sizes.
    times
        How much larger.

    Examples
    --------
    >>> from cnnviz import load_model
    >>> weights_for_larger_images(load_model("mnist_14k")["conv2d"]).answer.text
    '144'
    """
    if not layer.is_convolution or None in (*layer.input_shape, *layer.output_shape):
        raise ValueError(f"layer must be a Conv2D of known sizes, got {layer!r}")
    weights = layer.weights["kernel"].size
    rows, cols, deep = (size or 0 for size in layer.input_shape)
    larger = times * rows, times * cols
    axes = window(larger, layer.weights["kernel"].shape[:2], *(layer.config[name] for name in _GEOMETRY))
    outputs = math.prod(axes.out) * layer.weights["kernel"].shape[3]
    dense = dense_cost(math.prod(larger) * deep, outputs, bias=False).parameters
    return question(
        f"{layer.name} reads {rows} × {cols} × {deep} numbers and has {weights:,} weights, biases aside. How "
        f"many does it need for an input of {times * rows} × {times * cols} × {deep}?",
        Choice(f"{weights:,}", "The same kernels slide over more positions; there is nothing to add."),
        [
            Choice(
                f"{weights * times**2:,}",
                "Positions share their weights. There are more positions, not more weights.",
                "every pixel brings weights of its own",
            ),
            Choice(
                f"{weights * times:,}",
                "A kernel keeps its size on a larger image.",
                "kernels grow with the image",
            ),
            Choice(
                f"{dense:,}",
                "So many a dense layer would need for the same numbers.",
                "each output has a weight for every input",
            ),
        ],
    )


def _cells(count: Fraction) -> str:
    return f"{float(count):g} cell{'' if count == 1 else 's'}"
