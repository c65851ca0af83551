"""A small array of numbers as a short text, which an address can carry: "1,0,-1;2,0,-2".

Columns are separated by commas and rows by semicolons. Reading accepts finite numbers in ASCII and nothing
else, of limited length, and executes nothing. Not meant for more than a few hundred cells.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

MOST = 4000
"""Characters that are read: 11 by 11 cells with 32 characters each."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)


def array_to_text(array: Any) -> str:
    """An array's numbers as text, each as short as reads back as the same number of its dtype.

    Parameters
    ----------
    array
        (H, W), finite; integers are written without a point.

    Returns
    -------
    str
        Rows separated by semicolons, numbers by commas.

    Raises
    ------
    ValueError
        If the array has another rank, no cell, a number that is not finite, or too many for `MOST`.

    Examples
    --------
    >>> array_to_text([[1, 0.5], [-2, 1e-9]])
    '1,0.5;-2,1e-9'
    """
    array = np.asarray(array)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"array must be (H, W), not empty and finite, got shape {array.shape}")
    text = ";".join(",".join(_write(value) for value in row) for row in array)
    if len(text) > MOST:
        raise ValueError(f"array must fit in {MOST} characters, got {len(text)} for shape {array.shape}")
    return text


def array_from_text(text: str, dtype: Any = np.float64) -> np.ndarray:
    """The array (H, W) that `array_to_text` wrote; ValueError if the text is not of that kind.

    >>> array_from_text("1,0.5;-2,1e-9")
    array([[ 1.e+00,  5.e-01],
           [-2.e+00,  1.e-09]])
    """
    if len(text) > MOST:
        raise ValueError(f"text must have at most {MOST} characters, got {len(text)}")
    rows = [row.split(",") for row in text.split(";")]
    wrong = next((cell for row in rows for cell in row if not _NUMBER.fullmatch(cell)), None)
    if wrong is not None:
        raise ValueError(f"text must be numbers separated by commas and semicolons, got {wrong[:40]!r}")
    if len({len(row) for row in rows}) > 1:
        raise ValueError(
            f"text must have equally many numbers in each row, got {', '.join(str(len(row)) for row in rows)}"
        )
    with np.errstate(over="ignore"):
        array = np.array([[float(cell) for cell in row] for row in rows]).astype(dtype)
    if not np.isfinite(array).all():
        raise ValueError(f"text must be finite numbers of {np.dtype(dtype)}, got one that is too large")
    return array


def _write(value: Any) -> str:
    """The shortest of a number's plain and scientific forms; plain where they are equally long."""
    if not isinstance(value, np.floating):
        return str(int(value))
    value = abs(value) if value == 0 else value
    plain = np.format_float_positional(value, trim="-")
    scientific = np.format_float_scientific(value, trim="-", exp_digits=1).replace("e+", "e")
    return min(plain, scientific, key=len)
