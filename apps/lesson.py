"""What a lesson's page is made of: the stage with its walk, what is looked at more closely, and its end."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import header
import state
import streamlit as st
from chosen_digit import choose_shown

from cnnviz.teaching.course import walk_of
from cnnviz.teaching.lessons import LESSONS


def begin(name: str, *, opens: bool = True) -> header.Current:
    """The stage, which offers the lesson's walk and opens with it, where the network has its subject."""
    here = header.current()
    walk = walk_of(LESSONS[name])
    here.live_view(
        choose=choose_shown, change=header.change, walks=[walk] if walk else [], walk=walk if opens else None
    )
    return here


def closer(name: str, label: str, draw: Callable[..., Any], *given: Any, asks: tuple[str, ...] = ()) -> None:
    """A part that only some want to see: it is worked out once it is opened.

    `asks` are parameters of what is in it: a link that has one of them opens it.
    """
    place = state.section(name, label, opens=state.asks(*asks))
    if place is not None:
        with place:
            draw(*given)


def end(heard: str, instead: str) -> None:
    """What can be said now: the half-truth that is often heard, and its correction."""
    st.html(
        f'<div class="half-truth"><p><b>Often heard</b> {html.escape(heard)}</p>'
        f"<p><b>In fact</b> {html.escape(instead)}</p></div>"
    )
