"""Pooling: max and average on real maps, window by window, and what a move of the image changes."""

from typing import Any

import cached
import chrome
import header
import player
import question_widget
import snippets
import state
import streamlit as st
from plain import plain

from cnnviz import figures
from cnnviz.concepts import downsampling as pooling
from cnnviz.concepts import playground
from cnnviz.layers.layer import quoted
from cnnviz.numbers import percent
from cnnviz.teaching.questions import pooling as questions

here = header.current()
chrome.definition(
    "Pooling goes over each map window by window and keeps one number of each: the largest, or the mean. It "
    "works on every channel by itself and learns nothing. Later layers then have fewer cells to look at, "
    "and each of their cells sees more of the image.",
    heard="Pooling makes a network blind to where something is.",
    instead="A move changes nothing only as long as each window's winner stays in it and no larger value "
    "comes in. A value that crosses a window's edge turns up in the next one. After a pooling by 2, a move "
    "by two cells is a move by one.",
)

# Side by side -------------------------------------------------------------------------------------

maps = pooling.map_layers(here.network)
chrome.section(
    "The largest and the mean",
    "A map of the network, and what both kinds make of it, on one scale. The marked cells win their window.",
)
with chrome.controls("map"):
    name = state.option("layer", maps, pooling.pooled_layer(here.network), st.selectbox, "Layer")
    values = here.run[name][0]
    channel = state.integer("channel", 0, values.shape[2] - 1, figures.strongest_channel(values), "Channel")
with chrome.controls("window"):
    window = state.integer("window", 1, 4, 2, "Window")
    stride = state.integer("stride", 1, 4, 2, "Stride")
    paddings = {"valid": "valid: none", "same": "same", "1": "1 on each side"}
    chosen = state.option("padding", paddings, "valid", st.selectbox, "Padding")
padding = ((1, 1), (1, 1)) if chosen == "1" else chosen
setting: dict[str, Any] = {"strides": stride, "padding": padding}
x = values[:, :, channel]
try:
    pooling.winners(x, window, **setting)
    fits = True
except ValueError as error:
    fits = False
    st.warning(f"This does not fit: {plain(error)}.")
if fits:
    chrome.show(
        "max_and_average",
        f"{name}, channel {channel}, of {here.digit.name}. Of several equal cells the first is marked.",
        x=x,
        pool_size=window,
        **setting,
    )

    # Window by window -----------------------------------------------------------------------------

    chrome.section(
        "Window by window",
        "The liveliest piece of that map. Padding is never counted: it cannot win, and the mean is over the "
        "cells that are there.",
    )
    with chrome.controls("kind"):
        kinds = {"max_pool2d": "Max", "avg_pool2d": "Average"}
        kind = state.option("kind", kinds, "max_pool2d", st.segmented_control, "Pooling")
    side = min(8, *x.shape)
    top, left = playground.liveliest(x, side)
    piece = playground.patch(x, top, left, side)
    player.show(
        "step",
        kind,
        f"{kinds[kind]} pooling, step by step",
        f"{name}, channel {channel}, {side} rows from {top}, {side} columns from {left}. The corner turned "
        "down marks the cell that wins."
        if kind == "max_pool2d"
        else f"{name}, channel {channel}, {side} rows from {top}, {side} columns from {left}.",
        x=piece,
        pool_size=window,
        **setting,
    )

# The network's own --------------------------------------------------------------------------------

chain = pooling.size_chain(here.network)
pooled = [k for k, part in enumerate(chain) if part.pools]
chrome.section(
    f"In {here.model}",
    "Convolutions without padding take a few cells off the border; a 1×1 convolution has no border to "
    "take off. A pooling divides rows and columns and leaves the channels as many as they were. Sizes and "
    "parameters are the model's.",
)
chrome.facts(("rows of the maps, layer by layer", " → ".join(str(part.size[0]) for part in chain)))
chrome.table(
    ["layer", "size", "channels", "parameters", "kind"],
    [
        (part.name, f"{part.size[0]} × {part.size[1]}", part.channels, part.parameters, part.kind)
        for part in chain
    ],
    caption="Layers that change the size of the maps or their number.",
    mark=pooled[0] if len(pooled) == 1 else None,
    name="sizes",
)

# A move -------------------------------------------------------------------------------------------

if fits:
    chrome.section(
        "Move the digit by a pixel",
        "The same map of the digit and of the moved digit, cell against cell: as it is, and pooled "
        "as above. The percentages are the root mean square of the difference over that of the map.",
    )
    with chrome.controls("move"):
        down = state.integer("down", -4, 4, 0, "Pixels down")
        right = state.integer("right", -4, 4, 1, "Pixels right")
    move = cached.pooled_move(here.which, here.digit, name, down, right, window, stride, padding)
    pairs = zip(("The map", "Max", "Average"), (move.maps, move.largest, move.mean), strict=True)
    chrome.show(
        "moved_and_pooled",
        f"{name}, channel {channel}. As long as a window's largest value stays in it, and no larger one "
        "comes in, its maximum is what it was; a value that crosses the window's edge turns up in the next.",
        share=1.0,
        limit=720,
        pairs=[(words, before[:, :, channel], after[:, :, channel]) for words, (before, after) in pairs],
    )
    chrome.facts(
        *(
            (f"{words}, all {values.shape[2]} channels, changed by", percent(change, 0))
            for words, change in zip(("the maps", "max-pooled", "average-pooled"), move.changes, strict=True)
        )
    )

# Questions ----------------------------------------------------------------------------------------

asked = []
if fits:
    telling = questions.telling_window(x, window, **setting)
    if telling is not None:
        ask = questions.average if kind == "max_pool2d" else questions.winner
        asked.append(ask(x, *telling, window, **setting))
pool_size, shown = (window, padding) if fits else (2, "valid")
# One cell more than the map that is shown, whose result stands above.
larger = x.shape[0] + 1, x.shape[1] + 1
asked.append(questions.output_size(larger, pool_size, strides=stride, padding=shown))
question_widget.ask(*asked)
more = ""
if fits:
    more = f"""
    piece = playground.patch(x, {top}, {left}, {side})
    steps = animate.{kind}(piece, {window}, strides={stride}, padding={padding!r})
    print(steps.words(0))
    move = pooling.pooled_move(
        net, image, {quoted(name)}, {down}, {right},
        pool_size={window}, strides={stride}, padding={padding!r},
    )
    print(move.changes)"""
snippets.show(
    f"""
    import cnnviz
    from cnnviz import animate, ops
    from cnnviz.concepts import downsampling as pooling
    from cnnviz.concepts import playground

    image = {here.digit.code}
    net = cnnviz.load_model({quoted(here.model)})
    x = net.run(image)[{quoted(name)}][0, :, :, {channel}]
    largest = ops.max_pool2d(x, {pool_size}, strides={stride}, padding={shown!r})
    mean = ops.avg_pool2d(x, {pool_size}, strides={stride}, padding={shown!r})
    print(largest.shape, largest.max(), mean.max())
    print([part.size[0] for part in pooling.size_chain(net)])
{more}
    """
)
