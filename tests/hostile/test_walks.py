"""A visitor who goes from page to page by addresses that ask for the ends of everything at once.

What a page offers is learned from the page: the options, the ends of each number, the size of each grid.
"""

from __future__ import annotations

import random
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from streamlit import config

from apps.conftest import PAGES, htmls
from cnnviz.images.digit_text import digit_to_text
from cnnviz.resources import app
from harness.hostile import WORDS, markdown, marks

SLOW = 30.0
"""Seconds; what takes long is said while it is worked out, and other readers do not wait."""
WORD = [word for word in WORDS if "\ud800" not in word]
NUMBERS = ("0", "1", "-1", "0.1", "99", "-99", "999", "-999", "1e9", "-1e9", "1e16", "1e308", "-1e308")
NUMBERS += ("3.4028235e38", "1e-45", "1e-308", "5e-324", "123456789.123")
LAYERS = ("conv3", "conv3same", "pool2", "transposed2s2", "bottleneck3", "conv99d99", "pool99s99")
LAYERS += ("transposed99s64", "conv1p99", "transposed1s3", "bottleneck2d9", "conv" + "9" * 30)
LONG = ("compare", "over", "zeros")
"""What takes seconds to work out."""

Offer = tuple[str, Any]
"""The kind of a parameter, and what the page offers: options, or the ends of a number, or a grid's shape."""


@pytest.fixture(scope="module")
def offers(visit) -> Iterator[dict[str, Offer]]:
    """What the page of the last visit offers, by its parameters' names."""
    visit("convolution")
    state, cells_editor = sys.modules["state"], sys.modules["cells_editor"]
    found: dict[str, Offer] = {}

    def note(module, kind: str, said) -> None:
        function = getattr(module, kind)

        def noting(name, *arguments, **named):
            found.setdefault(name, said(*arguments))
            return function(name, *arguments, **named)

        patch.setattr(module, kind, noting)

    with pytest.MonkeyPatch.context() as patch:
        note(cells_editor, "edit", lambda values, *_: ("cells", np.shape(values)))
        note(state, "option", lambda options, *_: ("one of", [str(option) for option in options]))
        note(state, "integer", lambda low, high, *_: ("whole", (low, high)))
        note(state, "place", lambda count, *_: ("whole", (0, count - 1)))
        note(state, "toggle", lambda *_: ("one of", ["0", "1"]))
        note(state, "text", lambda default, *_: ("text", default))
        yield found


def own_digit(chance: random.Random) -> str:
    """A digit that nobody draws: nothing, everything, one pixel, noise, a frame."""
    pixels = np.zeros((28, 28), np.uint8)
    kind = chance.randrange(5)
    if kind == 1:
        pixels[:] = chance.choice([1, 255])
    elif kind == 2:
        pixels[chance.randrange(28), chance.randrange(28)] = chance.choice([1, 255])
    elif kind == 3:
        pixels = np.random.default_rng(chance.randrange(1000)).integers(0, 256, (28, 28)).astype(np.uint8)
    elif kind == 4:
        pixels[0] = pixels[:, :3] = 255
    return digit_to_text(pixels)


def drawn(name: str, offer: Offer, chance: random.Random) -> str:
    """What the address asks for."""
    kind, offered = offer
    if chance.random() < 0.12:
        return chance.choice([*WORD, "", "9" * 30, "-1", "nan", "1e5", "💥" * 5000])
    if kind == "one of":
        return chance.choice(offered)
    if kind == "whole":
        return str(chance.choice([*offered, chance.randint(*offered)]))
    if kind == "cells":
        few = chance.sample(NUMBERS, chance.choice([1, 2, len(NUMBERS)]))
        rows, columns = offered
        return ";".join(",".join(chance.choice(few) for _ in range(columns)) for _ in range(rows))
    if name == "own":
        return own_digit(chance)
    if name == "stack":
        return ".".join(chance.choice(LAYERS) for _ in range(chance.choice([1, 2, 5, 20, 100])))
    return chance.choice(["1", "all", "relu in all layers", str(offered)[:1000]])


def asked_next(query: Mapping[str, str], offers: dict[str, Offer], chance: random.Random) -> dict[str, str]:
    """The next address: some of its parameters given up, and some others asked for."""
    query = dict(query)
    for name in chance.sample(sorted(offers), min(len(offers), chance.choice([1, 1, 2, 3, 6, 20]))):
        query[name] = drawn(name, offers[name], chance)
        if chance.random() < 0.15:
            del query[name]
    return query


@pytest.mark.parametrize("seed", range(2))
def test_a_walk_through_addresses_ends_nowhere(visit, offers, request, seed):
    chance = random.Random(seed)
    thorough = request.config.getoption("--hypothesis-profile") == "thorough"
    page, query = "kernels", {}
    for _ in range(1000 if thorough else 12):
        query = asked_next(query, offers, chance)
        query = {name: value for name, value in query.items() if thorough or name not in LONG}
        offers.clear()
        began = time.process_time()
        at = visit(page, **query)  # A warning of NumPy's would be an error.
        assert not at.exception, (page, query)
        assert time.process_time() - began < SLOW, (page, query)
        assert not [text for text in markdown(at) if marks(text)]
        assert all(len(warning.value) < 400 for warning in at.warning)
        if chance.random() < 0.4:
            page = chance.choice(PAGES)
            query = {name: value for name, value in query.items() if chance.random() < 0.5}


@pytest.mark.parametrize("number", ["1e308", "-1e308", "1.1e9", "5e-324", "1e9"])
def test_kernels_of_the_largest_and_the_smallest_numbers(visit, number):
    cells = ";".join([",".join([number, "0", number])] * 3)
    at = visit("kernels", cells=cells)
    assert not at.exception
    assert ("asks for cells" in " ".join(warning.value for warning in at.warning)) == (
        abs(float(number)) > 1e9
    )


def test_a_page_that_fails_tells_nothing_and_leaves_the_next_ones_as_they_are(visit, monkeypatch):
    settings = tomllib.loads((app().parent / ".streamlit" / "config.toml").read_text("utf-8"))
    shown = config.get_option("client.showErrorDetails")
    config.set_option("client.showErrorDetails", settings["client"]["showErrorDetails"])
    visit("kernels")
    try:
        with monkeypatch.context() as patch:
            patch.setattr(sys.modules["cached"], "picture", lambda *_, **__: (app().parent / "no").stat())
            failed = visit("kernels", size="5").exception
    finally:
        config.set_option("client.showErrorDetails", shown)
    assert failed
    assert not failed[0].stack_trace
    assert str(app().parent) not in failed[0].message
    at = visit("kernels", digit=7)
    assert not at.exception
    assert 'alt="Test digit 7' in htmls(at)
