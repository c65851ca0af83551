"""Why convolution: maps that move with the digit, and the weights that locality and sharing save."""

import cached
import chrome
import header
import question_widget
import snippets
import state
import streamlit as st
from plain import plain

from cnnviz import figures
from cnnviz.concepts.translation import compare_shift, padded_with_zeros, predictions_over_shifts
from cnnviz.concepts.weight_sharing import (
    busiest_patch,
    connections,
    convolution_matrix,
    difference_from_dense,
)
from cnnviz.layers.layer import quoted
from cnnviz.numbers import general, number, percent, probability
from cnnviz.teaching.questions import why_convolution as questions

REACH = 8

here = header.current()
chrome.definition(
    "A dense layer has a weight for every pair of pixel and output. A convolution is a dense layer with two "
    "promises: each output looks at its neighbourhood only, and all positions use the same weights. So it "
    "needs few weights, and what it can find in one place it can find in every other.",
    heard="A convolutional network does not care where in the image something is.",
    instead="Its convolutions move their answer along with the thing (they are equivariant). Strides and "
    "borders break that, and what comes last, the scores, may change when the digit moves.",
)
net = here.network
chrome.section(
    "Move the digit",
    "A map of the moved digit should be the map of the digit, moved. Where it is not, the difference shows.",
)
with chrome.controls("move"):
    rows = state.integer("rows", -REACH, REACH, 0, "Rows down", st.slider)
    cols = state.integer("columns", -REACH, REACH, 3, "Columns right", st.slider)
    padded = state.toggle(
        "padded",
        False,
        "Pad with zeros",
        help="The same weights, with 'same' padding in every convolution, as far as there are maps",
    )
moved = compare_shift(net, here.digit.image, rows, cols)
compared = moved
if padded:
    compared = compare_shift(cached.kept(padded_with_zeros, net), here.digit.image, rows, cols)
names = [name for name in compared if name in net.inputs or not net[name].passes_on]
with chrome.controls("map"):
    name = state.option("layer", names, names[1], st.selectbox, "Layer")
    maps = compared[name]
    channel = state.integer(
        "channel", 0, maps.before.shape[2] - 1, figures.strongest_channel(maps.before), "Channel"
    )
down, right = (general(float(moved), 6) for moved in maps.moved)
move = f"{down} down and {right} right"
if maps.error is None:
    verdict = "Nothing of the map is left to compare."
elif maps.whole:
    verdict = f"The move is {move} in cells of this layer. Error over the cells that stay: "
    verdict += f"{percent(maps.error, 1)}."
    if maps.error_inside is not None and padded:
        verdict += f" Where no border is seen, before or after: {percent(maps.error_inside, 1)}."
else:
    verdict = (
        f"The move is {move} in cells of this layer, which is no whole number: between two cells there is "
        f"nothing. Against the nearest whole move the error is {percent(maps.error, 1)}."
    )
chrome.show(
    "moved_maps",
    f"{name}, channel {channel}. {verdict} Grey cells came in over the border.",
    maps=maps,
    channel=channel,
    pixels=name in net.inputs,
)
left, right = chrome.columns(1, 1)
with left:
    st.subheader("Layer by layer", anchor=False)
    st.markdown(
        "The error: the root mean square of the difference over that of the maps."
        + (" Padded with zeros, maps also hold a border that does not move along." if padded else "")
    )
    errors = [compared[layer].error for layer in names]
    chrome.show(
        "bars",
        share=0.5,
        values=[error or 0.0 for error in errors],
        labels=names,
        texts=["no cell left" if error is None else percent(error, 1) for error in errors],
        highlight=names.index(name),
    )
with right:
    st.subheader("And the prediction", anchor=False)
    after = moved.after.output[0]
    says = "still" if after.argmax() == here.predicted else "now"
    st.markdown(
        f"Where it was, {plain(here.model)} took it for {here.predicted} with "
        f"{probability(here.run.output[0][here.predicted])}; moved, it {says} says {after.argmax()}."
        + (f" {percent(moved.lost, 0)} of the ink went over the border." if moved.lost > 0.001 else "")
    )
    chrome.show("probabilities", share=0.5, values=after, label=here.label)
