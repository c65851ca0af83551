"""An activation function's curve, its slope and the numbers that go in: its point is dragged in the browser.

What it shows is worked out here, at every place where the point can stand; where it is kept is in the URL.
"""

from __future__ import annotations

import numpy as np
import state
import streamlit as st
from components import component, float32_text
from surroundings import surroundings

from cnnviz.colours import theme as theme_named
from cnnviz.concepts.saturation import flat_below, places_around
from cnnviz.layers.activations import Activation

_CURVE = component("curve")
BINS = 60


def show(key: str, layer: str, name: str, function: Activation, own: Activation, numbers: np.ndarray) -> None:
    """A function's curve over a layer's numbers, with its own dashed behind it where that is another.

    `key` says whose numbers they are. The point opens on the smallest of them.
    """
    places = places_around(numbers)
    lowest = int(np.abs(places - numbers.min()).argmin())
    place = state.place("at", len(places), lowest)

    def keep() -> None:
        told = st.session_state["curve"].kept
        if state.is_place(told, len(places)):
            state.put("at", told)

    theme = theme_named(surroundings()["theme"])
    # Zero is an edge, so that no bar holds both signs.
    edges = np.linspace(places[0], places[-1], BINS + 1)
    counts = np.histogram(numbers, bins=edges)[0]
    colours = [theme.negative if high <= 0 else theme.positive for high in edges[1:]]
    ones = np.ones_like(places)
    _CURVE(
        key="curve",
        data={
            "key": f"{key} {layer} {name} {theme.name}",
            "layer": layer,
            "name": name,
            "own_name": str(own),
            "place": place,
            "places": float32_text(places),
            "values": float32_text(function(places)),
            "slopes": float32_text(function.gradient(places, ones)),
            "own": float32_text(own(places)) if str(own) != name else "",
            "flat": flat_below(function),
            "slope_colour": theme.positive,
            "bins": {"edges": edges.tolist(), "counts": counts.tolist(), "colours": colours},
        },
        on_kept_change=keep,
    )
