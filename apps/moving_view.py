"""The image as something to drag by whole pixels, in the browser; how far it was moved is in the URL."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np
import state
import streamlit as st
from components import component
from header import Current
from surroundings import surroundings

from cnnviz.colours import Scale, cell_colours, png
from cnnviz.network.colour_planes import picture_of

_MOVING = component("moving")


def show(here: Current, reach: int) -> tuple[int, int]:
    """The image to be dragged up to `reach` pixels; how far down and to the right it is now."""
    kept = {
        "down": state.place("rows", reach + 1, 0, -reach),
        "right": state.place("columns", reach + 1, 3, -reach),
    }

    def keep() -> None:
        told = st.session_state["moving"].kept
        told = told if isinstance(told, Mapping) else {}
        if all(state.is_place(told.get(way), reach + 1, -reach) for way in kept):
            for name, way in (("rows", "down"), ("columns", "right")):
                state.put(name, told[way])

    colours = _colours(here)
    _MOVING(
        key="moving",
        data={
            "picture": f"data:image/png;base64,{base64.b64encode(png(colours)).decode()}",
            "rows": colours.shape[0],
            "cols": colours.shape[1],
            "reach": reach,
            "kept": kept,
            "name": here.digit.title,
        },
        on_kept_change=keep,
    )
    return kept["down"], kept["right"]


def _colours(here: Current) -> np.ndarray:
    """What the network is given as the picture that it is, uint8 (H, W, 3)."""
    values, picture = here.run.input[0], picture_of(here.run)
    shown, scale = picture.drawn(values) if picture else (values[:, :, 0], Scale.of(values[:, :, 0]))
    if shown.ndim == 3:
        return np.rint(255 * shown).astype(np.uint8)
    return cell_colours(shown, scale, surroundings()["theme"])
