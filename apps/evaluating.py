"""What a network of the user's own calls a labelled folder: accuracy, confusions, the worst mistakes."""

from __future__ import annotations

import cached
import chrome
import header
import lesson
import state
import streamlit as st
from plain import plain

from cnnviz.network.confusion import Classification
from cnnviz.network.opened_network import OpenedNetwork
from cnnviz.numbers import counted, percent, probability
from cnnviz.numbers import number as written

LARGEST_MATRIX = 20
"""The confusions of more classes are listed, the commonest first."""


def show(here: header.Current) -> None:
    """The part of a page; there is none without labels."""
    own = here.opened
    if own is None or not own.labels or own.shows_digits:
        return
    lesson.closer("evaluation", f"On all {counted(len(own.examples), 'picture')}", lambda: _draw(own))


def _draw(own: OpenedNetwork) -> None:
    try:
        results = cached.evaluated(own)
    except (ValueError, MemoryError) as error:
        st.error(plain(f"The pictures were not measured: {error or 'it takes too much memory'}."))
        return
    if own.examples.said:
        st.caption(plain(own.examples.said))
    for output, result in results.items():
        names = own.classes.get(output) or [str(k) for k in range(result.classes)]
        of = f" of {output}" if len(results) > 1 else ""
        chrome.facts(
            (f"accuracy{of}", percent(result.accuracy)),
            ("right", f"{result.correct:,} of {result.images:,}"),
            *([("mean loss", f"{result.loss:.4f}")] if result.loss is not None else []),
        )
        _confusions(result, names)
        if result.worst:
            st.markdown("The mistakes in which a wrong class is furthest above the right one:")
        for one in result.worst:
            called = ", ".join(f"{names[k]} {_told(result, value)}" for k, value in one.ranked)
            st.button(
                plain(f"{own.examples.names[one.index]} is {names[one.label]}; called {called}"),
                key=f"mistake.{output}.{one.index}",
                on_click=_choose,
                args=(one.index,),
                help="Shows it on the stage",
            )
    for name, why in own.examples.skipped[:10]:
        st.caption(plain(f"{name} was left out: {why}"))


def _confusions(result: Classification, names: list[str]) -> None:
    if result.classes <= LARGEST_MATRIX:
        rows = [[names[k], *row] for k, row in enumerate(result.confusion.tolist())]
        caption = "Rows are what the pictures are, columns what they are called."
        chrome.table(["", *names], rows, caption=caption, name="confusion")
    elif pairs := result.most_confused(10):
        rows = [[names[a], names[b], count] for a, b, count in pairs]
        chrome.table(
            ["is", "called", "pictures"], rows, caption="The commonest confusions.", name="confusion"
        )


def _told(result: Classification, value: float) -> str:
    return f"({probability(value)})" if result.loss is not None else f"(score {written(value, 4)})"


def _choose(place: int) -> None:
    state.put("brought", "")
    state.put("picture", place)
