"""3x3: why small kernels are stacked, and what the first layer's respond to."""

import cached
import chrome
import header
import question_widget
import snippets
import state
import streamlit as st
from chosen_digit import test_digits

from cnnviz import channels, kernels, receptive_field
from cnnviz.figures import strongest_channel
from cnnviz.layers.layer import quoted
from cnnviz.numbers import counted, signed_number
from cnnviz.teaching.questions import three_by_three as questions

here = header.current()
fields = cached.kept(receptive_field, here.network)
convolutions = [layer for layer in here.network.layers if layer.is_convolution]
small = [layer for layer in convolutions if layer.config["kernel_size"] == (3, 3)]
last = small[-1]
chrome.definition(
    "A 3×3 kernel is the smallest that has a middle and a neighbour on every side. Two such layers, one "
    "on the other, see 5×5 cells, three see 7×7. They do it with fewer weights than one large kernel, and "
    "with an activation after each.",
    heard="A 3×3 kernel sees three by three pixels, so it can only find small things.",
    instead=f"It reads 3×3 cells of its own input, and those have seen more. One cell of {last.name} "
    f"depends on {fields[last.name].size[0]}×{fields[last.name].size[1]} pixels of the image.",
)
widths = sorted({layer.output_shape[2] for layer in small})
chrome.section(
    "A stack against one large kernel",
    "Both see equally far. What differs is on how many paths a pixel reaches the unit on top. Through the "
    "stack there are many from the middle and few from the rim; through the one large kernel every pixel "
    "has exactly one path.",
)
with chrome.controls("stack"):
    depth = state.integer("depth", 1, 6, 3, "Layers in the stack", st.slider)
    width = state.option("width", widths, widths[0], st.segmented_control, "Channels")
chrome.show(
    "stacked_fields",
    "Each layer reads 3×3 cells of the one to its left; between two of them stands an activation.",
    depth=depth,
)
side = small[0].output_shape[0]
comparisons = {k: channels.stack_of_3x3(k, width, side) for k in range(1, 7)}
chrome.table(
    [
        "stack",
        "sees",
        "parameters, stack",
        "parameters, one kernel",
        "one kernel over stack",
        "multiply-adds, stack",
        "multiply-adds, one kernel",
    ],
    [
        (
            f"{k} × 3×3",
            "×".join(map(str, kernels.stack_paths(k).shape)),
            costs.other.parameters,
            costs.direct.parameters,
            f"{costs.saving[0]:.2f}",
            costs.other.multiply_adds,
            costs.direct.multiply_adds,
        )
        for k, costs in comparisons.items()
    ],
    caption=f"Layers of {counted(width, 'channel')}, as {here.model} has them, on maps of "
    f"{side} × {side} cells, with biases and 'same' padding. The one kernel is as large as what the stack "
    "sees; above 1 the stack has fewer.",
    mark=depth - 1,
    name="stacks",
)
first = small[0]
chrome.section(
    f"What the kernels of {first.name} respond to",
    "The first layer reads pixels, so its kernels can be understood by looking. Beside each stands the part "
    "of all 10,000 test digits that it answers to most, and its gain for waves: uniform grey in the middle, "
    "the finest stripes at the rim. Pick one to look closer.",
)
weights = first.weights["kernel"][:, :, 0]
patches = cached.exciting_patches(here.model, first.name)
answers = here.run.pre_activation(first.name)[0]
channel = state.integer("channel", 0, weights.shape[2] - 1, strongest_channel(answers), "Kernel")
chrome.pick(
    "kernel_portraits",
    "Under each: the direction in which its strongest wave runs (0° to the right, 90° down) and how many of "
    "its periods go into a pixel, or “one brightness” if plain grey comes through most; then its largest "
    "answer, of the largest that pixels from 0 to 1 allow.",
    [f"kernel {patch.kernel}" for patch in patches],
    channel,
    lambda number: state.put("channel", number),
    kernels=weights,
    patches=patches,
)
best = patches[channel]
bias = float(first.weights["bias"][channel]) if "bias" in first.weights else 0.0
left, right = chrome.columns(1, 1)
with left:
    st.subheader("Where it was found", anchor=False)
    chrome.show(
        "image_of",
        f"Test digit {best.image:,}, rows {best.row} to {best.bottom}, columns {best.col} to {best.right}.",
        share=0.5,
        limit=280,
        pixels=test_digits()[0][best.image],
        box=((best.row, best.bottom), (best.col, best.right)),
    )
with right:
    st.subheader(f"Its answer to {here.digit.name}", anchor=False)
    chrome.show(
        "single_map",
        f"Before the activation. Every number holds the kernel’s bias, {signed_number(bias)}, which is its "
        "answer to blank paper: it is larger where the image is like the kernel, and smaller where like "
        "its negative.",
        share=0.5,
        limit=280,
        values=answers[:, :, channel],
    )
chrome.section("All answers to this digit", "Before the activation, on one scale.")
chrome.show("feature_maps", maps=answers, selected=channel)
asked = max(depth, 2)  # Of a single layer there is nothing to be asked.
question_widget.ask(
    questions.how_far_a_stack_sees(asked, 5), questions.saving_with_more_channels(asked, width)
)
snippets.show(
    f"""
    import cnnviz
    from cnnviz import channels, figures, kernels

    found = channels.stack_of_3x3({depth}, {width}, {side})
    print(found.other, found.direct, found.saving)
    print(kernels.stack_paths({depth}))
    net = cnnviz.load_model({quoted(here.model)})
    print(cnnviz.receptive_field(net))
    weights = net[{quoted(first.name)}].weights["kernel"]
    patches = kernels.exciting_patches(weights, cnnviz.load_mnist()[1][0])
    for patch in patches:
        print(patch.kernel, patch.image, patch.row, patch.col, patch.response, patch.possible)
    figures.kernel_portraits(weights[:, :, 0], patches)
    """
)
