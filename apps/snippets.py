"""The code that does the same as a page, to be read and copied."""

from __future__ import annotations

from textwrap import dedent

import opened
import streamlit as st

from cnnviz.layers.layer import quoted


def show(*parts: str) -> None:
    """The lines that do the same, folded away: the page's own, and those of the parts that are open.

    A network of the user's own is read from its file.
    """
    lines = "\n\n".join(dedent(each).strip() for each in parts)
    for own in filter(None, [opened.here()]):
        lines = lines.replace(f"load_model({quoted(own.name)})", f"load_model({quoted(own.path.name)})")
    if "np." in lines and "import numpy" not in lines:
        lines = lines.replace("import cnnviz\n", "import numpy as np\n\nimport cnnviz\n", 1)
    with st.expander("Show the code"):
        st.code(lines, language="python")