chrome.section(
    "Wherever it is",
    f"How sure the network is of {here.predicted}, for every move up to {REACH} pixels: the middle is where "
    "the digit is now.",
)
chrome.show(
    "shift_map",
    "It was trained on digits near the middle, and knows little of others.",
    limit=420,
    values=predictions_over_shifts(net, here.digit.image, REACH)[:, :, here.predicted],
    rows=rows,
    cols=cols,
    title=f"probability of {here.predicted}",
)
chrome.section(
    "A dense layer with most weights zero, and the rest the same",
    "On a few pixels the dense layer that does the same can be drawn. Each line holds the weights of one "
    "output: the kernel's numbers where it looks, 0 elsewhere, and the same in every line, only moved.",
)
convolutions = [layer.name for layer in net.layers if layer.is_convolution]
kernels = net[convolutions[0]].weights["kernel"][:, :, 0]
patch = busiest_patch(here.run.input[0, :, :, 0])
with chrome.controls("dense"):
    best = figures.strongest_channel(here.run[convolutions[0]][0])
    chosen = state.integer("kernel", 0, kernels.shape[2] - 1, best, f"Kernel of {convolutions[0]}")
    kernel = kernels[:, :, chosen]
    matrix = convolution_matrix(kernel, patch.shape)
    line = state.integer("output", 0, matrix.matrix.shape[1] - 1, 0, "Output", st.slider)
difference = difference_from_dense(patch, kernel)
equal = f"numbers that differ by {number(difference)} at most" if difference else "the same numbers"
chrome.show(
    "weight_matrix",
    f"A part of the digit, 6 × 6 pixels. Of {matrix.matrix.size} weights {matrix.connected} need not be 0, "
    f"and they have {kernel.size} values. Dense layer and convolution give {equal}.",
    x=patch,
    kernel=kernel,
    output=line,
)
chrome.section(
    "What the two promises save",
    f"Weights of {here.model}'s convolutions, biases aside: of a dense layer between the same numbers, with "
    "each output looking at its neighbourhood only (local), and with all positions sharing (convolution).",
)
counts = {layer: connections(net[layer]) for layer in convolutions}
chrome.table(
    ["layer", "dense", "local", "convolution", "dense / local", "local / convolution"],
    [
        (
            layer,
            count.dense,
            count.local,
            count.shared,
            f"{count.by_locality:,.0f}",
            f"{count.by_sharing:,.0f}",
        )
        for layer, count in counts.items()
    ],
    caption="The last two columns say how many times fewer weights locality and sharing leave. A layer whose "
    "output is a single cell sees everything at once: nothing is left to share.",
    name="weights",
)
# The layer that is shown, or the nearest before it whose maps have room for the move.
upto = names[: names.index(name) + 1]
roomy = [layer for layer in upto if compared[layer].before.shape[0] > 6] or names[:1]
question_widget.ask(
    questions.how_far_a_map_moves(net, roomy[-1]), questions.weights_for_larger_images(net[convolutions[0]])
)
snippets.show(
    f"""
    import cnnviz
    from cnnviz import figures, ops
    from cnnviz.concepts.translation import compare_shift, padded_with_zeros, shift
    from cnnviz.concepts.weight_sharing import busiest_patch, connections, convolution_matrix

    image = {here.digit.code}
    net = cnnviz.load_model({quoted(here.model)})
    found = compare_shift(net, image, {rows}, {cols})
    for name, maps in found.items():
        print(name, maps.cells, maps.error)
    at_the_border = compare_shift(padded_with_zeros(net), image, {rows}, {cols})
    for name, maps in at_the_border.items():
        print(name, maps.error, maps.error_inside)
    print(net.predict(shift(image, {rows}, {cols})))
    figures.moved_maps({"at_the_border" if padded else "found"}[{quoted(name)}], {channel})

    patch = busiest_patch(image / 255)
    kernel = net[{quoted(convolutions[0])}].weights["kernel"][:, :, 0, {chosen}]
    matrix = convolution_matrix(kernel, patch.shape).matrix
    print(matrix[:, {line}].reshape(patch.shape))
    print(ops.dense(patch.reshape(1, -1), matrix).reshape(4, 4))
    print(ops.conv2d(patch, kernel[:, :, None, None]))
    print(connections(net[{quoted(convolutions[0])}]))
    """
)
