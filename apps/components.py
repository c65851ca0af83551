"""The small components of pages: each is a script, HTML and a style sheet in cnnviz/stage/components."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import streamlit as st

from cnnviz.stage import bundle


def component(name: str, *, base_css: str = "") -> Any:
    """The component of this name, to be called with a key and data; its style sheet follows `base_css`."""
    parts = bundle.component(name)
    if base_css:
        parts = parts | {"css": f"{base_css}\n{parts['css']}"}
    return st.components.v2.component(f"cnnviz.{name}", **parts)


def float32_text(array: Any) -> str:
    """An array's float32 bytes as text, which `floatsOf` in js/base64.js reads."""
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()
