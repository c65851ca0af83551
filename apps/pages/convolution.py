"""Convolution: a kernel to slide by hand, its sizes, both directions, several channels, a trained layer."""

from typing import Any

import cached
import cells_editor
import chrome
import header
import numpy as np
import player
import question_widget
import snippets
import state
import streamlit as st
from plain import plain

from cnnviz import figures, ops
from cnnviz.concepts import playground
from cnnviz.concepts.weight_sharing import connections
from cnnviz.images.array_text import array_to_text
from cnnviz.layers.layer import quoted
from cnnviz.ops.padding import Window, window
from cnnviz.teaching.questions import convolution as questions

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


here = header.current()
saving = connections(next(layer for layer in here.network.layers if layer.is_convolution))
saved = (
    "Few parameters come from two things. Each output reads a neighbourhood only, and all positions share "
    f"one kernel: in {here.model}’s first layer the first makes weights {saving.by_locality:,.0f} times "
    f"fewer than a dense layer’s, the second {saving.by_sharing:,.0f} times fewer still."
)
chrome.definition(
    "A convolution slides a small array of weights, the kernel, over its input and writes down, at every "
    "position, the sum of weight times value, and a bias. A kernel is as deep as the input has channels, "
    "and each kernel makes one output channel. Networks do not flip the kernel, so strictly it is a "
    "cross-correlation.",
    heard="A convolution makes the image smaller, and so it needs fewer parameters.",
    instead="Its output need not be smaller: that depends on the kernel’s reach, the stride and the padding. "
    + saved,
)

# The playground -----------------------------------------------------------------------------------

chrome.section(
    "Slide a kernel",
    "Change a weight, the stride, the padding: the output follows. Point at a cell of the output to see "
    "what it is made of.",
)
image = here.digit.image
with chrome.controls("input"):
    names = {"patch": f"A patch of {here.digit.name}", "cells": "Cells typed in"}
    source = state.option("source", names, "patch", st.selectbox, "Input")
    size = state.integer("cells_a_side", 3, 14 if source == "patch" else 11, 8, "Cells a side")
    if source == "patch":
        corner = playground.liveliest(image, size)
        top = state.integer("top", 0, len(image) - size, corner[0], "First row")
        left = state.integer("left", 0, len(image) - size, corner[1], "First column")
        x = playground.patch(image, top, left, size)
        source_code = f"playground.patch(image, {top}, {left}, {size})"
if source == "cells":
    with st.expander("The input's cells", expanded=True):
        x = cells_editor.edit("typed", playground.example_cells(size), "Input", low=-999, high=999)
        source_code = f"np.array({x.tolist()}, np.float32)"
grid, choices = chrome.columns(2, 3)
with choices:
    with chrome.controls("kernel"):
        kernel_rows = state.integer("kernel_rows", 1, 5, 3, "Kernel rows")
        kernel_cols = state.integer("kernel_columns", 1, 5, 3, "Kernel columns")
        started = playground.starters(kernel_rows, kernel_cols)
        usual = "sobel x" if "sobel x" in started else "slope"
        keep_the_middle(started)
        start = state.option(
            "start", [*started, playground.CUSTOM], usual, st.selectbox, "Kernel", on_change=start_anew
        )
    with chrome.controls("steps"):
        stride = state.integer("stride", 1, 5, 1, "Stride")
        dilation = state.integer("dilation", 1, 4, 1, "Dilation")
        modes = {"valid": "valid: none", "same": "same", "explicit": "explicit: each side"}
        mode = state.option("padding", modes, "same", st.selectbox, "Padding")
    padding: str | tuple = mode
    if mode == "explicit":
        with chrome.controls("sides"):
            ends = ("top", "bottom", "left", "right")
            sides = [state.integer(f"pad_{end}", 0, 5, 1, end.capitalize()) for end in ends]
        padding = (tuple(sides[:2]), tuple(sides[2:]))
    with chrome.controls("direction"):
        turned = state.toggle("flip", False, "Flip the kernel: true convolution")
        back = state.toggle("transposed", False, "Run it backwards: transposed")
        letters = state.toggle("letters", False, "Letters for numbers")
with grid:
    usual_cells = started.get(start, started[usual])
    kernel = cells_editor.edit("kernel", usual_cells, "Kernel: type new weights", low=-99, high=99, step=0.1)
    st.session_state[SHOWN] = kernel
used = playground.flipped(kernel) if turned else kernel
setting: dict[str, Any] = {"strides": stride, "padding": padding, "dilation_rate": dilation}
geometry: Window | None = None
try:
    geometry = window(x.shape, used.shape, (stride, stride), padding, (dilation, dilation))
except ValueError as error:
    st.warning(f"This does not fit: {plain(error)}.")
if geometry is not None:
    pixels = source == "patch"
    if back:
        y = ops.conv2d(x, used[:, :, None, None], **setting)
        undone = playground.backwards(geometry)
        player.show(
            "step",
            "conv2d_transpose",
            "The transposed convolution, step by step",
            "Each cell of the small map, times the kernel, is added where the window lay that it came from. "
            "The size comes back; the values do not.",
            x=y,
            kernel=used,
            strides=stride,
            dilation_rate=dilation,
            symbolic=letters,
            **undone,
        )
        chrome.table(
            ["", "(outputs − 1) · stride + reach − cut off + added"],
            [
                (name, playground.transposed_formula(axis, extra))
                for name, axis, extra in zip(
                    ("rows", "columns"), geometry, undone["output_padding"], strict=True
                )
            ],
            name="transposed-size",
        )
    else:
        player.show(
            "step",
            "conv2d",
            "The convolution, step by step",
            "Dashed: padding, where zeros are read. "
            + ("The kernel is flipped, as mathematics has it. " if turned else "")
            + ("w11 is the first weight of the flipped kernel. " if turned and letters else "")
            + "Pause under the pointer; a click on an output keeps its window.",
            x=x,
            kernel=used,
            pixels=pixels,
            symbolic=letters,
            **setting,
        )
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

