"""The single file in Firefox and WebKit: it opens from disk and does there what it does in Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from browser.driven_page import DrivenPage
from browser.firefox import FIREFOX, firefox
from browser.webkit import webkit, what_is_missing

VIEW = 'document.querySelector("[id^=cnnviz-]").view'
PLACE = f"""([stage, row, col, channel]) => {{
  const box = {VIEW}.level.placeOf({{ stage, row, col, channel }});
  return [box.x + box.width / 2, box.y + box.height / 2];
}}"""
MIDDLE = f"""(selector) => {{
  const box = {VIEW}.root.querySelector(selector).getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}}"""
STILL = f"() => !{VIEW}.root.getAnimations({{ subtree: true }}).length"
TEXT = f"(selector) => {VIEW}.root.querySelector(selector).textContent"


@contextmanager
def opened(name: str, folder: Path) -> Iterator[DrivenPage]:
    if name == "webkit":
        if missing := what_is_missing():
            pytest.skip(missing)
        with webkit() as page:
            yield page
        return
    if not FIREFOX.exists():
        pytest.skip(f"there is no Firefox at {FIREFOX}: apt-get install firefox-esr")
    pytest.importorskip("websockets")
    with firefox(folder) as page:
        yield page


@pytest.fixture(scope="module", params=["firefox", "webkit"])
def page(request, tmp_path_factory, walk_file):
    with opened(request.param, tmp_path_factory.mktemp(request.param)) as page:
        page.open(walk_file.as_uri(), 1280, 720)
        page.until(f"() => {VIEW}?.shownTurn === {VIEW}?.turn")
        yield page
        assert page.errors == []


def click(page, selector: str) -> None:
    page.drag(page.run(MIDDLE, selector))


def test_it_tells_its_walk_and_plays(page):
    assert page.run(TEXT, ".cv-verdict").startswith("predicted 7")
    page.press("\ue014")
    page.until(f"() => {VIEW}.player?.playback.at > 2")
    page.press("\ue012")
    page.until(f"() => !{VIEW}.player")
    click(page, ".cv-walk [data-close]")
    page.until(f"() => !{VIEW}.guided")
    page.press("\ue00c")
    page.until(f"() => {VIEW}.zoom === 'network'")


def test_a_cell_has_its_receipt_and_a_zoom(page):
    page.until(STILL)
    page.drag(page.run(PLACE, [2, 10, 12, 3]))
    page.until(f"() => {VIEW}.pinned?.channel === 3")
    page.until(f"() => /\\d/.test({VIEW}.root.querySelector('.cv-rvalue').textContent)")
    page.press("+")
    page.until(f"() => {VIEW}.zoom === 'layer'")
    for left in (1, 0):
        page.press("\ue00c")
        page.until(f"(left) => {VIEW}.trail.length === left && {VIEW}.zoom === 'network'", left)


def test_one_paints_draws_and_takes_back(page):
    page.until(STILL)
    click(page, "[data-tool=erase]")
    page.drag(*(page.run(PLACE, [0, row, 17, 0]) for row in range(6, 20, 2)))
    page.until(f"() => {VIEW}.changes.length === 1 && {VIEW}.before")
    assert re.search("before", page.run(TEXT, ".cv-verdict"))
    click(page, "[data-undo]")
    page.until(f"() => !{VIEW}.changes.length")
    click(page, ".cv-opendraw")
    page.until(f"() => {VIEW}.root.querySelector('.cv-pad')")
    x, y = page.run(MIDDLE, ".cv-pad")
    page.drag(*((x, y + by) for by in range(-60, 61, 20)))
    page.until(f"() => {VIEW}.part('verdict').textContent.startsWith('predicted 1')")
    click(page, ".cv-panel [data-do=keep]")
    click(page, "[data-undo]")
    page.until(f"() => {VIEW}.part('verdict').textContent.startsWith('predicted 7')")
