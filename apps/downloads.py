"""What a page lets the learner save: an animation as a GIF, a table as CSV.

Pictures are saved as PNG and SVG by their component, in the browser.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from cnnviz.resources import one_line


def gif(name: str, make: Callable[[], bytes], key: str) -> None:
    """A button that saves an animation; it is made when somebody asks for it."""
    st.download_button(
        "Save as GIF", data=make, file_name=f"cnnviz-{name}.gif", mime="image/gif", on_click="ignore", key=key
    )


def csv_text(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as a CSV file, in which a spreadsheet finds no formula."""
    sheet = io.StringIO()
    csv.writer(sheet).writerows([[_cell(value) for value in row] for row in (heads, *rows)])
    return sheet.getvalue()


def _cell(value: Any) -> Any:
    """A number as it is; words that a spreadsheet would compute behind an apostrophe, on one line."""
    if not isinstance(value, str):
        return value
    words = one_line(value)
    return f"'{words}" if words.lstrip()[:1] in _FORMULA and not _NUMBER.fullmatch(words) else words


_FORMULA = tuple("=+-@＝＋－＠")
"""How a formula begins, for one spreadsheet or another."""
_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?(\s?%)?", re.IGNORECASE)
