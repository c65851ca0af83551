"""Lessons on paper: one or two A4 pages, no buttons, nothing cut off, and all as it was afterwards."""

from __future__ import annotations

import re

import pytest
from hypothesis import settings

from browser.stage_page import of_view
from browser.waiting import until_settled
from cnnviz.teaching.lessons import LESSONS

THOROUGH = settings.get_current_profile_name() == "thorough"
PRINTED = list(LESSONS) if THOROUGH else ["kernels", "verification", "why_convolution"]
"""One with a tool of its own, one with the stage and the most below it, one whose name ends as another's."""
BUTTONS = """() => {
  const seen = [];
  const visit = (node) => {
    for (const child of [...(node.shadowRoot?.children ?? []), ...node.children]) {
      const bare = child.matches("button") && !child.closest("[aria-checked=true], .cv");
      if (bare && child.checkVisibility()) seen.push(child.textContent.trim() || child.className);
      visit(child);
    }
  };
  visit(document.querySelector(".stApp"));
  return seen;
}"""
WIDTHS = "(view) => [view.root.clientWidth, view.size.width, view.slide === null]"


@pytest.mark.parametrize("lesson", PRINTED)
def test_a_lesson_is_one_or_two_pages_without_buttons(open_page, explorer, lesson):
    page = open_page(f"{explorer}/{lesson}?digit=3", height=720)
    page.locator(".st-key-pager").wait_for()
    until_settled(page)
    has_stage = page.locator(".cv-barrow").count() > 0
    before = of_view(page, WIDTHS) if has_stage else None
    pdf = page.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 2
    assert not has_stage or of_view(page, WIDTHS) == before
    page.emulate_media(media="print")
    assert page.evaluate(BUTTONS) == []
    assert page.locator(".cv-passing:visible").count() == 0, "what is so for a moment only"
    assert page.locator(".stSidebar").is_hidden()
    assert page.locator(".printed").inner_text() == f"{explorer}/{lesson}?digit=3"


@pytest.mark.parametrize("dark", [False, True])
def test_the_stage_is_laid_out_for_the_sheet_and_light(live, dark):
    page = live(dark=dark)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    width, theme = of_view(page, "(view) => [view.root.clientWidth, view.root.dataset.theme]")
    assert width < 186 / 25.4 * 96, "an A4 page less its margins"
    assert theme == "light"
    ends = "({ level }) => Math.max(...level.maps.rects.map(({ x, width }) => x + width))"
    assert of_view(page, ends) <= width
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert of_view(page, "(view) => view.root.dataset.theme") == ("dark" if dark else "light")
