"""Why convolution: maps that move with the digit, and the weights that locality and sharing save."""

from functools import partial

import cached
import chrome
import lesson
import moving_view
import numpy as np
import question_widget
import snippets
import state
import streamlit as st
from lesson import Aspect
from plain import plain

from cnnviz import figures
from cnnviz.concepts.translation import MovedMaps, Translation
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


def moved() -> None:
    """The digit to be dragged; what that does to a layer's maps, to all layers, and to the answer."""
    taken, seen = chrome.columns(1, 3)
    with taken:
        move = moving_view.show(here, REACH)
    with seen:
        lesson.aspects(
            "follows",
            "What the move does to",
            {
                "maps": Aspect("One layer", partial(to_maps, *move), ("layer", "channel", "padded")),
                "layers": Aspect("All layers", partial(to_layers, *move)),
                "answer": Aspect("The answer", partial(to_the_answer, *move)),
            },
        )


def compared(rows: int, cols: int) -> tuple[Translation, bool]:
    """The layers' maps before and after a move, and whether all convolutions pad with zeros."""
    padded = state.toggle(
        "padded",
        False,
        "Pad with zeros",
        help="The same weights, with 'same' padding in every convolution, as far as there are maps",
    )
    code.append(
        f"""
        found = compare_shift({"padded_with_zeros(net)" if padded else "net"}, image, {rows}, {cols})
        for name, maps in found.items():
            print(name, maps.cells, maps.error, maps.error_inside)
        """
    )
    return cached.moved(here.which, here.digit, rows, cols, padded), padded


def layers_of(found: Translation) -> list[str]:
    """The image and the layers that change what they read."""
    return [layer for layer in found if layer in net.inputs or not net[layer].passes_on]


def to_maps(rows: int, cols: int) -> None:
    """A layer's map of the digit and of the moved digit."""
    with chrome.controls("move"):
        layers = st.container(horizontal=True, width="content")
        found, padded = compared(rows, cols)
    names = layers_of(found)
    with layers:
        name = state.option("layer", names, names[1], st.selectbox, "Layer")
        maps = found[name]
        strongest = figures.strongest_channel(maps.before)
        channel = state.integer("channel", 0, maps.before.shape[2] - 1, strongest, "Channel")
    chrome.show(
        "moved_maps",
        f"{name}, channel {channel}. {verdict_on(maps, padded)}"
        + (" Grey cells came in over the border." if rows or cols else ""),
        share=0.75,
        maps=maps,
        channel=channel,
        pixels=name in net.inputs,
    )
    code.append(f"figures.moved_maps(found[{quoted(name)}], {channel})")


def to_layers(rows: int, cols: int) -> None:
    """The error of every layer."""
    with chrome.controls("move"):
        found, padded = compared(rows, cols)
    names = layers_of(found)
    errors = [found[layer].error for layer in names]
    chrome.show(
        "bars",
        "The error: the root mean square of the difference over that of the maps."
        + (" Padded with zeros, maps also hold a border that does not move along." if padded else ""),
        share=0.75,
        limit=520,
        values=[error or 0.0 for error in errors],
        labels=names,
        texts=["no cell left" if error is None else percent(error, 1) for error in errors],
    )


MOVES = range(-REACH, REACH + 1)


def to_the_answer(rows: int, cols: int) -> None:
    """What the network says of the moved digit, and at every other place."""
    found = cached.moved(here.which, here.digit, rows, cols)
    after = found.after.output[0]
    says = "still" if after.argmax() == here.predicted else "now"
    moved_it = f"; moved, it {says} says {after.argmax()}" if rows or cols else ""
    st.markdown(
        f"Where it was, {plain(here.model)} took it for {here.predicted} with "
        f"{probability(here.run.output[0][here.predicted])}{moved_it}."
        + (f" {percent(found.lost, 0)} of the ink went over the border." if found.lost > 0.001 else "")
    )
    everywhere = cached.predictions_over_shifts(here.which, here.digit, REACH)[:, :, here.predicted]
    chrome.pick(
        "shift_map",
        f"The probability of {here.predicted} for every move up to {REACH} pixels; the middle is where "
        "the digit was. Click a move to take it there. The network was trained on digits near the middle.",
        [
            f"{down} down, {right} right: {probability(everywhere[down + REACH, right + REACH])}"
            for down in MOVES
            for right in MOVES
        ],
        (rows + REACH) * len(MOVES) + cols + REACH,
        move_to,
        share=0.75,
        limit=330,
        values=everywhere,
        rows=rows,
        cols=cols,
        title=f"probability of {here.predicted}",
    )
    code.append(f"print(net.predict(shift(image, {rows}, {cols})))")


def move_to(number: int) -> None:
    """Take the digit to a place of the map of all moves."""
    down, right = divmod(number, len(MOVES))
    state.put("rows", down - REACH)
    state.put("columns", right - REACH)


