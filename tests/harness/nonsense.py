"""Arguments that mean nothing, and which of them an argument of some kind must refuse."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**31, -(2**31), 2**63, 2**64, 10**40])
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=4)
    | st.binary(max_size=4)
    | st.sampled_from(
        [Fraction(1, 2), Decimal("1.5"), np.float32(2), np.bool_(True), ..., object(), int, len]
    )
)

arrays = st.sampled_from(
    [
        np.array(["a", "b"]),
        np.array([1.5, 2.5]),
        np.array([[1, 2], [3, 4]]),
        np.array([True, False]),
        np.array([object(), None]),
        np.array([1, 2], "datetime64[s]"),
        np.zeros((2, 2, 2)),
        np.array([]),
    ]
)

values = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=2), inner, max_size=2)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=6,
)

LIMIT = 2**31


def may_be_valid(value: Any, kind: str) -> bool:
    """Whether an argument of this kind could accept the value, in some call."""
    if kind.endswith("or none"):
        return value is None or may_be_valid(value, kind.removesuffix(" or none"))
    if kind == "number":
        return _is_number(value)
    if kind == "word":
        return value in ("auto", "direct", "im2col", "fft", "winograd") if isinstance(value, str) else False
    if kind == "int":
        return _is_int(value)
    if kind == "ints":
        return all(map(_is_int, _entries(value))) if _entries(value) is not None else False
    if kind == "pair":
        return _is_pair(value, 1)
    if kind == "pair from 0":
        return _is_pair(value, 0)
    if kind == "padding":
        return (isinstance(value, str) and value.lower() in ("valid", "same")) or _is_sides(value)
    if kind == "cells":
        return _is_pair(value, 0) or _is_sides(value)
    raise ValueError(f"no such kind: {kind!r}")


NOT_ARRAYS: list[Any] = [
    None,
    "text",
    b"bytes",
    ["a", "b"],
    object(),
    {},
    {1, 2},
    len,
    ...,
    1j,
    [[1], [1, 2]],
    [1, None],
    [10**40],
    np.array(["a"]),
    np.array([object()]),
    np.zeros((2, 6, 7, 4), complex),
    np.zeros((2, 6, 7, 4), "datetime64[s]"),
    np.zeros((2, 6, 7, 4), np.longdouble),
    np.zeros(3, [("field", np.float32)]),
    iter([1, 2]),
]
"""None of them is an array of real numbers."""


def _is_int(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "iu"
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "biuf"
    real = isinstance(value, (int, float, Fraction, Decimal, np.number, np.bool_))
    return real and not isinstance(value, complex) and value == value


def _entries(value: Any) -> list[Any] | None:
    if isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim):
        return list(value)
    return None


def _is_pair(value: Any, least: int) -> bool:
    entries = _entries(value)
    if entries is None:
        entries = [value, value]
    return len(entries) == 2 and all(_is_int(entry) and least <= entry < LIMIT for entry in entries)


def _is_sides(value: Any) -> bool:
    ends = _entries(value)
    return (
        ends is not None
        and len(ends) == 2
        and all(_entries(end) is not None and _is_pair(end, 0) for end in ends)
    )
