"""A small grid of numbers to be edited cell by cell, kept in the URL as text.

What is typed is checked in the browser, which says what it refuses, and again here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import state
import streamlit as st
from components import component

from cnnviz.images.array_text import array_from_text, array_to_text

LARGEST, MOST = 11, 1e9
"""Cells a side; the largest number that a cell takes, of either sign."""
_CELLS = component("cells")


def edit(
    name: str,
    values: Any,
    label: str,
    *,
    low: float = -MOST,
    high: float = MOST,
    step: float = 1.0,
) -> np.ndarray:
    """A grid of number fields; what they hold now, in the dtype of `values` (integers as float64).

    `values` (H, W), up to 11 by 11, is what they hold at first and after a reset; `name` is the URL's
    parameter; `step` is what Page Up and Page Down add and take away. Cells that were edited stay when
    `values` change, as long as the shape fits; `reset` forgets them.
    """
    start = np.asarray(values)
    if start.dtype.kind != "f":
        start = start.astype(np.float64)
    if start.ndim != 2 or not 0 < min(start.shape) <= max(start.shape) <= LARGEST:
        raise ValueError(f"values must be (H, W) of 1 to {LARGEST} cells a side, got shape {start.shape}")

    def fits(text: str) -> bool:
        try:
            cells = array_from_text(text, start.dtype)
        except ValueError:
            return False
        return cells.shape == start.shape and bool(low <= cells.min() and cells.max() <= high)

    first = array_to_text(start)
    text = state.text(name, first, fits)
    key = f"cells.{name}"

    def take() -> None:
        typed = st.session_state[key].typed
        if isinstance(typed, str) and (not typed or fits(typed)):
            state.put(name, typed and array_to_text(array_from_text(typed, start.dtype)))

    _CELLS(
        key=key,
        data={"text": text, "first": first, "label": label, "low": low, "high": high, "step": step},
        on_typed_change=take,
    )
    return array_from_text(text, start.dtype)


def typed(name: str, shape: tuple[int, int]) -> np.ndarray | None:
    """What was typed into the grid of a name, or what its link holds; None if that has not this shape."""
    text = state.wanted(name)
    try:
        cells = array_from_text(text, np.float32) if text else None
    except ValueError:
        return None
    return cells if cells is not None and cells.shape == tuple(shape) else None


def reset(name: str) -> None:
    """Forget what was edited: for a button's or another widget's callback."""
    state.put(name, "")
