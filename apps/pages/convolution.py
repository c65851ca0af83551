"""Convolution: the stage's first layer; then a kernel to slide by hand, several channels, what is linear."""

from functools import partial
from typing import Any

import cached
import cells_editor
import chrome
import lesson
import numpy as np
import player
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import test_digits
from lesson import Aspect
from plain import plain

from cnnviz import figures, ops
from cnnviz.concepts import playground
from cnnviz.concepts.linearity import superposition
from cnnviz.concepts.weight_sharing import connections
from cnnviz.images.array_text import array_to_text
from cnnviz.layers.layer import quoted
from cnnviz.numbers import minus, number
from cnnviz.ops.padding import Window, window
from cnnviz.teaching.questions import convolution as questions
from cnnviz.verification.convolution_rounding import METHODS

# Parameters of the kernel that is slid by hand.
PLAYGROUND = (
    *("start", "kernel", "kernel_rows", "kernel_columns", "stride", "dilation", "padding", "step"),
    *("source", "cells_a_side", "top", "left", "typed", "flip", "transposed", "letters"),
)
# Where the session keeps the kernel that was shown last.
SHOWN = "convolution.kernel"


def start_anew() -> None:
    """Take a kernel by its name: what was typed is forgotten, but where it is what was asked for."""
    if state.set_to("start") != playground.CUSTOM:
        cells_editor.reset("kernel")
    elif SHOWN in st.session_state:
        state.put("kernel", array_to_text(st.session_state[SHOWN]))


def keep_the_middle(started: dict[str, Any]) -> None:
    """Let the kernel of the last run live on in another size, and be called by the name that is its own."""
    size = next(iter(started.values())).shape
    last = st.session_state.get(SHOWN)
    if last is not None and last.shape != size and not state.from_outside():
        name = playground.name_of(last)
        if name in started:
            state.settle("start", name)
            state.settle("kernel", "")
        else:
            state.settle("kernel", array_to_text(playground.resized(last, *size)))
    typed = cells_editor.typed("kernel", size)
    if typed is not None:
        state.settle("start", playground.name_of(typed))


