"""Hostile words in a real browser: Streamlit's Markdown and the stage show them letter by letter."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import cnnviz
from browser.waiting import copied, until_settled
from cnnviz.resources import one_line
from cnnviz.stage.live_view import LiveView
from cnnviz.stage.scene import build_scene
from harness.hostile import MARKDOWN, NAMES, WORDS, imported, printed, renamed

PARAMETERS = (
    *("digit", "own", "model", "source", "cells_a_side", "top", "left", "kernel_rows", "kernel_columns"),
    *("start", "stride", "dilation", "padding", "flip", "transposed", "letters", "kernel", "step"),
    *("other", "a", "b", "with_bias", "with_relu"),
)
"""Parameters of the convolution page, with what is chosen below."""
CHOSEN = {"sliding": "slide", "mathematics": "linear"}

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
    asked = dict(zip(PARAMETERS, WORDS, strict=False))
    assert set(MARKDOWN) < set(asked.values())
    elsewhere: list[str] = []
    page = open_page("about:blank")
    page.on("request", lambda request: elsewhere.append(request.url))
    page.goto(f"{explorer}/convolution?{urlencode(asked | CHOSEN)}")
    expected = {name: one_line(" ".join(word[:40].split())) for name, word in asked.items()}
    assert told(page, asked) == expected
    until_settled(page)
    assert page.title() != "1"
    assert not [url for url in elsewhere if not url.startswith((explorer, "data:", "blob:", "ws:"))]


LINKS = (
    *("path=!!~~!", "path=conv2d_2~-1~0~0", "path=__proto__~0~0~0&zoom=cell", "zoom=cell", "zoom=__proto__"),
    *("changes=values~input~0~1e999", "changes=weights~conv2d/kernel~-1~1", "changes=channel~conv2d~1e9"),
    *(
        "image=~",
        "image=%3Cimg%20src%3Dx%20onerror%3Ddocument.title%3D1%3E~AAAA",
        "version=1e99&model=%3Cb%3E",
    ),
    *("open=" + "x!" * 5000, "play=conv2d~0~1e9", "walk=%3Cb%3E~0", "layer=constructor&zoom=layer"),
    "changes=" + "channel~conv2d~1!" * 5000,
    *("trail", "trail=!!~~!", "trail=conv2d_2~-1~0~0", "trail=conv2d_2~1e9~0~0", "trail=conv2d_2~NaN~0~0"),
    *("trail=__proto__~0~0~0", "item=__proto__&range=%00", "%", "%FF=%FF"),
    "trail=%3Cimg%20src%3Dx%20onerror%3Ddocument.title%3D1%3E~0~0~0",
    "trail=" + "conv2d_2~1~1~1!" * 5000,
)
"""What may stand after the # of a page of the stage."""


OPENED_AGAIN = """(link) => {
  const before = document.querySelector("[id^=cnnviz-]");
  before.view.destroy();
  location.hash = link;
  const holder = before.cloneNode(true);
  before.replaceWith(holder);
  const script = document.querySelector("main > script");
  const anew = document.createElement("script");
  anew.textContent = script.textContent;
  script.replaceWith(anew);
  const { root } = holder.view;
  return [root.querySelectorAll(".cv-barrow").length, root.querySelectorAll(".cv-crumbs li").length];
}"""
"""What a page does when it is loaded, with another address; without the time that loading takes."""


def test_a_stage_opens_whatever_its_link_asks_for(live):
    first, *others = LINKS
    page = live(f"#{first}")
    for link in others:
        bars, crumbs = page.evaluate(OPENED_AGAIN, link)
        assert bars == 10
        assert crumbs <= 200
        assert page.title() != "1"


KINDS = ("text", "latex", "numpy", "keras")
"""What a receipt is copied as."""

TAGS = """() => {
  const stage = document.querySelector("main > div").shadowRoot;
  return [...new Set([...stage.querySelectorAll("*")].map((element) => element.tagName))];
}"""


def open_receipt(page) -> None:
    page.wait_for_selector(".cv-barrow")
    page.locator(".cv-barrow").first.click()
    page.locator(".cv-ractions").first.wait_for()


def tags_of_stage(page) -> set[str]:
    """All tags, from far and near, with the player open too."""
    tags = set(page.evaluate(TAGS))
    for _ in ("layer", "cell"):
        page.keyboard.press("+")
        tags |= set(page.evaluate(TAGS))
    page.locator(".cv-openplay").click()
    return tags | set(page.evaluate(TAGS))


def test_a_stage_whose_every_name_is_hostile_has_no_tag_of_theirs(open_page, digits_file, tmp_path):
    file = tmp_path / "hostile.keras"
    names = renamed(file)
    run = cnnviz.load_model(file).run(cnnviz.load_mnist()[1][0][0])
    scene = build_scene(run, 0, classes=NAMES[-11:-1], title=" ".join(NAMES), label=7)
    usual = open_page(digits_file.as_uri())
    page = open_page(LiveView(scene).save(tmp_path / "page.html").as_uri())
    for one in (usual, page):
        open_receipt(one)
    assert page.locator(".cv-col b").all_text_contents()[1] == names["conv2d"]
    assert page.locator(".cv-class").all_text_contents() == [one_line(name) for name in NAMES[-11:-1]]
    copies = {kind: copied(page, page.locator(f"[data-copy={kind}]")) for kind in KINDS}
    assert all(map(printed, copies.values()))
    assert imported(copies["numpy"]) <= {"base64", "numpy", "cnnviz"}
    assert "os" not in imported(copies["keras"])
    assert tags_of_stage(page) <= tags_of_stage(usual)
    assert page.title() != "1"
