"""The course in a browser: answers that stay, the way on by the keyboard, words that explain themselves."""

from __future__ import annotations

import json

import pytest

from browser.axe import violations
from browser.waiting import expect, until_settled

KEPT = "localStorage.getItem('cnnviz.answers')"


@pytest.fixture
def pooling(open_page, explorer):
    def visit(query="", **options):
        page = open_page(f"{explorer}/pooling?digit=3{query}", **options)
        page.locator(".st-key-pager-next a").wait_for()
        until_settled(page)
        return page

    return visit


def questions(page):
    return page.locator('[class*="st-key-question"] .stRadio')


def test_answers_outlast_a_reload_are_saved_and_deleted(pooling, tmp_path):
    page = pooling()
    for number in range(2):
        questions(page).nth(number).locator("label").nth(1).click()
        expect(page.locator(".verdict")).to_have_count(number + 1)
    expect(page.locator(".stSidebar a", has_text="Pooling ✓")).to_be_visible()
    page.wait_for_function(f"JSON.parse({KEPT})?.answers.length === 2")
    page.get_by_role("textbox", name="Your name").fill("Ada L.")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as JSON").click()
    assert download.value.suggested_filename == "cnnviz-answers-Ada-L.json"
    download.value.save_as(tmp_path / "answers.json")
    record = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert [answer["page"] for answer in record["answers"]] == ["pooling"] * 2
    page.reload()
    expect(page.locator(".stSidebar a", has_text="Pooling ✓")).to_be_visible()
    expect(page.locator(".verdict")).to_have_count(2)
    page.get_by_role("button", name="Delete all").click()
    page.get_by_role("button", name="Really delete all?").click()
    expect(page.locator(".verdict")).to_have_count(0)
    expect(page.locator(".stSidebar a", has_text="✓")).to_have_count(0)
    assert page.evaluate(KEPT) is None


def test_keys_go_on_and_back(pooling):
    page = pooling()
    page.keyboard.press("Alt+PageDown")
    expect(page.locator(".stMain h1")).to_have_text("Activation functions")
    expect(page.locator(".st-key-pager-previous a")).to_have_text("← Pooling")
    until_settled(page)
    page.keyboard.press("Alt+PageUp")
    expect(page.locator(".stMain h1")).to_have_text("Pooling")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_a_word_explains_itself(pooling, width, dark):
    page = pooling("&closer=sizes", width=width, dark=dark, has_touch=width < 500)
    word, card = page.locator('.stMain a[href*="glossary#"]').first, page.locator("#term-card")
    if width < 500:
        word.tap()
    else:
        # As by Tab: the page scrolls to what gets the focus, and its card goes along.
        page.locator(".stMain h1").scroll_into_view_if_needed()
        word.focus()
        word.scroll_into_view_if_needed()
        page.mouse.wheel(0, 40)
        page.wait_for_timeout(200)
    expect(card).to_be_visible()
    expect(word).to_have_attribute("aria-describedby", "term-card")
    box = card.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert violations(page, "#term-card", moderate=True) == []
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    assert "pooling" in page.url
