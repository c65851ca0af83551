"""The code that does the same as a page, to be read and copied."""

from __future__ import annotations

from textwrap import dedent

import opened
import streamlit as st

from cnnviz.layers.layer import quoted


def show(lines: str) -> None:
    """The lines that do the same, folded away; a network of the user's own is read from its file."""
    for own in filter(None, [opened.here()]):
        lines = lines.replace(f"load_model({quoted(own.name)})", f"load_model({quoted(own.path.name)})")
    if "np." in lines and "import numpy" not in lines:
        lines = lines.replace("import cnnviz\n", "import numpy as np\n    import cnnviz\n", 1)
    with st.expander("Show the code"):
        st.code(dedent(lines).strip(), language="python")
