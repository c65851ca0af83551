"""One pixel through a 1x1 convolution, answered in the browser: the pointer never asks Python.

Activations and weights go down once, as the float32 bytes that the engine computed with; which pixel
and output are kept is in the URL.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import state
import streamlit as st
from components import component, float32_text
from surroundings import surroundings

from cnnviz import Run, channels, figures
from cnnviz.colours import for_browser

_MIXING = component("mixing")
_PARAMETERS = {"row": "row", "column": "col", "channel": "out"}
"""The URL's names, and the component's."""


def show(run: Run, name: str, key: str) -> tuple[int, int, int]:
    """The layer's maps, matrix and arithmetic; which row, column and output the learner keeps.

    `key` says whose run it is.
    """
    layer = run.network[name]
    x, before, after = run.inputs(name)[0][0], run.pre_activation(name)[0], run[name][0]
    matrix, bias = channels.mixing_matrix(layer.weights["kernel"]), layer.weights.get("bias")
    bias = np.zeros(matrix.shape[1], matrix.dtype) if bias is None else bias
    rows, cols, outputs = before.shape
    peak = figures.strongest(after.max(axis=2))
    kept = _kept((rows, cols, outputs), (*peak, figures.strongest_channel(after)))

    def keep() -> None:
        told = st.session_state["mixing"].kept
        for (parameter, short), limit in zip(_PARAMETERS.items(), (rows, cols, outputs), strict=True):
            value = told.get(short) if isinstance(told, Mapping) else None
            if state.is_place(value, limit):
                state.put(parameter, value)

    theme = surroundings()["theme"]
    scales = {
        "in": figures.Scale.of(x),
        "weights": figures.Scale.of(matrix, signed=True),
        "out": figures.Scale.of(before, bias, signed=True),
    }
    _MIXING(
        key="mixing",
        data={
            "key": f"{key} {name} {theme}",
            **dict(zip(_PARAMETERS, kept, strict=True)),
            "rows": rows,
            "cols": cols,
            "inputs": len(matrix),
            "outputs": outputs,
            "then": "" if layer.activation is None else layer.activation.name,
            "x": float32_text(x),
            "matrix": float32_text(matrix),
            "bias": float32_text(bias),
            "before": float32_text(before),
            "after": float32_text(after),
            "scales": {which: {"kind": scale.kind, "limit": scale.limit} for which, scale in scales.items()},
            **for_browser(theme),
            "theme": theme,
        },
        on_kept_change=keep,
    )
    return kept


def _kept(limits: tuple[int, ...], first: tuple[int, ...]) -> tuple[int, int, int]:
    """What the URL says is kept; `first` where it says nothing."""
    row, column, channel = (
        state.place(name, limit, start) for name, limit, start in zip(_PARAMETERS, limits, first, strict=True)
    )
    return row, column, channel
