"""Pooling: the largest of each window, on the stage; then max against mean, and what a move changes."""

from functools import partial
from typing import Any

import cached
import chrome
import lesson
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
from cnnviz.numbers import all_of, percent
from cnnviz.teaching.questions import pooling as questions

KINDS = {"max_pool2d": "Max", "avg_pool2d": "Average"}
PADDINGS = {"valid": "valid: none", "same": "same", "1": "1 on each side"}


def choose_setting() -> None:
    """Which map is pooled, and how: controls of the first part that is open, for both parts."""
    if shown:
        return
    with chrome.row("controls-map", gap="small"):
        name = state.option("layer", maps, own, st.selectbox, "Layer")
        values = here.run[name][0]
        strongest = figures.strongest_channel(values)
        channel = state.integer("channel", 0, values.shape[2] - 1, strongest, "Channel")
        window = state.integer("window", 1, 4, 2, "Window")
        stride = state.integer("stride", 1, 4, 2, "Stride")
        padding = state.option("padding", PADDINGS, "valid", st.selectbox, "Padding")
    setting = {"strides": stride, "padding": ((1, 1), (1, 1)) if padding == "1" else padding}
    shown.update(name=name, channel=channel, window=window, setting=setting, x=values[:, :, channel])
    try:
        pooling.winners(shown["x"], window, **setting)
    except ValueError as error:
        shown["refused"] = f"This does not fit: {plain(error)}."


def fits() -> bool:
    """Draw the controls, or none where they stand already; whether what they say can be done."""
    choose_setting()
    if "refused" in shown:
        st.warning(shown["refused"])
    return "refused" not in shown


def words() -> str:
    """The map that is pooled."""
    return f"{shown['name']}, channel {shown['channel']}"


def show_windows() -> None:
    """A map, what both kinds make of it, and its liveliest piece window by window."""
    if not fits():
        return
    x, window, setting = shown["x"], shown["window"], shown["setting"]
    whole, piece = chrome.columns(1, 1)
    with whole:
        chrome.show(
            "max_and_average",
            f"{words()}, of {here.digit.name}, on one scale. The marked cells win their window; of several "
            "equal cells the first is marked.",
            share=0.5,
            limit=330,
            x=x,
            pool_size=window,
            **setting,
        )
    with piece:
        kind = state.option("kind", KINDS, "max_pool2d", st.segmented_control, "Window by window")
        side = min(6, *x.shape)
        top, left = playground.liveliest(x, side)
        player.show(
            "step",
            kind,
            f"{KINDS[kind]} pooling, step by step",
            f"The liveliest piece: {side} rows from {top}, {side} columns from {left}. Padding is never "
            "counted: it cannot win, and a mean is over the cells that are there.",
            x=playground.patch(x, top, left, side),
            pool_size=window,
            **setting,
        )
    shown["steps"] = f"""
    piece = playground.patch(x, {top}, {left}, {side})
    steps = animate.{kind}(piece, {window}, {options()})
    print(steps.words(0))"""


def show_move() -> None:
    """The map of the digit and of the moved digit, as it is and pooled."""
    if not fits():
        return
    with chrome.controls("move"):
        down = state.integer("down", -4, 4, 0, "Pixels down")
        right = state.integer("right", -4, 4, 1, "Pixels right")
    name, channel, setting = shown["name"], shown["channel"], shown["setting"]
    move = cached.pooled_move(
        here.which, here.digit, name, down, right, shown["window"], setting["strides"], setting["padding"]
    )
    count = here.run[name].shape[-1]
    pairs = zip(("The map", "Max", "Average"), (move.maps, move.largest, move.mean), strict=True)
    left, right_column = chrome.columns(3, 2)
    with left:
        chrome.show(
            "moved_and_pooled",
            f"{words()}: the digit, the moved digit, and their difference.",
            share=0.6,
            limit=330,
            pairs=[(of, before[:, :, channel], after[:, :, channel]) for of, (before, after) in pairs],
        )
    with right_column:
        chrome.facts(
            *(
                (f"{of}, {all_of(count, 'channel')}, changed by", percent(change, 0))
                for of, change in zip(("the maps", "max-pooled", "average-pooled"), move.changes, strict=True)
            )
        )
        chrome.note(
            "The root mean square of the difference over that of the map. As long as a window’s largest "
            "value stays in it, and no larger one comes in, its maximum is what it was; a value that crosses "
            "the window’s edge turns up in the next."
        )
    shown["move"] = f"""
    move = pooling.pooled_move(
        net, image, {quoted(name)}, {down}, {right}, pool_size={shown["window"]}, {options()}
    )
    print(move.changes)"""


def show_sizes() -> None:
    """How large the network's maps are, layer by layer."""
    chain = pooling.size_chain(here.network)
    chrome.facts(
        ("rows of the maps, layer by layer", " → ".join(str(part.size[0]) for part in chain)),
        ("maps, layer by layer", " → ".join(str(part.channels) for part in chain)),
    )
    chrome.note(
        "Layers that change the size of the maps or their number. A pooling divides rows and columns and "
        "leaves the maps as many as they were; a convolution without padding takes its kernel’s size less "
        "one off."
    )


def options() -> str:
    """The setting as arguments of a call."""
    return ", ".join(f"{name}={value!r}" for name, value in shown["setting"].items())


here = lesson.begin("pooling")
maps, own = pooling.map_layers(here.network), pooling.pooled_layer(here.network)
shown: dict[str, Any] = {}
first = here.run[own][0][:, :, figures.strongest_channel(here.run[own][0])]
telling = questions.telling_window(first)
question_widget.ask(
    *([partial(questions.winner, first, *telling)] if telling else []),
    # One cell more than the map on the stage, whose result stands there.
    partial(questions.output_size, (first.shape[0] + 1, first.shape[1] + 1)),
)
SETTING = ("layer", "channel", "window", "stride", "padding")
lesson.closer(
    "windows", "The largest, or the mean, in other windows", show_windows, asks=(*SETTING, "kind", "step")
)
lesson.closer("move", "Move the digit by a pixel: what stays?", show_move, asks=("down", "right"))
lesson.closer("sizes", f"How the maps of {here.model} get smaller", show_sizes)
setting = shown.get("setting", {"strides": 2, "padding": "valid"})
name, channel = shown.get("name", own), shown.get("channel", figures.strongest_channel(here.run[own][0]))
fitting = "refused" not in shown and bool(shown)
window = shown["window"] if fitting else 2
arguments = options() if fitting else "strides=2, padding='valid'"
more = shown.get("steps", "") + shown.get("move", "")
snippets.show(
    f"""
    import cnnviz
    from cnnviz import animate, ops
    from cnnviz.concepts import downsampling as pooling
    from cnnviz.concepts import playground

    image = {here.digit.code}
    net = cnnviz.load_model({quoted(here.model)})
    x = net.run(image)[{quoted(name)}][0, :, :, {channel}]
    largest = ops.max_pool2d(x, {window}, {arguments})
    mean = ops.avg_pool2d(x, {window}, {arguments})
    print(largest.shape, largest.max(), mean.max())
    print([(part.size[0], part.channels) for part in pooling.size_chain(net)])
    {more}
    """
)
chrome.half_truth(
    "Pooling makes a network blind to where something is.",
    "A move changes nothing only as long as each window’s winner stays in it and no larger value comes in. "
    "A value that crosses a window’s edge turns up in the next one: after a pooling by 2, a move by two "
    "cells is a move by one.",
)
