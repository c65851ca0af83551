"""What a page lets the learner save: an animation as a GIF, a table as CSV.

Pictures are saved as PNG and SVG by their component, in the browser.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st


def gif(name: str, make: Callable[[], bytes], key: str) -> None:
    """A button that saves an animation; it is made when somebody asks for it."""
    st.download_button(
        "Save as GIF", data=make, file_name=f"cnnviz-{name}.gif", mime="image/gif", on_click="ignore", key=key
    )


def csv_text(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as a CSV file."""
    sheet = io.StringIO()
    csv.writer(sheet).writerows([heads, *rows])
    return sheet.getvalue()