def slide() -> None:
    """The playground: a kernel, an input, stride, padding, dilation, both directions."""
    image = here.grey
    with chrome.controls("steps"):
        start_at = st.container(width="content")
        stride = state.integer("stride", 1, 5, 1, "Stride")
        dilation = state.integer("dilation", 1, 4, 1, "Dilation")
        modes = {"valid": "valid: none", "same": "same", "explicit": "explicit: each side"}
        mode = state.option("padding", modes, "same", st.selectbox, "Padding")
        more = st.popover("More: input, size, direction")
    padding: str | tuple = mode
    if mode == "explicit":
        with chrome.controls("sides"):
            ends = ("top", "bottom", "left", "right")
            sides = [state.integer(f"pad_{end}", 0, 5, 1, end.capitalize()) for end in ends]
        padding = (tuple(sides[:2]), tuple(sides[2:]))
    with more:
        with chrome.controls("kernel"):
            kernel_rows = state.integer("kernel_rows", 1, 5, 3, "Kernel rows")
            kernel_cols = state.integer("kernel_columns", 1, 5, 3, "Kernel columns")
        turned = state.toggle("flip", False, "Flip the kernel: true convolution")
        back = state.toggle("transposed", False, "Run it backwards: transposed")
        letters = state.toggle("letters", False, "Letters for numbers")
        names = {"patch": f"A patch of {here.digit.name}", "cells": "Cells typed in"}
        source = state.option("source", names, "patch", st.selectbox, "Input")
        with chrome.controls("input"):
            most = min(14, *image.shape) if source == "patch" else 11
            size = state.integer("cells_a_side", 3, most, min(8, most), "Cells a side")
            if source == "patch":
                corner = playground.liveliest(image, size)
                top = state.integer("top", 0, image.shape[0] - size, corner[0], "First row")
                left = state.integer("left", 0, image.shape[1] - size, corner[1], "First column")
                x = playground.patch(image, top, left, size)
                source_code = f"playground.patch({here.grey_code}, {top}, {left}, {size})"
    started = playground.starters(kernel_rows, kernel_cols)
    usual = "sobel x" if "sobel x" in started else "slope"
    keep_the_middle(started)
    with start_at:
        start = state.option(
            "start", [*started, playground.CUSTOM], usual, st.selectbox, "Kernel", on_change=start_anew
        )
    grid, picture = chrome.columns(1, 3)
    with grid:
        kernel = cells_editor.edit(
            "kernel",
            started.get(start, started[usual]),
            "Drag a weight, or type one",
            low=-99,
            high=99,
            step=0.1,
        )
        st.session_state[SHOWN] = kernel
        if source == "cells":
            x = cells_editor.edit("typed", playground.example_cells(size), "Input", low=-999, high=999)
            source_code = f"np.array({x.tolist()}, np.float32)"
    used = playground.flipped(kernel) if turned else kernel
    setting: dict[str, Any] = {"strides": stride, "padding": padding, "dilation_rate": dilation}
    shown.update(setting=setting, used=used, x=x, back=back, size=size, rows=kernel_rows, mode=mode)
    geometry: Window | None = None
    try:
        geometry = window(x.shape, used.shape, (stride, stride), padding, (dilation, dilation))
    except ValueError as error:
        st.warning(f"This does not fit: {plain(error)}.")
    if geometry is not None:
        with picture:
            walk(geometry, source == "patch", turned=turned, letters=letters)
    written, zeros = chrome.columns(3, 2)
    if geometry is not None:
        with written:
            sizes(geometry)
    with zeros, st.expander("Where ‘same’ puts its zeros"):
        same_zeros()
    shown["geometry"] = geometry
    code.append(
        f"""
        x = {source_code}
        kernel = np.array({used.tolist()}, np.float32)
        setting = {setting if geometry else dict(setting, padding="same")}
        y = ops.conv2d(x, kernel[:, :, None, None], **setting)
        print(y.shape)
        print(y.round(2))
        animation = animate.conv2d(x, kernel, **setting)
        print(animation.words(0))  # animation.save("convolution.gif") writes it
        back = ops.conv2d_transpose(y, kernel[:, :, None, None], strides={stride}, dilation_rate={dilation})
        print(back.shape)  # without crop; playground.backwards has what brings x's size back
        """
    )


def walk(geometry: Window, pixels: bool, *, turned: bool, letters: bool) -> None:
    """The convolution, or its transpose, step by step."""
    x, used, setting = shown["x"], shown["used"], shown["setting"]
    if shown["back"]:
        player.show(
            "step",
            "conv2d_transpose",
            "The transposed convolution, step by step",
            "Each cell of the small map, times the kernel, is added where the window lay that it came from. "
            "The size comes back; the values do not.",
            x=ops.conv2d(x, used[:, :, None, None], **setting),
            kernel=used,
            strides=setting["strides"],
            dilation_rate=setting["dilation_rate"],
            symbolic=letters,
            **playground.backwards(geometry),
        )
        return
    player.show(
        "step",
        "conv2d",
        "The convolution, step by step",
        "Dashed: padding, where zeros are read. "
        + ("The kernel is flipped, as mathematics has it. " if turned else "")
        + ("w11 is the first weight of the flipped kernel. " if turned and letters else "")
        + "Point at an output to see what it is made of; a click keeps its window. Networks do not flip the "
        "kernel: strictly it is a cross-correlation. One that learns its kernels can do with either.",
        x=x,
        kernel=used,
        pixels=pixels,
        symbolic=letters,
        **setting,
    )


