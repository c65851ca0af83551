"""What a lesson's page is made of: the stage with its walk, and what is looked at more closely."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import header
import state
from chosen_digit import choose_shown

from cnnviz.teaching.course import walk_of
from cnnviz.teaching.lesson_needs import lack_for
from cnnviz.teaching.lessons import LESSONS


def begin(name: str, *, opens: bool = True) -> header.Current:
    """The stage, which offers the lesson's walk and opens with it; then what the rest of the page shows.

    A network that somebody has open and that the walk does not suit gives way to mnist_14k, which is said.
    """
    here, walk = header.chosen(), walk_of(LESSONS[name])
    if here.opened is not None and walk is not None and opens:
        here = header.instead_of(here, lack_for(walk, here.run), "The stage shows")
    here.live_view(
        choose=choose_shown, change=header.change, walks=[walk] if walk else [], walk=walk if opens else None
    )
    return header.current()


def closer(name: str, label: str, draw: Callable[[], Any], *, asks: tuple[str, ...] = ()) -> None:
    """A part that only some want to see: it is worked out once it is opened.

    `asks` are parameters of what is in it: a link that has one of them opens it.
    """
    place = state.section(name, label, opens=state.asks(*asks))
    if place is not None:
        with place:
            draw()
