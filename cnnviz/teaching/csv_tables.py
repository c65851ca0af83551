"""Tables as CSV files, in which a spreadsheet finds nothing to compute: those of pages, keys and records."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

from cnnviz.resources import one_line


def csv_text(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as a CSV file, in which a spreadsheet finds no formula.

    >>> csv_text(["sum", "answer"], [["=1+1", -0.5]]).splitlines()
    ['sum,answer', "'=1+1,-0.5"]
    """
    sheet = io.StringIO()
    csv.writer(sheet).writerows([[_cell(value) for value in row] for row in (heads, *rows)])
    return sheet.getvalue()


def _cell(value: Any) -> Any:
    """A number as it is; words that a spreadsheet would compute behind an apostrophe, on one line."""
    if not isinstance(value, str):
        return value
    words = one_line(value)
    return f"'{words}" if words.lstrip()[:1] in _FORMULA and not _NUMBER.fullmatch(words) else words


def words_of(cell: str) -> str:
    """The words that a cell was made of.

    >>> words_of("'=1+1"), words_of("'tis")
    ('=1+1', "'tis")
    """
    return cell[1:] if cell[:1] == "'" and cell[1:].lstrip()[:1] in _FORMULA else cell


_FORMULA = tuple("=+-@＝＋－＠")
"""How a formula begins, for one spreadsheet or another."""
_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?(\s?%)?", re.IGNORECASE)