def sizes(geometry: Window) -> None:
    """How large what comes out is, with the numbers filled in."""
    if shown["back"]:
        extra = playground.backwards(geometry)["output_padding"]
        chrome.table(
            ["", "(outputs − 1) · stride + reach − cut off + added"],
            [
                (name, playground.transposed_formula(axis, added))
                for name, axis, added in zip(("rows", "columns"), geometry, extra, strict=True)
            ],
            name="transposed-size",
        )
        return
    chrome.table(
        ["", "⌊(input + before + after − reach) / stride⌋ + 1", "not read"],
        [
            (name, playground.size_formula(axis), playground.unread(axis))
            for name, axis in (("rows", geometry.rows), ("columns", geometry.cols))
        ],
        caption="The reach is (kernel − 1) · dilation + 1. What the floor leaves over at the end, no "
        "window reads.",
        name="output-size",
    )


def same_zeros() -> None:
    """Where 'same' puts its zeros, for inputs of some lengths."""
    setting, size, rows = shown["setting"], shown["size"], shown["rows"]
    stride, dilation = setting["strides"], setting["dilation_rate"]
    lengths = range(max(size - 2, 1), size + 4)
    same = playground.same_padding(lengths, rows, stride, dilation)
    strided = playground.same_padding(lengths, rows, 2, dilation)
    only_strided = any(one.uneven for one in strided) and not any(one.uneven for one in same)
    hint = " Both ends get the same here; with stride 2, not always." if only_strided else ""
    chrome.table(
        ["input", "output", "zeros before", "zeros after", "both ends"],
        [
            (f"{one.size} cells", one.out, one.before, one.after, "uneven" if one.uneven else "equal")
            for one in same
        ],
        caption="Padding ‘same’ adds what the windows lack, for as many outputs as strides fit into the "
        "input, rounded up; in TensorFlow an odd cell goes to the bottom and the right. Along rows: kernel "
        f"{rows}, stride {stride}, dilation {dilation}.{hint}",
        mark=list(lengths).index(size),
        name="same-padding",
    )


def several_channels() -> None:
    """Four channels of a trained layer: read by all filters, in groups, or each by its own."""
    words, cost = chrome.columns(3, 2)
    with words:
        st.markdown(
            "A kernel is as deep as the input has channels, and each kernel makes one output channel: a "
            "plain convolution reads all channels for each output; in groups, an output reads its group’s "
            "only; a depthwise one reads a single channel. Four channels of a trained layer’s input, cut "
            "out, with its own weights."
        )
        with chrome.controls("channels"):
            deep_name = state.option(
                "deep_layer", list(deep), next(iter(deep)), st.selectbox, "Layer that reads them"
            )
            kinds = {"plain": "Plain", "grouped": "Two groups", "depthwise": "Depthwise"}
            kind = state.option("kind", kinds, "plain", st.segmented_control, "Convolution")
    with cost:
        chrome.table(
            [deep_name, "weights", "multiply-adds"],
            [
                (name, cost.parameters, cost.multiply_adds)
                for name, cost in playground.cost_by_kind(deep[deep_name])
            ],
            caption="Had the whole layer been built that way, without biases.",
            name="groups",
        )
    example = cached.kept(playground.channel_example, here.run, here.network[deep_name], kind, 5)
    grouped = {"groups": example.groups} if kind != "depthwise" else {}
    player.show(
        "channel_step",
        "depthwise_conv2d" if kind == "depthwise" else "conv2d",
        "The convolution of several channels, step by step",
        f"Input channels {', '.join(map(str, example.channels))} of {deep_name}, renumbered from 0; its "
        f"{'kernels' if kind == 'depthwise' else 'filters'}' other weights and its bias are left out.",
        x=example.x,
        kernel=example.kernel,
        **grouped,
    )
    code.append(
        f"""
        example = playground.channel_example(run, net[{quoted(deep_name)}], {kind!r}, 5)
        print(example.channels, example.kernel.shape)
        """
    )


