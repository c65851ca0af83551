"""What a lesson's page is made of: the stage with its walk, and what is looked at more closely."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import header
import state
from chosen_digit import choose_shown

from cnnviz.teaching.course import walk_of
from cnnviz.teaching.lessons import LESSONS


def begin(name: str, *, opens: bool = True, saved: bool = False, tool: str = "look") -> header.Current:
    """The stage, which offers the lesson's walk and opens with it, where the network has its subject.

    `saved` is for a page whose parts are about the saved network; the stage has the learner's weights.
    `tool` is what a press on the image does at first: "look", "paint", "erase" or "move".
    """
    here = header.current(saved=saved)
    walk = walk_of(LESSONS[name])
    header.chosen().live_view(
        choose=choose_shown,
        change=header.change,
        walks=[walk] if walk else [],
        walk=walk if opens else None,
        tool=tool,
    )
    return here


def walk_closer(name: str, label: str) -> None:
    """The stage with the lesson's walk, folded: for a page that begins with a tool of its own."""
    closer("walk", label, lambda: begin(name), asks=("view",))


def closer(name: str, label: str, draw: Callable[[], Any], *, asks: tuple[str, ...] = ()) -> None:
    """A part that only some want to see: it is worked out once it is opened.

    `asks` are parameters of what is in it: a link that has one of them opens it.
    """
    place = state.section(name, label, opens=state.asks(*asks))
    if place is not None:
        with place:
            draw()
