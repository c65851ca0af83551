"""The lessons' form, of each page as it opens: short, at rest while it loads, with something to play with.

All pages are visited once, each by a session of its own, and what is asked is read off these visits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

from browser.conftest import new_page
from browser.stage_page import place
from browser.waiting import PATIENCE, standing, until_settled
from cnnviz.teaching.lessons import LESSONS

WIDTH, HEIGHT = 1280, 720
THOROUGH = settings.get_current_profile_name() == "thorough"
BEFORE = 65_000
"""Pixels that all pages together were long before they were lessons."""
WATCH = """window.shifts = [];
new PerformanceObserver((list) => {
  for (const { hadRecentInput, startTime, value } of list.getEntries())
    if (!hadRecentInput) window.shifts.push([startTime, value]);
}).observe({ type: "layout-shift", buffered: true });"""
SHIFTED = """() => {
  // Of windows of at most five seconds, with at most a second between two shifts, the sum of the worst.
  let [worst, sum, first, last] = [0, 0, -Infinity, -Infinity];
  for (const [time, value] of window.shifts) {
    if (time - last > 1000 || time - first > 5000) [sum, first] = [0, time];
    [sum, last] = [sum + value, time];
    worst = Math.max(worst, sum);
  }
  return worst;
}"""
NUMBERS = r"""() => {
  const found = [];
  const visit = (node) => {
    for (const child of node.shadowRoot?.childNodes ?? []) visit(child);
    for (const child of node.childNodes) {
      if (child.nodeType === Node.ELEMENT_NODE) visit(child);
      if (child.nodeType !== Node.TEXT_NODE || !/\d/.test(child.data)) continue;
      const range = document.createRange();
      range.selectNodeContents(child);
      const { top, bottom, width } = range.getBoundingClientRect();
      if (width && top >= 0 && bottom <= innerHeight) found.push(child.data.trim());
    }
    if (node.matches?.("input") && /\d/.test(node.value)) found.push(node.value);
  };
  visit(document.querySelector(".stMain"));
  return found;
}"""
"""All numbers that are in sight, in the page's text and in its components'."""


def go_on(page) -> None:
    """The next step of the walk."""
    page.locator(".cv-next, .steps .next").click()


def point_at_the_image(page) -> None:
    """A pixel of the stage's image."""
    page.mouse.move(*place(page, 0, 14, 14, 0))


def drag_the_weight_of_red(page) -> None:
    """The first of the three weights, to the left: the sum is written out above or below it."""
    box = standing(page.get_by_role("slider", name="weight of red"))
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()


def press_noise(page) -> None:
    """What is no digit at all."""
    page.locator(".trying-odd").get_by_role("button", name="noise").click()


def drag_a_weight(page) -> None:
    """The first weight of the kernel, to the right."""
    box = standing(page.get_by_role("group", name="Drag a weight, or type one").locator("input").first)
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 10, steps=4)
    page.mouse.up()


def press_on_the_curve(page) -> None:
    """A number right of the middle."""
    box = standing(page.get_by_role("slider", name="The number that goes in"))
    page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"])


ACTIONS: dict[str, Callable[[Any], None]] = {
    "overview": point_at_the_image,
    "try_it": press_noise,
    "kernels": drag_a_weight,
    "one_by_one": drag_the_weight_of_red,
    "activation_functions": press_on_the_curve,
}
"""What the pointer does above the fold; on the other pages it goes on in the walk."""

STILL = 0.1 if THOROUGH else 0.25
"""Below 0.1 little is felt to move. That is for a quiet machine: on a busy one parts come one by one."""
ON_A_PHONE = [
    (lesson, width, height)
    for width, height in ((390, 844), (360, 640))
    for lesson in LESSONS
    if THOROUGH or (lesson in ("one_by_one", "epochs") and height < 800)
]
"""Lessons and small screens on which a finger is tried."""

NOT_STILL_YET = {"kernels": 0.25}
"""Its picture and its controls come late."""

Visit = dict[str, Any]


def visit(page, address: str) -> int:
    """Go there, and wait until all stands; how long the page is."""
    page.goto(address)
    page.locator(".st-key-pager").wait_for()
    until_settled(page)
    return page.evaluate("document.querySelector('.stMain').scrollHeight")


@pytest.fixture(scope="module")
def visits(contexts, explorer) -> dict[str, Visit]:
    """What each page was like as it opened, and what an action changed."""
    found: dict[str, Visit] = {}
    troubles: list[str] = []
    for lesson in LESSONS:
        address = f"{explorer}/{'' if lesson == next(iter(LESSONS)) else lesson}"
        page = new_page(contexts, troubles, width=WIDTH, height=HEIGHT, reduced_motion="reduce")
        page.add_init_script(WATCH)
        one = found[lesson] = {"length": visit(page, address), "shifted": page.evaluate(SHIFTED)}
        one["changed"] = changes_a_number(page, lesson)
        if THOROUGH:
            one["opened"] = visit(page, f"{address}?closer=all")
        page.close()
    assert not troubles
    return found


def changes_a_number(page, lesson: str) -> bool:
    """Whether an action changes a number in sight, and nothing is scrolled for it."""
    from playwright.sync_api import TimeoutError as NothingChanged

    before = page.evaluate(NUMBERS)
    page.set_default_timeout(PATIENCE / 2)
    try:
        ACTIONS.get(lesson, go_on)(page)
        page.wait_for_function(f"(before) => JSON.stringify(({NUMBERS})()) !== before", arg=compact(before))
    except NothingChanged:
        return False
    return page.locator(".stMain").evaluate("(main) => main.scrollTop") == 0


def compact(numbers: list[str]) -> str:
    """As JSON.stringify writes it."""
    return json.dumps(numbers, ensure_ascii=False, separators=(",", ":"))


def test_nothing_moves_while_a_page_loads(visits):
    shifted = {name: round(visit["shifted"], 3) for name, visit in visits.items()}
    assert [name for name, moved in shifted.items() if moved >= NOT_STILL_YET.get(name, STILL)] == [], shifted


def test_a_pointer_changes_a_number_above_the_fold(visits):
    assert [name for name, visit in visits.items() if not visit["changed"]] == []


@pytest.mark.parametrize(("lesson", "width", "height"), ON_A_PHONE)
def test_a_finger_changes_a_number_above_the_fold(open_page, explorer, lesson, width, height):
    address = f"{explorer}/{'' if lesson == next(iter(LESSONS)) else lesson}"
    page = open_page("about:blank", width=width, height=height, has_touch=True, reduced_motion="reduce")
    visit(page, address)
    assert changes_a_number(page, lesson)


def test_the_course_is_short_as_it_opens_and_when_all_is_opened(visits):
    for measure, bar in (("length", BEFORE / 3), *([("opened", 2 * BEFORE / 3)] if THOROUGH else [])):
        lengths = {name: visit[measure] for name, visit in visits.items()}
        print(f"{measure}: {sum(lengths.values()):,} of {bar:,.0f} px: {lengths}")
        assert sum(lengths.values()) <= bar, lengths
