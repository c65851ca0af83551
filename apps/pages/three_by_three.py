"""3x3: why small kernels are stacked, what a stack costs, and what it cannot do."""

from functools import partial

import cached
import cells_editor
import chrome
import header
import lesson
import numpy as np
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import test_digits
from lesson import Aspect

from cnnviz import channels, kernels, receptive_field
from cnnviz.layers.layer import quoted
from cnnviz.numbers import counted, percent
from cnnviz.teaching.questions import three_by_three as questions

SIDE = 7  # Of the large kernel that a stack is to make.


def show_stack() -> tuple[int, int]:
    """A stack against one large kernel: what both see, and what both cost; the layers and the channels."""
    with chrome.controls("stack"):
        depth = state.integer("depth", 1, 6, 3, "Layers in the stack", st.slider)
        width = state.option("width", widths, widths[0], st.segmented_control, "Channels")
    costs = channels.stack_of_3x3(depth, width, side)
    kept = side * side * width
    drawn, counted_up = chrome.columns(3, 2)
    with drawn:
        chrome.show(
            "stacked_fields",
            "Each layer reads 3×3 cells of the one to its left; between two of them stands an activation. "
            "Through the stack many paths lead from the middle to the unit and few from the rim; through the "
            "one large kernel every cell has exactly one."
            if depth > 1
            else "A single layer is the large kernel: one path leads from each cell to the unit.",
            share=0.6,
            depth=depth,
        )
    with counted_up:
        chrome.table(
            ["", f"{depth} × 3×3", f"one {2 * depth + 1}×{2 * depth + 1}", "times"],
            [
                ("parameters", costs.other.parameters, costs.direct.parameters, f"{costs.saving[0]:.2f}"),
                (
                    "multiply-adds",
                    costs.other.multiply_adds,
                    costs.direct.multiply_adds,
                    f"{costs.saving[1]:.2f}",
                ),
                ("numbers to keep", depth * kept, kept, f"{1 / depth:.2f}"),
            ],
            caption=f"Layers of {counted(width, 'channel')}, as {here.model} has them, on maps of {side} × "
            f"{side} cells, with biases and 'same' padding. While it learns, each layer’s maps of each image "
            "are kept for the way back"
            + (": a stack has fewer weights, and needs more memory." if depth > 1 else "."),
            name="stacks",
        )
    return depth, width


def show_limits() -> str:
    """A large kernel of the learner's, the nearest that three layers make, and what is left; as code."""
    examples = kernels.large_kernels(SIDE)
    left, right = chrome.columns(2, 3)
    with left:
        name = state.option(
            "wanted",
            list(examples),
            "ring",
            st.selectbox,
            f"A {SIDE} × {SIDE} kernel",
            on_change=cells_editor.reset,
            args=("cells",),
        )
        wanted = cells_editor.edit("cells", examples[name], "Its weights", low=-9, high=9, step=0.5)
    found = cached.nearest_stack(wanted)
    depth, free = len(found.kernels), found.kernels.size
    with right:
        made = found.share_left < 1e-12  # All that float64 leaves.
        chrome.facts(
            ("of its squares are left", percent(0.0 if made else found.share_left)),
            (f"free weights, {depth} · 3² against {SIDE}²", f"{free} against {wanted.size}"),
        )
        chrome.show(
            "feature_maps",
            f"{depth} 3×3 kernels in a row, with nothing between them, make this kernel exactly."
            if made
            else f"The nearest that was found of what {depth} 3×3 kernels in a row make, with nothing "
            f"between them. Most large kernels are out of their reach: {wanted.size} numbers are free, and "
            f"they have {free}.",
            share=0.6,
            limit=480,
            maps=np.stack([wanted, found.made, found.left], axis=2),
            labels=("wanted", "the nearest", "what is left"),
        )
        chrome.show(
            "feature_maps",
            f"The {depth} that make it, from the image up.",
            share=0.6,
            limit=300,
            maps=np.moveaxis(found.kernels, 0, 2),
            labels=[str(place + 1) for place in range(depth)],
        )
    return f"""
    wanted = kernels.large_kernels({SIDE})[{name!r}]
    wanted[:] = {wanted.tolist()}
    found = kernels.nearest_stack(wanted)
    print(found.kernels, found.share_left, found.kernels.size, wanted.size)"""


def show_kernels() -> None:
    """What the kernels of the first layer answer to most."""
    chrome.show(
        "kernel_portraits",
        f"Beside each kernel of {first.name} stands the part of all {len(test_digits()[0]):,} test digits "
        "that it answers to most, and its gain for waves: uniform grey in the middle, the finest stripes at "
        "the rim. Under each: the direction in which its strongest wave runs (0° to the right, 90° down) and "
        "how many of its periods go into a pixel, or “one brightness” if plain grey comes through most; then "
        "its largest answer, of the largest that pixels from 0 to 1 allow.",
        kernels=first.weights["kernel"][:, :, 0],
        patches=cached.exciting_patches(here.model, first.name),
    )


here = lesson.begin("three_by_three")
fields = cached.kept(receptive_field, here.network)
small = [
    layer
    for layer in here.network.layers
    if layer.is_convolution and layer.config["kernel_size"] == (3, 3) and len(layer.output_shape) == 3
]
first, last = small[0], small[-1]
widths, side = sorted({layer.output_shape[2] for layer in small}), first.output_shape[0]
if not lesson.suits(here, "three_by_three"):
    header.point_to_mnist_14k(
        f"In {here.model} no two 3×3 convolutions follow one another directly.", "Show those in mnist_14k"
    )
question_widget.ask(
    questions.how_far_a_stack_sees(3, 5), partial(questions.saving_with_more_channels, 3, widths[0])
)
chosen: dict[str, tuple[int, int]] = {}
code: dict[str, str] = {}
stacks = {
    "large": Aspect("What both see, and cost", lambda: chosen.update(stack=show_stack()), ("depth", "width")),
    "limits": Aspect(
        f"What a stack cannot do: try a {SIDE} × {SIDE} kernel",
        lambda: code.update(limits=show_limits()),
        ("wanted", "cells"),
    ),
}
lesson.closer_in_aspects(
    "about",
    "A stack against one large kernel: what both see and cost, and what a stack cannot do",
    "A stack against one large kernel",
    stacks,
)
if here.measures_digits:
    lesson.closer("kernels", f"What the kernels of {first.name} answer to", show_kernels)
depth, width = chosen.get("stack", (3, widths[0]))
portraits = f"""
    weights = net[{quoted(first.name)}].weights["kernel"]
    patches = kernels.exciting_patches(weights, cnnviz.load_mnist()[1][0])
    for patch in patches:
        print(patch.kernel, patch.image, patch.row, patch.col, patch.response, patch.possible)
    figures.kernel_portraits(weights[:, :, 0], patches)"""
snippets.show(
    f"""
    import cnnviz
    from cnnviz import channels, figures, kernels

    costs = channels.stack_of_3x3({depth}, {width}, {side})
    print(costs.other, costs.direct, costs.saving)
    print(kernels.stack_paths({depth}))
    net = cnnviz.load_model({quoted(here.model)})
    print(cnnviz.receptive_field(net))
    {portraits if here.measures_digits else ""}
    {code.get("limits", "")}
    """
)
chrome.half_truth(
    "A 3×3 kernel sees three by three pixels, so it can only find small things.",
    f"It reads 3×3 cells of its own input, and those have seen more. One cell of {last.name} depends on "
    f"{fields[last.name].size[0]}×{fields[last.name].size[1]} pixels of the image.",
)
