"""Exercises whose answers are whole numbers: sizes of maps, receptive fields, counts of weights."""

from __future__ import annotations

import numpy as np

from cnnviz import channels, kernels, ops, receptive_field
from cnnviz.layers.layer import Layer
from cnnviz.receptive_fields import Conv
from cnnviz.receptive_fields.recurrence import RecurrenceStep, recurrence
from cnnviz.teaching.exercises.exercise import Answer, Asked, Exercise, Given, Material, Task, telling


def size_after_a_convolution(about: Material) -> Exercise:
    """How many rows and columns come out, from the size of the maps, the kernel, stride and padding."""
    names = kernels.layers_with_kernels(about.network)
    if not names:
        raise ValueError(f"{about.network.name} has no convolution with a kernel larger than 1×1")
    name = about.one_of(names)
    rows, cols = about.network[name].weights["kernel"].shape[:2]
    return _size(about, name, f"the kernel of {name}", (int(rows), int(cols)), dilated=True)


def size_after_pooling(about: Material) -> Exercise:
    """The same for a pooling layer."""
    window = about.some(2, 4)
    return _size(about, "Pooling", "the window", (window, window), dilated=False)


def _size(about: Material, title: str, what: str, window: tuple[int, int], *, dilated: bool) -> Exercise:
    stride, dilation = about.some(1, 3), about.some(1, 2) if dilated else 1
    padding = about.one_of(["valid", "same"])
    stride = 1 if dilation > 1 else stride
    reach = [dilation * (k - 1) + 1 for k in window]
    sides = [about.some(max(r, 5) + 1, 32) for r in reach]
    maps = np.zeros((1, *sides, 1))
    out = ops.conv2d(
        maps, np.zeros((*window, 1, 1)), strides=stride, padding=padding, dilation_rate=dilation
    ).shape[1:3]
    answers = [
        Answer(
            float(n),
            mistakes=telling(
                [
                    ((side - r) // stride + 1, "as if nothing were padded"),
                    (-(-side // stride), "as if it were padded to keep the size"),
                    ((side - r) // stride, "the first place was not counted"),
                    (side - r + 1, "the stride was left out"),
                    (-(-(side - k + 1) // stride), "the holes of the dilation were left out"),
                ],
                n,
                0.0,
            ),
        )
        for n, side, r, k in zip(out, sides, reach, window, strict=True)
    ]
    return Exercise(
        Task(
            "size",
            f"{title}: what size comes out",
            f"Maps of {sides[0]} × {sides[1]} come in; {what} is {window[0]} × {window[1]}. "
            + (f"It moves {stride} cells at a time" if stride > 1 else "It moves 1 cell at a time")
            + (f", its cells lie {dilation} apart (dilation {dilation})" if dilation > 1 else "")
            + (
                ", and the padding is “same”: zeros around the maps, as few as let a window begin at every "
                f"{_ordinal(stride)} cell."
                if padding == "same"
                else ", and nothing is padded (“valid”): it stays on the maps."
            ),
            (
                Given(
                    "maps", "Rows and columns that come in", tuple(map(float, sides)), 0, ("rows", "columns")
                ),
                Given(
                    "window",
                    "Rows and columns of the window",
                    tuple(map(float, window)),
                    0,
                    ("rows", "columns"),
                ),
                Given("stride", "Stride", float(stride)),
                Given("dilation", "Dilation", float(dilation)),
                Given("padding", "Padding", padding),
            ),
            (Asked("Rows that come out"), Asked("Columns that come out")),
        ),
        tuple(answers),
    )


def _ordinal(n: int) -> str:
    return {1: "single", 2: "second", 3: "third"}.get(n, f"{n}th")


def field_of_a_unit(about: Material) -> Exercise:
    """How many rows of the image a unit sees, and which.

    Raises ValueError where no layer is reached by a single way of windows.
    """
    fields = receptive_field(about.network)
    steps = {step.layer: step for step in recurrence(fields)}
    ways = {name: way for name in steps if 2 <= len(way := _way(about, steps, name)) <= 12}
    if not ways:
        raise ValueError(f"{about.network.name} has no layer behind a single way of two windows or more")
    name = about.one_of(list(ways))
    way, field = ways[name], fields[name]
    row = about.some(0, (field.shape[0] or 1) - 1)
    col = about.some(0, (field.shape[1] or 1) - 1)
    size, stride = field.size[0] or 0, field.stride[0]
    (first, last), _ = field.box(row, col)
    sizes = [step.local.size[0] or 1 for step in way]
    strides = [step.local.stride[0] or 1 for step in way]
    pads = [step.local.padding[0] or 0 for step in way]
    heads = tuple(step.layer for step in way)
    ask = "at most, where the border does not cut it off" if any(pads) else ""
    return Exercise(
        Task(
            "field",
            "What a unit sees",
            f"A digit goes through these layers of {about.network.name}, in this order. Others between them "
            f"look at one cell at a time. The unit is at row {row}, column {col} of {name}; rows are counted "
            "from 0.",
            (
                Given("sizes", "Rows of the window", tuple(map(float, sizes)), 0, heads),
                Given("strides", "Stride", tuple(map(float, strides)), 0, heads),
                Given("pads", "Zeros padded above", tuple(map(float, pads)), 0, heads),
                Given("row", "The unit’s row", float(row)),
                Given("side", "Rows of the image", float(about.network.input_shape[0] or 28)),
            ),
            (
                Asked("How many rows of the image it sees" + (f" ({ask})" if ask else "")),
                Asked("The first row that it sees"),
                Asked("The last row that it sees"),
            ),
        ),
        (
            Answer(
                float(size),
                mistakes=telling(
                    [
                        (sizes[-1], "the size of the last window alone"),
                        (sum(sizes), "the windows were added up, without taking away one each"),
                        (1 + sum(k - 1 for k in sizes), "the strides were left out"),
                    ],
                    size,
                    0.0,
                ),
            ),
            Answer(
                float(first),
                mistakes=telling([(row, "the steps of the layers below were left out")], first, 0.0),
                grading=f"{row} times the step of {stride} pixels. A whole number: no other is right.",
            ),
            Answer(
                float(last),
                mistakes=telling([(first + size, "one too many: both ends are seen")], last, 0.0),
                grading="Also right: the two numbers before, added up, less 1.",
            ),
        ),
    )


def _way(about: Material, steps: dict[str, RecurrenceStep], name: str) -> list[RecurrenceStep]:
    """The steps from the image to a layer, if there is one way and all steps on it are known; else []."""
    way: list[RecurrenceStep] = []
    layer: Layer = about.network[name]
    while layer.inputs:
        if len(layer.inputs) > 1:
            return []
        if layer.name in steps:
            way.insert(0, steps[layer.name])
        layer = about.network[layer.inputs[0]]
    return way


def stack_of_small_kernels(about: Material) -> Exercise:
    """Several 3x3 convolutions on one another against one as large as what they see."""
    deep, wide = about.some(2, 6), about.one_of([2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32])
    side = 64
    field = receptive_field([Conv(3) for _ in range(deep)], (side, side))
    size = list(field.values())[-1].size[0] or 0
    stacked = deep * channels.conv_cost(wide, wide, (3, 3), (1, 1), bias=False).parameters
    large = channels.conv_cost(wide, wide, (size, size), (1, 1), bias=False).parameters
    return Exercise(
        Task(
            "stack",
            "Small kernels on one another",
            f"{deep} convolutions of 3 × 3 follow on one another with stride 1, each with {wide} "
            "channels in and "
            f"{wide} out, without biases.",
            (Given("layers", "Convolutions", float(deep)), Given("channels", "Channels", float(wide))),
            (
                Asked("How many pixels wide is what a unit of the last one sees"),
                Asked("How many weights they have together"),
                Asked("How many weights one convolution has whose kernel is as large as what they see"),
            ),
        ),
        (
            Answer(float(size), mistakes=telling([(3 * deep, "three for each layer")], size, 0.0)),
            Answer(
                float(stacked),
                mistakes=telling([(9 * deep, "the channels were left out")], stacked, 0.0),
            ),
            Answer(
                float(large),
                grading="It is right for the size found before.",
                mistakes=telling([(size * size, "the channels were left out")], large, 0.0),
            ),
        ),
    )


def weights_of_a_mixing(about: Material) -> Exercise:
    """What a 1x1 convolution costs, in weights and in products."""
    many, few = about.some(6, 64), about.some(2, 32)
    rows, cols = about.some(4, 28), about.some(4, 28)
    cost = channels.conv_cost(many, few, (1, 1), (rows, cols))
    return Exercise(
        Task(
            "mixing cost",
            "What a 1×1 convolution costs",
            f"{many} maps of {rows} × {cols} go through a 1×1 convolution with {few} kernels and biases.",
            (
                Given("inputs", "Channels in", float(many)),
                Given("outputs", "Channels out", float(few)),
                Given("rows", "Rows", float(rows)),
                Given("cols", "Columns", float(cols)),
            ),
            (
                Asked("Parameters, biases included"),
                Asked("Multiplications for one image"),
            ),
        ),
        (
            Answer(
                float(cost.parameters),
                mistakes=telling(
                    [
                        (many * few, "the biases were left out"),
                        (few + few, "a kernel was taken for a single number"),
                        (cost.parameters * rows * cols, "weights are shared by all pixels"),
                    ],
                    cost.parameters,
                    0.0,
                ),
            ),
            Answer(
                float(cost.multiply_adds),
                mistakes=telling([(many * few, "that is for one pixel")], cost.multiply_adds, 0.0),
            ),
        ),
    )


def shared_weights(about: Material) -> Exercise:
    """A convolution against a dense layer between the same maps."""
    side, filters = about.some(6, 28), about.some(2, 16)
    size = about.one_of([3, 5])
    out = side - size + 1
    conv = channels.conv_cost(1, filters, (size, size), (out, out))
    dense = channels.dense_cost(side * side, out * out * filters)
    return Exercise(
        Task(
            "sharing",
            "Shared weights",
            f"A convolution with {filters} kernels of {size} × {size}, biases, stride 1 and no "
            "padding reads one "
            f"map of {side} × {side}.",
            (
                Given("side", "Rows and columns of the map", float(side)),
                Given("size", "Rows and columns of a kernel", float(size)),
                Given("filters", "Kernels", float(filters)),
            ),
            (
                Asked("Parameters of the convolution"),
                Asked("Numbers that come out"),
                Asked("Parameters of a dense layer from the same numbers to the same numbers"),
            ),
        ),
        (
            Answer(
                float(conv.parameters),
                mistakes=telling([(size * size * filters, "the biases were left out")], conv.parameters, 0.0),
            ),
            Answer(
                float(out * out * filters),
                mistakes=telling(
                    [(side * side * filters, "the border was left out")], out * out * filters, 0.0
                ),
            ),
            Answer(
                float(dense.parameters),
                grading="It is right for the count found before.",
                mistakes=telling(
                    [(side * side * out * out * filters, "the biases were left out")], dense.parameters, 0.0
                ),
            ),
        ),
    )
