"""The code that does the same as a page, to be read and copied."""

from __future__ import annotations

from textwrap import dedent

import streamlit as st


def show(lines: str) -> None:
    """The lines that do the same, folded away."""
    with st.expander("Show the code"):
        st.code(dedent(lines).strip(), language="python")
