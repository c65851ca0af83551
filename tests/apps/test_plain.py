"""Plain words: usual names and numbers stay as they are, and what is a mark to Markdown loses its meaning.

That Streamlit shows all of them as they are is tested in a browser.
"""

from __future__ import annotations

import importlib.util

import pytest

from cnnviz.resources import app
from harness.hostile import MARKDOWN, WORDS, marks


@pytest.fixture(scope="module")
def plain():
    """The app's function, which lies beside its script."""
    spec = importlib.util.spec_from_file_location("plain", app().parent / "plain.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.plain


USUAL = (
    "conv2d_3",
    "mnist_14k",
    "block1/conv-2",
    "0.6",
    "-3",
    "+0.5",
    "(3, 3)",
    "a: b",
    "5\N{NO-BREAK SPACE}%",
    "3 × 3",
    "It's “so”, 5 %.",
)


@pytest.mark.parametrize("words", USUAL)
def test_what_is_no_mark_stays(plain, words):
    assert plain(words) == words


@pytest.mark.parametrize("words", WORDS, ids=ascii)
def test_a_mark_loses_its_meaning(plain, words):
    assert not marks(plain(words))
    assert plain(words).isprintable() or "\N{WORD JOINER}" in plain(words)


@pytest.mark.parametrize(
    "first", ["- a", "+ a", "# a", "1. a", "12) a", "---", "===", "> a", "* a", "    a", "\n\na"]
)
def test_the_first_letters_begin_no_list_heading_or_block(plain, first):
    shown = plain(first)
    assert shown[0] in "\\a" or shown[shown.index("\N{WORD JOINER}") + 1] in ".)"


def test_the_marks_of_the_corpus_are_found_where_they_mean_something():
    assert all(piece in marks(f"so {piece} it is") for piece in MARKDOWN)
