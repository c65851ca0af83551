"""One unit and what it sees, drawn in the browser: pointing, dragging and arrow keys never ask Python.

The ladder's cells and links, the boxes on the image and a map of each layer go down once; which unit is kept
is in the URL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import state
import streamlit as st
from components import component, float32_text
from header import Current
from surroundings import surroundings

from cnnviz.colours import INK, Scale, for_browser
from cnnviz.figures import strongest_channel
from cnnviz.network import Network
from cnnviz.network.colour_planes import picture_of
from cnnviz.receptive_fields import ReceptiveField, ReceptiveFields

_LADDER = component("ladder")


def choose(here: Current, fields: ReceptiveFields, names: Sequence[str]) -> tuple[str, int, int]:
    """The unit that the learner keeps, (layer, row, column), and what chooses it: ladder, map and image."""
    name, row, col = kept_unit(here, names)
    theme = surroundings()["theme"]

    def keep() -> None:
        told = st.session_state["unit"].kept
        told = told if isinstance(told, Mapping) else {}
        rung, row, col = (told.get(part) for part in ("rung", "row", "col"))
        if not isinstance(rung, int) or not state.is_place(rung, len(names) + 1, 1):
            return
        chosen = names[rung - 1]
        if all(map(state.is_place, (row, col), here.run[chosen].shape[1:])):
            for parameter, value in (("layer", chosen), ("row", row), ("column", col)):
                state.put(parameter, value)

    origin = fields.origin
    image = _drawn(here, theme)
    rungs: list[dict[str, Any]] = [_rung(fields[origin])]
    for k, each in enumerate(names):
        below = names[k - 1] if k else origin
        between, units = fields.between(each, below), range(here.run[each].shape[2])
        channel = strongest_channel(here.run[each])
        rungs.append(
            {
                **_rung(fields[each]),
                "reads": [{"below": k, "cells": [between.cells(1, unit) for unit in units]}],
                "map": _picture(here.run[each][0, :, :, channel])
                | {"said": f"{each}, channel {channel}, its strongest on {here.digit.name}"},
            }
        )
    _LADDER(
        key="unit",
        data={
            "key": f"{here.model} {here.changes} {here.digit} {theme}",
            "rungs": rungs,
            "rung": names.index(name) + 1,
            "row": row,
            "col": col,
            "image": {**_picture(image, INK), "said": here.digit.title},
            **for_browser(theme),
            "theme": theme,
        },
        on_kept_change=keep,
    )
    return name, row, col


def one_behind_the_other(net: Network, fields: ReceptiveFields) -> list[str]:
    """The layers with a kernel, and the poolings, that have maps: of ways beside each other the first.

    Those whose units have a field with a whole size and step, which the upsampled have not, and channels
    that do not always add up to 1.
    """
    found: list[str] = []
    for layer in net.layers:
        maps = layer.inputs and len(layer.output_shape) == 3 and layer.name in fields
        shares = layer.activation is not None and layer.activation.axis is not None
        if not maps or shares or not ("kernel" in layer.weights or layer.is_pool):
            continue
        whole = all(isinstance(n, int) for n in (*fields[layer.name].size, *fields[layer.name].stride))
        if whole and (not found or layer.name in fields.wrt(found[-1])):
            found.append(layer.name)
    return found


def kept_unit(here: Current, names: Sequence[str]) -> tuple[str, int, int]:
    """What the URL says is kept; the middle unit of the middle layer where it says nothing."""
    name = state.text("layer", names[len(names) // 2], set(names).__contains__)
    rows, cols, _ = here.run[name].shape[1:]
    return name, state.place("row", rows, rows // 2), state.place("column", cols, cols // 2)


def show_ladder(key: str, fields: ReceptiveFields) -> None:
    """The ladder of a list of specs, to be pointed at; it opens on the middle unit of the last layer."""
    names = list(fields)
    rungs = []
    for name in names:
        reads = fields.reads(name, 1) if name != fields.origin else {}
        given = [{"below": names.index(below), "cells": cells} for below, cells in reads.items()]
        rungs.append({**_rung(fields[name]), "reads": given})
    middle = (fields[-1].shape[1] or 1) // 2
    _LADDER(
        key=f"ladder.{key}",
        data={"key": key, "rungs": rungs, "rung": len(names) - 1, "row": 0, "col": middle},
    )


def _rung(field: ReceptiveField) -> dict[str, Any]:
    """A layer's name, where its columns lie, and what each row and column sees, beyond the image too."""
    rows, cols = (
        [
            {"all": all_cells, "kept": kept}
            for all_cells, kept in zip(
                field.intervals(axis, False).tolist(), field.intervals(axis).tolist(), strict=True
            )
        ]
        for axis in (0, 1)
    )
    centers = [(first + last) / 2 for first, last in (each["all"] for each in cols)]
    return {"name": field.name, "centers": centers, "sees": {"rows": rows, "cols": cols}, "reads": []}


def _drawn(here: Current, theme: str) -> np.ndarray:
    """The image as ink (H, W): of a picture in colour its darkness, in a dark theme its brightness."""
    picture = picture_of(here.run)
    if picture is None or len(picture.channels) == 1:
        return here.run.input[0, :, :, 0]
    brightness = picture.of(here.run.input[0]).mean(axis=2)
    return brightness if theme == "dark" else 1 - brightness


def _picture(values: np.ndarray, scale: Scale | None = None) -> dict[str, Any]:
    scale = scale or Scale.of(values)
    return {
        "rows": values.shape[0],
        "cols": values.shape[1],
        "values": float32_text(values),
        "scale": {"kind": scale.kind, "limit": scale.limit},
    }
