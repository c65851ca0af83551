"""What a page is drawn in: how wide its column is, and the theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from components import component

WIDTHS = (328, 460, 640, 800, 960)
"""Widths at which figures are drawn, in pixels at the usual type size."""

_SURROUNDINGS = component("surroundings")


def surroundings() -> dict[str, Any]:
    """How wide the page's column is, of `WIDTHS`, and the theme: what the browser told."""
    return st.session_state.get("surroundings", {"width": WIDTHS[-1], "theme": "light"})


def look_around() -> bool:
    """Ask the browser, whose answer comes with a rerun; whether it has answered, this time or before."""
    around, known = surroundings(), "surroundings" in st.session_state
    answer = _SURROUNDINGS(
        key="surroundings.component",
        data={
            "width": around["width"] if known else 0,
            "dark": around["theme"] == "dark",
            "widths": list(WIDTHS),
        },
        on_told_change=lambda: None,
    )
    told = getattr(answer, "told", None)
    # A test without a browser has no theme, and nobody to ask.
    if not known and not isinstance(told, Mapping) and st.context.theme.type is not None:
        return False
    if isinstance(told, Mapping):
        width, dark = told.get("width"), told.get("dark")
        around = {"width": width if width in WIDTHS else WIDTHS[-1], "theme": "dark" if dark else "light"}
    st.session_state["surroundings"] = around
    return True