chrome.section(
    "Where ‘same’ puts its zeros",
    "With ‘same’, the output has as many cells as strides fit into the input, rounded up. What the windows "
    "then lack is added; an odd cell goes, in TensorFlow, to the bottom and the right.",
)
lengths = range(max(size - 2, 1), size + 4)
same = playground.same_padding(lengths, kernel_rows, stride, dilation)
strided = playground.same_padding(lengths, kernel_rows, 2, dilation)
only_strided = any(one.uneven for one in strided) and not any(one.uneven for one in same)
hint = " Both ends get the same here; with stride 2, not always." if only_strided else ""
chrome.table(
    ["input", "output", "zeros before", "zeros after", "both ends"],
    [
        (f"{one.size} cells", one.out, one.before, one.after, "uneven" if one.uneven else "equal")
        for one in same
    ],
    caption=f"Along rows: kernel {kernel_rows}, stride {stride}, dilation {dilation}.{hint}",
    mark=list(lengths).index(size),
    name="same-padding",
)
if geometry is not None:
    chrome.section(
        "Correlation and convolution",
        "The same kernel as networks slide it, and turned by half a circle, as the convolution of "
        "mathematics has it. A network that learns its kernels can do with either.",
    )
    chrome.show("correlation_and_convolution", "One scale for both outputs.", x=x, kernel=kernel, **setting)

# Several channels ---------------------------------------------------------------------------------

deep = {
    layer.name: layer
    for layer in here.network.layers
    if layer.is_convolution and np.shape(layer.weights["kernel"])[2] >= 4
}
chrome.section(
    "Several channels",
    "A plain convolution reads all channels for each output; in groups, an output reads its group’s only; "
    "a depthwise one reads a single channel. Four channels of a trained layer’s input, cut out, with its "
    "own weights.",
)
with chrome.controls("channels"):
    deep_name = state.option(
        "deep_layer", list(deep), next(iter(deep)), st.selectbox, "Layer that reads them"
    )
    kinds = {"plain": "Plain", "grouped": "Two groups", "depthwise": "Depthwise"}
    kind = state.option("kind", kinds, "plain", st.segmented_control, "Convolution")
example = cached.kept(playground.channel_example, here.run, here.network[deep_name], kind)
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
chrome.table(
    [deep_name, "weights", "multiply-adds"],
    [(name, cost.parameters, cost.multiply_adds) for name, cost in playground.cost_by_kind(deep[deep_name])],
    caption="Had the whole layer been built that way, without biases.",
    name="groups",
)

# The trained network ------------------------------------------------------------------------------

convolutions = {layer.name: layer for layer in here.network.layers if layer.is_convolution}
chrome.section(
    "One number of a trained layer",
    "Pick a layer, one of its kernels and a place. What the kernel reads there, times its weights, gives "
    "the number in the outlined cell.",
)
with chrome.controls("cell"):
    name = state.option("layer", list(convolutions), next(iter(convolutions)), st.selectbox, "Layer")
    layer = convolutions[name]
    before = here.run.pre_activation(name)[0]
    rows, cols, filters = before.shape
    channel = state.integer("channel", 0, filters - 1, min(3, filters - 1), "Kernel")
    peak = figures.strongest(before[:, :, channel])
    row = state.integer("row", 0, rows - 1, peak[0], "Row")
    col = state.integer("column", 0, cols - 1, peak[1], "Column")
bias = float(layer.weights["bias"][channel]) if "bias" in layer.weights else 0.0
after = (
    f", which {layer.activation} turns into {here.run[name][0, row, col, channel]:.4g}"
    if layer.activation
    else ""
)
chrome.show(
    "convolution_step",
    f"{name}, kernel {channel}, row {row}, column {col}: {before[row, col, channel]:.4g}{after}. The same "
    "weights are used at every position.",
    x=here.run.inputs(name)[0],
    kernel=layer.weights["kernel"][:, :, :, channel],
    bias=bias,
    row=row,
    col=col,
    output=before[:, :, channel],
    strides=layer.config["strides"],
    padding=layer.config["padding"],
    dilation_rate=layer.config["dilation_rate"],
    pixels=layer.inputs[0] in here.network.inputs,
)
along = padding if isinstance(padding, str) else padding[0]
asked = [questions.output_size(len(image), kernel_rows, stride=stride, padding=along, dilation=dilation)]
if geometry is not None and back:
    asked.append(questions.transposed_size(x, used, **setting))
elif mode == "same":
    asked.append(questions.same_sides(len(image), kernel_rows, stride, dilation))
else:
    asked.append(questions.parameters(layer))
question_widget.ask(*asked)
snippets.show(
    f"""
    import cnnviz
    import numpy as np
    from cnnviz import animate, ops
    from cnnviz.concepts import playground

    image = {here.digit.code}
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

    net = cnnviz.load_model({quoted(here.model)})
    run = net.run(image)
    layer = net[{quoted(name)}]
    y = ops.conv2d(
        run.inputs({quoted(name)})[0], layer.weights["kernel"], layer.weights.get("bias"),
        strides={layer.config["strides"]}, padding={layer.config["padding"]!r},
        dilation_rate={layer.config["dilation_rate"]},
    )
    print(y[0, {row}, {col}, {channel}], run.pre_activation({quoted(name)})[0, {row}, {col}, {channel}])
    example = playground.channel_example(run, net[{quoted(deep_name)}], {kind!r})
    print(example.channels, example.kernel.shape)
    """
)