def linear() -> None:
    """Two digits added: the map of the sum against the sum of the maps."""
    images = test_digits()[0]
    words, picture = chrome.columns(1, 2)
    with words:
        other = state.integer("other", 0, len(images) - 1, 2, "Another test digit")
        a = state.integer("a", -2, 2, 1, f"Times {here.digit.name}", st.slider)
        b = state.integer("b", -2, 2, 1, "Times the other", st.slider)
        bias = state.toggle("with_bias", False, "Add the bias")
        bent = state.toggle("with_relu", False, "And a ReLU after it")
    both = superposition(
        first_layer,
        strongest,
        here.run.input[0, :, :, 0],
        images[other] / np.float32(255),
        (a, b),
        bias=bias,
        rectified=bent,
    )
    second = minus(b) if b >= 0 else f"({minus(b)})"
    if both.same:
        verdict = (
            "The two maps are the same here, but for rounding. With a bias or a ReLU they need not be."
            if bias or bent
            else "The two maps are the same, but for rounding: a convolution is linear."
        )
    elif bent:
        verdict = "The two maps differ: a ReLU of a sum is not the sum of two ReLUs."
    else:
        verdict = (
            f"The two maps differ: the bias is in the one once, in the other {minus(a)} + {second} times."
        )
    largest = float(np.abs(both.difference).max())
    with picture:
        chrome.show(
            "feature_maps",
            f"{first_layer.name}, kernel {strongest}, of {minus(a)} times {here.digit.name} plus {second} "
            f"times test digit {other:,}. {verdict} The largest difference is {number(largest)}.",
            share=2 / 3,
            maps=np.stack([both.of_sum, both.sum_of, both.difference], axis=2),
            labels=["the map of the sum", "the sum of the maps", "their difference"],
        )
    code.append(
        f"""
        both = superposition(
            net[{quoted(first_layer.name)}], {strongest}, image / np.float32(255),
            cnnviz.load_mnist()[1][0][{other}] / np.float32(255), ({a}, {b}), bias={bias}, rectified={bent},
        )
        print(both.same, np.abs(both.difference).max())
        """
    )


def one_product() -> None:
    """Every window a row of a matrix."""
    kernel = first_layer.weights["kernel"][:, :, 0, strongest]
    side = min(max(kernel.shape) + 2, *here.grey.shape)
    row, col = playground.liveliest(here.grey, side)
    x = playground.patch(here.grey, row, col, side)
    answer = ops.conv2d(x, kernel[:, :, None, None])
    kernel_called = f"kernel {strongest} of {first_layer.name}"
    if not here.shows_a_digit:
        kernel_called = f"in grey, and the first plane of {kernel_called}"
    window_at = state.place("window", answer.size, 4)
    chrome.pick(
        "patch_matrix",
        f"{side} × {side} pixels of {here.digit.name}, and {kernel_called} without its bias. "
        "Pick a row: it is the outlined window, written in one line; the row times the column is its number "
        "in the map. So the whole convolution is one matrix product.",
        [f"Window {place}: {number(float(value))}" for place, value in enumerate(answer.ravel())],
        window_at,
        lambda place: state.put("window", place),
        limit=720,
        x=x,
        kernel=kernel,
        output=window_at,
    )
    code.append(
        f"""
        patch = playground.patch({here.grey_code}, {row}, {col}, {side})
        kernel = net[{quoted(first_layer.name)}].weights["kernel"][:, :, 0, {strongest}]
        print(im2col_matrix(patch, kernel.shape) @ kernel.reshape(-1, 1))
        """
    )


def several_methods() -> None:
    """Each method's largest difference from float64, and what rounding allows."""
    compared = cached.method_errors(here.which, here.digit, first_layer.name)
    chrome.table(
        ["method", "how", "largest difference", "may be at most"],
        [
            (each.method, METHODS[each.method], number(each.difference), number(each.limit))
            for each in compared
        ],
        caption=f"{first_layer.name} on {here.digit.name} in float32, against "
        "float64. What the difference may be at most follows from how often a method rounds, and on what "
        "numbers.",
        name="methods",
    )
    code.append(
        f"""
        layer = net[{quoted(first_layer.name)}]
        setting = {{name: layer.config[name] for name in ("strides", "padding", "dilation_rate")}}
        for each in compare_methods(run.input, layer.weights["kernel"], layer.weights.get("bias"), **setting):
            print(each)
        """
    )


