"""What a lesson's page is made of: the stage with its walk, and what is looked at more closely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import header
import state
import streamlit as st
from chosen_digit import choose_shown
from glossary_words import explained
from plain import plain

from cnnviz.stage import guided_walk
from cnnviz.teaching.course import walk_of
from cnnviz.teaching.lesson_needs import lack_for
from cnnviz.teaching.lessons import LESSONS


def begin(name: str, *, opens: bool = True, saved: bool = False, tool: str = "look") -> header.Current:
    """The stage, which offers the lesson's walk and opens with it; then what the rest of the page shows.

    A network that somebody has open gives way to mnist_14k, which is said, on the whole page where neither
    the walk nor the rest suits it, and below the stage where the rest does not; where the walk alone does
    not, it is left out. `saved` is for a page whose parts are about the saved network; the stage has the
    learner's weights. `tool` is what a press on the image does at first: "look", "paint", "erase" or "move".
    """
    _stage(name, opens=opens, tool=tool)
    return header.current(saved=saved, what="What follows shows")


def walk_closer(name: str, label: str) -> None:
    """The stage with the lesson's walk, folded: for a page that begins with a tool of its own."""
    closer("walk", label, lambda: _stage(name), asks=("view",))


def _stage(name: str, *, opens: bool = True, tool: str = "look") -> None:
    """The stage; a network of the user's own that the walk does not suit gives way to mnist_14k."""
    here, walk = header.chosen(), walk_of(LESSONS[name])
    lack = lack_for(walk, here.run) if here.opened is not None and walk is not None and opens else ""
    if lack and header.lack(here):
        here, lack = header.instead_of(here, lack), ""
    if lack:
        st.info(plain(f"Here are no steps to follow beside the stage: {here.model} lacks {lack}."))
        walk = None
    here.live_view(
        choose=choose_shown,
        change=header.change,
        walks=[walk] if walk else [],
        walk=walk if opens else None,
        tool=tool,
    )


def suits(here: header.Current, name: str) -> bool:
    """Whether the network has what the lesson's walk speaks of."""
    walk = walk_of(LESSONS[name])
    return walk is not None and guided_walk.suits(walk, here.run)


def idea(words: str) -> None:
    """What a page or a part is about, in a sentence or two; plain, as names stand in it."""
    st.markdown(explained(plain(words)))


def closer(name: str, label: str, draw: Callable[[], Any], *, asks: tuple[str, ...] = ()) -> None:
    """A part that only some want to see: it is worked out once it is opened.

    `asks` are parameters of what is in it: a link that has one of them opens it.
    """
    place = state.section(name, label, opens=state.asks(*asks))
    if place is not None:
        with place:
            draw()


class Aspect(NamedTuple):
    """One of several things to see in one place: its label, what draws it, parameters of what is in it."""

    label: str
    draw: Callable[[], Any]
    asks: tuple[str, ...] = ()


def aspects(name: str, label: str, parts: Mapping[str, Aspect]) -> Any:
    """Parts of which one is shown at a time, and worked out once it is chosen; what its drawing returns.

    `name` is the parameter that chooses. A link that asks for what is in one of them shows that.
    """
    if not state.asks(name):
        for key, part in parts.items():
            if state.asks(*part.asks):
                state.settle(name, key)
    words = {key: part.label for key, part in parts.items()}
    return parts[state.option(name, words, next(iter(parts)), st.segmented_control, label)].draw()


def all_asks(parts: Mapping[str, Aspect]) -> tuple[str, ...]:
    """All parameters of some parts, for the `closer` that holds them."""
    return tuple(dict.fromkeys(each for part in parts.values() for each in part.asks))
