"""The receptive field page's builder: a stack of layers in the URL, edited layer by layer.

What the layers see comes from the library; here are the widgets, the table and the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import cached
import chrome
import numpy as np
import state
import streamlit as st
from plain import plain

from cnnviz.figures import Seen
from cnnviz.numbers import counted
from cnnviz.receptive_fields import ReceptiveField, ReceptiveFields
from cnnviz.receptive_fields.architectures import ARCHITECTURES
from cnnviz.receptive_fields.field import pair_text
from cnnviz.receptive_fields.notation import StackLayer, parse_stack, stack_specs, write_stack
from cnnviz.receptive_fields.sized import Box, Interval

FIRST = "conv3same.conv3same.pool2.conv3same.conv3d2same"
SIZE, MOST = 224, 1024
STRIDED = "conv7s2same.pool3s2same.conv3same.conv3s2same.conv3same.conv3s2same"
USUAL = {
    kind: StackLayer.parse(word)
    for kind, word in (
        ("conv", "conv3same"),
        ("pool", "pool2"),
        ("transposed", "transposed2s2"),
        ("bottleneck", "bottleneck3"),
    )
}
"""What a layer starts as when its kind is chosen."""
_REFUSED = "builder.refused"


def chosen() -> tuple[str, int]:
    """The stack as text, and its input's size; those that it begins with where it does not fit."""
    text, size = state.text("stack", FIRST, _is_stack), state.place("input", MOST + 1, SIZE)
    try:
        cached.stack(text, size)
    except ValueError:
        return FIRST, SIZE
    return text, size


def show() -> None:
    """The whole builder."""
    st.markdown(
        "Any stack of layers, without weights: change one layer, and watch what that does to the size, the "
        "stride and the offset of all layers above it. Where layers with a stride pad by 'same', the offset "
        "depends on the input's size: look at the strided stack with 224 and with 321 pixels."
    )
    text = state.text("stack", FIRST, _is_stack)
    with chrome.controls("presets"):
        for name, words in _presets().items():
            st.button(
                name,
                key=f"builder.preset.{name}",
                type="primary" if words == text else "secondary",
                on_click=_choose,
                args=(words,),
            )
    layers = parse_stack(text)
    with chrome.controls("stack"):
        size = state.integer("input", 1, MOST, SIZE, "Input size")
        place = state.integer("at", 1, len(layers), len(layers), "Layer to change")
    _editor(layers, place - 1)
    refused = st.session_state.pop(_REFUSED, "")
    if refused:
        st.warning(f"That layer is not possible: {plain(refused)}.")
    names = [spec.name or "" for spec in stack_specs(text)]
    try:
        fields = cached.stack(text, size)
        first_unit = _first_unit(fields[names[place - 1]])
    except ValueError as error:
        st.warning(f"This stack does not fit an input of {counted(size, 'pixel')}: {plain(error)}.")
        return
    _growth(fields, layers, names, size, place - 1, first_unit)


@cache
def _presets() -> dict[str, str]:
    """Stacks to begin with, by name."""
    architectures = {name: write_stack(make()) for name, make in ARCHITECTURES.items()}
    return {"five layers": FIRST, "strided": STRIDED, **architectures}


def _editor(layers: Sequence[StackLayer], place: int) -> None:
    """Widgets for one layer; what they are set to becomes the stack."""
    layer = layers[place]
    paddings = list(dict.fromkeys(["valid", "same", "1", "2", "3", layer.padding]))
    for name, value in vars(layer).items():
        st.session_state[f"builder.{name}"] = value

    def changing(name: str, **arguments: Any) -> dict[str, Any]:
        change = {"on_change": _change, "args": (layers, place, name)}
        return {"key": f"builder.{name}", **change, **arguments}

    with chrome.controls("layer"):
        st.selectbox("Kind", StackLayer.KINDS, **changing("kind"))
        for name in ("kernel", "stride", "dilation"):
            off = name == "dilation" and layer.kind == "pool"
            st.number_input(name.capitalize(), 1, 99, **changing(name, disabled=off))
        st.selectbox(
            "Padding",
            paddings,
            format_func=lambda side: f"{side} on each side" if side.isdigit() else side,
            **changing("padding", disabled=layer.kind == "bottleneck"),
        )
        st.button("Add a layer after it", key="builder.add", on_click=_add, args=(layers, place))
        st.button(
            "Remove it",
            key="builder.remove",
            on_click=_remove,
            args=(layers, place),
            disabled=len(layers) == 1,
        )


