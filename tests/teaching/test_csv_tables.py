"""A table as CSV keeps its numbers, and holds nothing that a spreadsheet computes."""

from __future__ import annotations

import csv
import io

import pytest

from cnnviz.teaching.csv_tables import csv_text


def read_back(value):
    ((_,), (cell,)) = csv.reader(io.StringIO(csv_text(["head"], [[value]])))
    return cell


NUMBERS = (-3, 2.5, "-3.25", "+0.125", "−0.5", "1e-07", "-1.5e+10", "-12.5\N{NO-BREAK SPACE}%", "1,234", "–")
FORMULAS = ("=1+1", "+1+cmd", "-2+3", "@SUM(A1)", " =1", "\t=1", "\r\n=1", "＝1", "-", "=1\n=2")


@pytest.mark.parametrize("value", NUMBERS)
def test_a_number_stays_as_it_is(value):
    assert read_back(value) == str(value)


@pytest.mark.parametrize("words", FORMULAS)
def test_a_formula_becomes_words(words):
    cell = read_back(words)
    # A tab or a line break before it has become a question mark.
    assert cell.startswith(("'", "?"))
    assert cell.isprintable()


def test_words_with_commas_and_quotes_come_back():
    assert read_back('a, "b"') == 'a, "b"'
