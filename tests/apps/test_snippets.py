"""The code under each page: with controls moved at random it runs, and prints the numbers that the page
shows."""

from __future__ import annotations

import html
import random
import re

import numpy as np
import pytest

from apps.conftest import ASPECTS, PAGES, cells, htmls, pictures

NEEDS_TENSORFLOW = {"verification"}
"""Its code starts TensorFlow, which takes seconds; test_verification runs the same call."""

HEADER = ("digit", "model")

CAPTIONS = {
    "convolution": ("cnnviz-feature-maps", r"difference is ([−\d.e]*\d)"),
    "feature_maps": ("cnnviz-single-map", r"(?:holds|hold) ([−\d.e]+\d)"),
}
"""Where a page without facts shows its numbers: the picture, and where in its caption they stand."""


def moved_at_random(at, rng: random.Random, most: int = 5):
    """The page with some of its controls elsewhere."""
    kinds = (at.number_input, at.selectbox, at.slider, at.toggle)
    found = [each for kind in kinds for each in kind if (each.key or "").startswith("choice.")]
    found = [each for each in found if each.key.split(".")[1] not in HEADER and not each.disabled]
    for each in rng.sample(found, min(most, len(found))):
        kind = type(each).__name__
        if kind == "Toggle":
            each.set_value(not each.value)
        elif kind == "Selectbox":
            each.set_value(rng.choice(list(each.options)))
        else:
            low, high = int(each.min), int(each.max)
            each.set_value(rng.randint(max(low, each.value - 3), min(high, each.value + 3)))
    return at.run()


def shown_numbers(at, page: str) -> dict[str, list[str]]:
    """What the page's facts hold, by what they are; figures that are only bounded ("> 99.99 %") are left
    out."""
    shown = {}
    for value, name in re.findall(r"<dd>(.*?)</dd><dt>(.*?)</dt>", htmls(at)):
        value = html.unescape(value)
        if value[:1] not in "<>":
            shown[html.unescape(name)] = re.findall(r"[+−]?\d[\d,]*\.?\d*(?:e[+−]\d+)?(?: %)?", value)
    if page in CAPTIONS:
        picture, pattern = CAPTIONS[page]
        captions = [each["caption"] for each in pictures(at) if each["name"] == picture]
        shown |= {caption: re.findall(pattern, caption) for caption in captions}
    return shown


def is_among(text: str, printed: np.ndarray) -> bool:
    """Whether a number as it is shown is one of these, rounded."""
    plain = text.replace("−", "-").replace(",", "")
    scale = 100 if plain.endswith("%") else 1
    plain = plain.removesuffix(" %")
    mantissa, _, power = plain.partition("e")
    unit = 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
    return bool((np.abs(scale * printed - float(plain)) <= 0.5001 * unit + 1e-6 * abs(float(plain))).any())


STATES = [(page, {}) for page in sorted(set(PAGES) - NEEDS_TENSORFLOW)]
STATES += [(page, {name: aspect}) for page, name, aspect in ASPECTS]


@pytest.mark.parametrize(("page", "query"), STATES)
def test_the_code_prints_what_the_page_shows(visit, page, query, capsys, tmp_path, monkeypatch):
    at = moved_at_random(visit(page, digit=18, **query), random.Random(f"{page}{query or ''}"))
    assert not at.exception
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(np, "set_printoptions", lambda **options: None)
    with np.printoptions(precision=9, threshold=100_000, floatmode="unique"):
        exec(compile(at.code[-1].value, page, "exec"), {"__name__": "__main__"})
    text = capsys.readouterr().out
    found = re.findall(r"(?<![\w.])[+-]?\d+\.?\d*(?:e[+-]?\d+)?(?![\w])", text.replace(",", " "))
    printed = np.array([float(number) for number in found])
    assert len(printed)
    missing = {
        name: values
        for name, values in shown_numbers(at, page).items()
        if not all(is_among(value, printed) for value in values[: 2 if "→" in name else 1])
    }
    assert not missing, (missing, cells(at)[:200], at.code[-1].value)