def verdict_on(maps: MovedMaps, padded: bool) -> str:
    """How far a layer's maps moved along, in a sentence or two."""
    if maps.error is None:
        return "Nothing of the map is left to compare."
    down, right = (general(float(moved), 6) for moved in maps.moved)
    words = f"The move is {down} down and {right} right in cells of this layer"
    if not maps.whole:
        return (
            f"{words}, which is no whole number: between two cells there is nothing. Against the nearest "
            f"whole move the error is {percent(maps.error, 1)}."
        )
    words += f". Error over the cells that stay: {percent(maps.error, 1)}."
    if maps.error_inside is not None and padded:
        words += f" Where no border is seen, before or after: {percent(maps.error_inside, 1)}."
    return words


def as_a_dense_layer() -> None:
    """A small convolution written as a dense layer's matrix."""
    words, picture = chrome.columns(1, 3)
    kernels = net[convolutions[0]].weights["kernel"][:, :, 0]
    side = max(6, *kernels.shape[:2])
    patch = busiest_patch(here.run.input[0, :, :, 0], side)
    with words:
        st.markdown(
            "On a few pixels the dense layer that does the same can be drawn. Each line holds the weights of "
            "one output: the kernel's numbers where it looks, 0 elsewhere, and the same in every line, only "
            "moved."
        )
        best = figures.strongest_channel(here.run[convolutions[0]][0])
        chosen = state.integer("kernel", 0, kernels.shape[2] - 1, best, f"Kernel of {convolutions[0]}")
    kernel = kernels[:, :, chosen]
    matrix = convolution_matrix(kernel, patch.shape)
    line = state.place("output", matrix.matrix.shape[1], 0)
    difference = difference_from_dense(patch, kernel)
    equal = f"numbers that differ by {number(difference)} at most" if difference else "the same numbers"
    with picture:
        chrome.pick(
            "weight_matrix",
            f"A part of {here.digit.name}, {len(patch)} × {len(patch[0])} pixels. Pick a number of the "
            f"output to see its line. Of {matrix.matrix.size} weights {matrix.connected} need not be 0, and "
            f"they have {kernel.size} values. Dense layer and convolution give {equal}.",
            [f"Output row {row}, column {col}" for row, col in np.ndindex(matrix.output_size)],
            line,
            lambda place: state.put("output", place),
            share=0.75,
            x=patch,
            kernel=kernel,
            output=line,
        )
    code.append(
        f"""
        patch = busiest_patch({"image / 255" if here.shows_a_digit else "image[:, :, 0]"}, {side})
        kernel = net[{quoted(convolutions[0])}].weights["kernel"][:, :, 0, {chosen}]
        found = convolution_matrix(kernel, patch.shape)
        print(found.matrix[:, {line}].reshape(patch.shape))
        print(ops.dense(patch.reshape(1, -1), found.matrix).reshape(found.output_size))
        print(ops.conv2d(patch, kernel[:, :, None, None]))
        """
    )


def what_is_saved() -> None:
    """Every convolution's weights beside those of the layers that it is not."""
    st.markdown(
        f"Weights of {plain(here.model)}'s convolutions, biases aside: of a dense layer between the same "
        "numbers, with each output looking at its neighbourhood only (local), and with all positions "
        "sharing (convolution)."
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
        caption="The last two columns say how many times fewer weights locality and sharing leave. A layer "
        "whose output is a single cell sees everything at once: nothing is left to share.",
        name="weights",
    )
    code.append(
        """
        for layer in net.layers:
            if layer.is_convolution:
                print(layer.name, connections(layer))
        """
    )


here = lesson.begin("why_convolution", tool="move")
net = here.network
convolutions = [layer.name for layer in net.layers if layer.is_convolution]
code = [
    f"""
    import cnnviz
    from cnnviz import figures, ops
    from cnnviz.concepts.translation import compare_shift, padded_with_zeros, shift
    from cnnviz.concepts.weight_sharing import busiest_patch, connections, convolution_matrix

    image = {here.digit.code}
    net = cnnviz.load_model({quoted(here.model)})
    print(net.predict(image), net.predict(shift(image, 0, 2)))
    """
]
# The last convolution whose maps have room for the move.
roomy = [layer for layer in convolutions if (net[layer].output_shape[0] or 0) > 6]
question_widget.ask(
    partial(questions.how_far_a_map_moves, net, (roomy or convolutions)[-1]),
    partial(questions.weights_for_larger_images, net[convolutions[0]]),
)
lesson.closer(
    "moved",
    "How exactly do the maps move along?",
    moved,
    asks=("rows", "columns", "padded", "layer", "channel", "follows"),
)
lesson.closer_in_aspects(
    "weights",
    "A dense layer with most weights 0, and the rest the same",
    "Look at its weights",
    {
        "dense": Aspect("As a matrix", as_a_dense_layer, ("kernel", "output")),
        "saved": Aspect("Counted, layer by layer", what_is_saved),
    },
)
snippets.show(*code)
chrome.half_truth(
    "A convolutional network does not care where in the image something is.",
    "Its convolutions move their answer along with the thing (they are equivariant). Strides and borders "
    "break that, and what comes last, the scores, may change when the digit moves.",
)
