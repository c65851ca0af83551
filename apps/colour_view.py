"""A photograph's three planes and the map that three weights make of them, answered in the browser.

The photograph goes down once, as bytes; weights, pixel and ReLU that the learner keeps are in the URL.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import state
import streamlit as st
from components import component
from surroundings import surroundings

from cnnviz import kernels
from cnnviz.colours import for_browser
from cnnviz.images.array_text import array_from_text, array_to_text

_COLOUR = component("colour")
PRESETS = {
    "as bright as it looks": tuple(float(weight) for weight in kernels.LUMA),
    "all alike": (0.33, 0.33, 0.33),
    "red, less the others": (1.0, -0.5, -0.5),
    "blue alone": (0.0, 0.0, 1.0),
}
"""Weights by name; the first is what a page opens with."""


@dataclass(frozen=True)
class Mixed:
    """What the learner keeps: three weights, whether a ReLU follows, and a pixel."""

    weights: tuple[float, ...]
    relu: bool
    row: int
    col: int


def show() -> Mixed:
    """The planes, their weights and what comes of them; what the learner keeps."""
    photograph = kernels.colour_photograph()
    rows, cols, _ = photograph.shape
    # There the planes differ most.
    reddest = np.unravel_index((photograph @ np.array([2, -1, -1])).argmax(), (rows, cols))
    kept = Mixed(
        _weights(state.text("mix", _text(next(iter(PRESETS.values()))), _fits)),
        state.text("relu", "0", lambda text: text in ("0", "1")) == "1",
        state.place("y", rows, int(reddest[0])),
        state.place("x", cols, int(reddest[1])),
    )

    def keep() -> None:
        told = st.session_state["colour"].kept
        if not isinstance(told, Mapping):
            return
        weights = told.get("weights")
        # A number of any size, or none, may come from a browser.
        if isinstance(weights, list) and len(weights) == 3 and all(map(_is_weight, weights)):
            state.put("mix", _text(weights))
        for name, short, limit in (("y", "row", rows), ("x", "col", cols)):
            if state.is_place(told.get(short), limit):
                state.put(name, told[short])
        state.put("relu", "1" if told.get("relu") is True else "0")

    theme = surroundings()["theme"]
    _COLOUR(
        key="colour",
        data={
            "key": theme,
            "rows": rows,
            "cols": cols,
            "photograph": base64.b64encode(photograph.tobytes()).decode(),
            "kept": {
                "weights": list(kept.weights),
                "row": kept.row,
                "col": kept.col,
                "relu": kept.relu,
            },
            "presets": {name: list(weights) for name, weights in PRESETS.items()},
            **for_browser(theme),
            "theme": theme,
        },
        on_kept_change=keep,
    )
    return kept


def _text(weights: tuple[float, ...] | list[float]) -> str:
    return array_to_text(np.array([weights], float))


def _weights(text: str) -> tuple[float, ...]:
    return tuple(float(one) for one in array_from_text(text, np.float64)[0])


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1


def _fits(text: str) -> bool:
    try:
        cells = array_from_text(text, np.float64)
    except ValueError:
        return False
    return cells.shape == (1, 3) and bool(np.abs(cells).max() <= 1)
