"""Hostile words in a real browser: Streamlit's Markdown and the stage show them letter by letter."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from browser.waiting import copied, until_settled
from cnnviz.resources import one_line
from cnnviz.stage.export import export
from harness.hostile import MARKDOWN, WORDS, imported, printed, renamed

NAMES = (
    *("digit", "own", "model", "source", "cells_a_side", "top", "left", "kernel_rows", "kernel_columns"),
    *("start", "stride", "dilation", "padding", "flip", "transposed", "letters", "kernel", "step"),
    *("deep_layer", "kind", "channel_step", "layer", "channel", "row", "column"),
)
"""Parameters of the convolution page."""

SHOWN = """(alerts) => alerts.map((alert) => {
  const words = alert.querySelector('[data-testid="stMarkdownContainer"]');
  return [words.textContent, [...words.querySelectorAll("*")].map((element) => element.tagName).join(" ")];
})"""


def told(page, words: dict[str, str]) -> dict[str, str]:
    """What the notices say of each parameter; they hold a paragraph and nothing else."""
    alerts = page.locator('[data-testid="stAlert"]')
    alerts.nth(len(words) - 1).wait_for()
    shown = alerts.evaluate_all(SHOWN)
    assert {tags for _, tags in shown} == {"P"}
    sentences = [text.replace("\N{WORD JOINER}", "") for text, _ in shown]
    sentence = r"The address asks for (\w+) “(.*?)”, which there is not here"
    return dict(re.match(sentence, one).groups() for one in sentences)


def test_a_notice_shows_what_the_address_asks_for_letter_by_letter(open_page, explorer):
    asked = dict(zip(NAMES, WORDS, strict=False))
    assert set(MARKDOWN) < set(asked.values())
    elsewhere: list[str] = []
    page = open_page("about:blank")
    page.on("request", lambda request: elsewhere.append(request.url))
    page.goto(f"{explorer}/convolution?{urlencode(asked)}")
    expected = {name: one_line(" ".join(word[:40].split())) for name, word in asked.items()}
    assert told(page, asked) == expected
    until_settled(page)
    assert page.title() != "1"
    assert not [url for url in elsewhere if not url.startswith((explorer, "data:", "blob:", "ws:"))]


TAGS = """() => {
  const stage = document.querySelector("main > div").shadowRoot;
  return [...new Set([...stage.querySelectorAll("*")].map((element) => element.tagName))];
}"""


def tags_of_stage(page) -> set[str]:
    """The tags of the whole stage, with a receipt open."""
    page.wait_for_selector(".cv-barrow")
    page.locator(".cv-barrow").first.click()
    page.locator(".cv-ractions").first.wait_for()
    return set(page.evaluate(TAGS))


def copies(page, kind: str) -> str:
    return copied(page, page.locator(f"[data-copy={kind}]"))


def test_the_stage_of_a_network_with_hostile_names_has_no_tag_of_theirs(open_page, digits_file, tmp_path):
    file = tmp_path / "hostile.keras"
    names = renamed(file)
    usual = tags_of_stage(open_page(digits_file.as_uri()))
    page = open_page(export(tmp_path / "page.html", digits=[0], model=str(file)).as_uri())
    assert tags_of_stage(page) <= usual
    assert page.title() != "1"
    heads = page.locator(".cv-head b").all_text_contents()
    assert names["conv2d"] in heads
    for kind in ("text", "latex", "numpy", "keras"):
        assert printed(copies(page, kind))
    assert imported(copies(page, "numpy")) == {"numpy", "cnnviz"}
    assert "os" not in imported(copies(page, "keras"))
