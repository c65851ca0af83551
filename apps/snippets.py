"""The code that does the same as a page, to be read and copied."""

from __future__ import annotations

from textwrap import dedent

import streamlit as st


def show(*parts: str) -> None:
    """The lines that do the same, folded away: the page's own, and those of the parts that are open."""
    with st.expander("Show the code"):
        st.code("\n\n".join(dedent(lines).strip() for lines in parts), language="python")
