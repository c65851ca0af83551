"""An animation on a page: played, stepped through, pointed at and saved as a GIF in the browser.

It opens at a telling step; the step that was chosen last is in the URL.
"""

from __future__ import annotations

from typing import Any

import cached
import state
import streamlit as st
from components import component
from surroundings import surroundings

_WALK = component("walk")


def show(name: str, operation: str, label: str, caption: str = "", **arguments: Any) -> None:
    """An animation of `cnnviz.animate`, by its function and arguments.

    `name` is the URL's parameter for the step. ValueError as the operation's.
    """
    animation, scene = cached.animation(operation, theme=surroundings()["theme"], **arguments)
    last, start = len(animation) - 1, animation.walk.telling
    step = state.place(name, last + 1, start)
    key = f"walk.{name}"

    def take() -> None:
        chosen = st.session_state[key].step
        if state.is_place(chosen, last + 1):
            state.put(name, chosen)

    _WALK(
        key=key,
        data={
            "scene": scene,
            "start": start,
            "step": step if step != start else None,
            "label": label,
            "caption": caption,
        },
        on_step_change=take,
    )