def _growth(
    fields: ReceptiveFields,
    layers: Sequence[StackLayer],
    names: Sequence[str],
    size: int,
    place: int,
    first_unit: tuple[Box, Interval],
) -> None:
    seen = [fields[name] for name in names]
    chrome.table(
        ["layer", "kernel", "stride", "dilation", "padding", "output", "sees", "a step is", "offset"],
        [
            (
                name,
                layer.kernel,
                layer.stride,
                layer.dilation,
                layer.padding,
                pair_text(field.shape[:2]),
                field.label,
                pair_text(field.stride),
                pair_text(field.padding) + ("" if field.aligned else " (misaligned)"),
            )
            for name, layer, field in zip(names, layers, seen, strict=True)
        ],
        caption="Sizes, steps and offsets are in pixels of the input. The first unit of a layer sees from "
        "minus the offset on.",
        mark=place,
    )
    grown, corner = chrome.columns(3, 2)
    with grown:
        chrome.show(
            "receptive_growth",
            f"Width of the receptive field; the dashed lines are the input's {size} pixels.",
            share=0.6,
            names=names,
            sizes=[field.size[1] or 0 for field in seen],
            image=size,
            highlight=place,
        )
    with corner:
        box, (top, bottom) = first_unit
        cut = -box[0][0]
        first = f"−{cut}" if cut > 0 else box[0][0]
        chrome.show(
            "receptive_path",
            f"The first unit of {names[place]}: its field is rows {first} to {box[0][1]}. "
            + (
                f"The border cuts {cut} of them off, dashed; rows {top} to {bottom} are left."
                if cut > 0
                else "All of it lies on the input."
            ),
            share=0.4,
            limit=260,
            legends=False,
            layers=[Seen("input", np.zeros((size, size, 1)), box, pixels=True)],
        )


def _first_unit(field: ReceptiveField) -> tuple[Box, Interval]:
    """Its field with borders ignored, and the rows of it that lie on the input: in squares, columns too."""
    return field.box(0, 0, clip=False), field.interval(0, 0)


def _is_stack(text: str) -> bool:
    try:
        return bool(parse_stack(text))
    except ValueError:
        return False


def _choose(text: str, place: int | None = None) -> None:
    """Take a stack, with its last or another layer to change."""
    state.put("stack", text)
    layers = len(parse_stack(text))
    state.put("at", layers if place is None else place + 1)


def _take(layers: Sequence[StackLayer], place: int) -> None:
    text = write_stack(layers)
    try:
        parse_stack(text)
    except ValueError as error:
        st.session_state[_REFUSED] = str(error)
    else:
        _choose(text, place)


def _change(layers: Sequence[StackLayer], place: int, name: str) -> None:
    chosen = {key: st.session_state[f"builder.{key}"] for key in vars(layers[place])}
    if chosen["kind"] not in USUAL:  # No browser offers it.
        return
    try:
        changed = USUAL[chosen["kind"]] if name == "kind" else StackLayer(**chosen)
    except ValueError as error:
        st.session_state[_REFUSED] = str(error)
    else:
        _take([*layers[:place], changed, *layers[place + 1 :]], place)


def _add(layers: Sequence[StackLayer], place: int) -> None:
    _take([*layers[: place + 1], USUAL["conv"], *layers[place + 1 :]], place + 1)


def _remove(layers: Sequence[StackLayer], place: int) -> None:
    _take([*layers[:place], *layers[place + 1 :]], max(place - 1, 0))
