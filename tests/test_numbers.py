"""How numbers are written: their digits, signs and columns, each rule in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnviz
from cnnviz.numbers import brief, cell_number, column, number, short, signed_number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.234, "1.23"),
        (-0.001234, "−0.00123"),
        (12345.6, "12,346"),
        (99.96, "100.0"),
        (2e-5, "2.00e−05"),
    ],
)
def test_numbers_have_their_digits(value, text):
    assert number(value) == text


def test_signs_are_written():
    assert [signed_number(v) for v in (1, -1, 0)] == ["+1.00", "−1.00", "0"]
    assert cell_number(-0.0, 1.0, signed=True) == "0.00"
    assert cell_number(-2.5, 30.0, signed=True) == "−2.5"


def test_what_is_written_as_zero_has_no_sign():
    assert cell_number(-0.004, 1.0, signed=True) == cell_number(0.004, 1.0, signed=True) == "0.00"
    assert cell_number(-0.006, 1.0, signed=True) == "−0.01"
    assert cell_number(1234.4, 5000.0, signed=True) == "+1,234"


def test_numbers_in_columns():
    assert [column([12.5, -0.25])(v) for v in (12.5, -0.25, 0)] == ["12.500", "-0.250", "0"]
    assert column([1e-9])(1e-9) == "1.00e-09"
    assert column([np.inf, 2.0])(np.inf) == "inf"
    assert column([3.0, 4.0], signed=True)(4) == "+4"
    assert short(np.float32(np.nan)) == "nan"
    assert column([])(0.0) == "0"


def test_minus_signs_are_made_in_one_place():
    root = Path(cnnviz.__file__).parent
    sources = {path: path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
    assert {path for path in sources if 'replace("-", "−")' in sources[path]} == {root / "numbers.py"}


def test_a_list_that_holds_one_list_again_and_again_is_put_into_words_at_once() -> None:
    shared: list[Any] = [1.0] * 1000
    for _ in range(5):
        shared = [shared] * 1000
    assert len(brief(shared)) == 80
    assert brief({"a": {"b": [1, 2]}}) == "{'a': {'b': [1, 2]}}"
    assert brief([[1, 2]] * 2) == "[[1, 2], [1, 2]]"
    assert brief({3}) == "{3}"