here = lesson.begin("convolution")
convolutions = {layer.name: layer for layer in here.network.layers if layer.is_convolution}
first_layer = next(iter(convolutions.values()))
deep = {name: one for name, one in convolutions.items() if np.shape(one.weights["kernel"])[2] >= 4}
strongest = figures.strongest_channel(here.run[first_layer.name][0])
shown: dict[str, Any] = {
    "setting": {"strides": 1, "dilation_rate": 1, "padding": "same"},
    "size": 8,
    "rows": 3,
}
code = [
    f"""
    import cnnviz
    import numpy as np
    from cnnviz import animate, ops
    from cnnviz.concepts import playground
    from cnnviz.concepts.linearity import superposition
    from cnnviz.ops.im2col import im2col_matrix
    from cnnviz.verification.convolution_rounding import compare_methods

    image = {here.digit.code}
    net = cnnviz.load_model({quoted(here.model)})
    run = net.run(image)
    layer = net[{quoted(first_layer.name)}]
    setting = {{name: layer.config[name] for name in ("strides", "padding", "dilation_rate")}}
    y = ops.conv2d(run.input, layer.weights["kernel"], layer.weights.get("bias"), **setting)
    print(y[0].max(axis=(0, 1)))
    """
]
asked = st.container()
slides = {"slide": Aspect("One channel, all settings", slide, PLAYGROUND)}
if deep:
    slides["channels"] = Aspect(
        "Several channels, in groups, or each alone", several_channels, ("deep_layer", "kind", "channel_step")
    )
lesson.closer_in_aspects(
    "sliding",
    "Slide a kernel yourself: stride, padding, dilation, backwards"
    + (", over several channels" if deep else ""),
    "Over what",
    slides,
)
mathematics = {}
if here.measures_digits:
    mathematics["linear"] = Aspect(
        "Linear: add two digits", linear, ("other", "a", "b", "with_bias", "with_relu")
    )
mathematics["product"] = Aspect("One matrix product", one_product, ("window",))
if (first_layer.multiply_adds or 0) <= 10**7:  # One of them is slow.
    mathematics["methods"] = Aspect("The same by several methods", several_methods)
lesson.closer_in_aspects(
    "mathematics",
    "What it is in mathematics, and how it is computed",
    "See that it is",
    mathematics,
)
with asked:
    sides, padding = shown["setting"], shown["setting"]["padding"]
    along = padding if isinstance(padding, str) else padding[0]
    stride, dilation = sides["strides"], sides["dilation_rate"]
    questions_here: list[Any] = [
        partial(questions.output_size, 28, shown["rows"], stride=stride, padding=along, dilation=dilation)
    ]
    if shown.get("geometry") is not None and shown["back"]:
        questions_here.append(partial(questions.transposed_size, shown["x"], shown["used"], **sides))
    elif shown.get("mode") == "same":
        questions_here.append(partial(questions.same_sides, 28, shown["rows"], stride, dilation))
    else:
        questions_here.append(partial(questions.parameters, first_layer))
    question_widget.ask(*questions_here)
snippets.show(*code)
saving = connections(first_layer)
chrome.half_truth(
    "A convolution makes the image smaller, and so it needs fewer parameters.",
    "Its output need not be smaller: that depends on the kernel’s reach, the stride and the padding. Few "
    "parameters come from two things. Each output reads a neighbourhood only, and all positions share one "
    f"kernel: in {here.model}’s first layer the first makes weights {saving.by_locality:,.0f} times fewer "
    f"than a dense layer’s, the second {saving.by_sharing:,.0f} times fewer still.",
)
