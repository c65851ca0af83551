"""The small components of pages: each is a script, HTML and a style sheet in cnnviz/stage/components."""

from __future__ import annotations

from typing import Any

import streamlit as st

from cnnviz.stage import bundle


def component(name: str, *, base_css: str = "") -> Any:
    """The component of this name, to be called with a key and data; its style sheet follows `base_css`."""
    parts = bundle.component(name)
    if base_css:
        parts = parts | {"css": f"{base_css}\n{parts['css']}"}
    return st.components.v2.component(f"cnnviz.{name}", **parts)
