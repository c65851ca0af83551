"""axe-core finds no serious violation in any of the main states, light or dark, wide or narrow."""

from __future__ import annotations

import re

import pytest

from browser.axe import violations
from browser.stage_page import of_view, show, until
from browser.waiting import expect, until_settled

DEEP = [["softmax", 0, 0, 7], ["conv2d_7", 0, 0, 7], ["batch_normalization_6", 1, 1, 3]]
STATES = {
    "plain": {},
    "probability": {"path": DEEP[:1]},
    "receipt": {"path": DEEP},
    "pool": {"path": [["max_pooling2d", 4, 5, 7]]},
    "pixel": {"path": [["conv2d", 4, 5, 7], ["input", 5, 6, 0]]},
    "layer": {"layer": "conv2d_3", "zoom": "layer"},
    "layer and receipt": {"path": DEEP, "zoom": "layer"},
    "cell": {"path": [["conv2d_3", 4, 5, 7]], "zoom": "cell"},
    "cell of a pool": {"path": [["max_pooling2d", 4, 5, 7]], "zoom": "cell"},
    "cell of a softmax": {"path": DEEP[:1], "zoom": "cell"},
    "said": {"model": "elsewhere", "item": "nowhere"},
}

CHANGES = [
    {"kind": "channel", "stage": "conv2d relu", "channel": 3},
    {"kind": "shift", "rows": 2, "cols": 1},
    {"kind": "weights", "array": "conv2d_7/bias", "at": [3], "values": [40]},
]
LIVE = {
    "playing": {"zoom": "layer", "layer": "conv2d_1", "play": ["conv2d_1", 3, 100]},
    "changed": {"changes": CHANGES, "path": DEEP},
    "changed, one cell": {"changes": CHANGES, "path": [["conv2d relu", 4, 5, 3]], "zoom": "cell"},
    "an image of one's own": {"image": {"title": "mine", "pixels": "_w" + "A" * 1044}},
}
"""States in which something is computed or moves."""


@pytest.mark.parametrize("dark", [False, True])
def test_no_violation_in_a_file(live, dark):
    page = live(dark=dark, height=720)
    for name, state in STATES.items():
        show(page, state)
        assert violations(page, moderate=True) == [], name
    for name, state in LIVE.items():
        of_view(page, "(view, state) => view.take(state)", state)
        until(
            page,
            "(view) => view.shownTurn === view.turn && !view.root.getAnimations({ subtree: true }).length",
        )
        assert violations(page, moderate=True) == [], name
    of_view(page, "(view, changes) => view.history.commit(changes, 'Changed')", CHANGES)
    expect(page.locator(".cv-live")).to_have_text(re.compile("^Changed. (now|still) "))
    page.locator("[data-list]").click()
    assert violations(page, moderate=True) == [], "the list of changes"
    page.keyboard.press("Escape")
    page.locator(".cv-opendraw").click()
    assert violations(page, moderate=True) == [], "the pad"


def test_no_violation_on_a_phone(live):
    page = live(width=360, height=640, has_touch=True, is_mobile=True)
    for name in ("plain", "receipt", "layer and receipt", "cell"):
        show(page, STATES[name])
        assert violations(page, moderate=True) == [], name


def test_no_violation_while_playing_on_a_phone(live):
    page = live(width=360, height=780)
    page.locator(".cv-openplay").click()
    assert violations(page, moderate=True) == []


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_no_violation_while_drawing_and_changing_numbers(open_page, explorer, width, dark):
    page = open_page(f"{explorer}/?digit=0&view=trail%3Dconv2d~9~12~3", width=width, dark=dark)
    page.wait_for_selector(".cv-barrow")
    until_settled(page)
    live = ".st-key-live"
    page.locator(".cv-opendraw").click()
    page.locator(".cv-pad").focus()
    for key in ("Space", "ArrowDown", "ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    page.locator(".cv-engine", has_text="redicted").wait_for()
    until_settled(page)
    assert violations(page, live, moderate=True) == []
    page.locator(".cv-panel [data-do=close]").click()
    expect(page.locator(".cv-what")).to_have_text("Test digit 0")
    page.get_by_role("button", name="Switch channel 3 off").click()
    expect(page.locator(".cv-edits")).to_contain_text("1 change")
    page.locator("[data-list]").click()
    assert violations(page, live, moderate=True) == []
    show(page, {"path": [["conv2d", 9, 12, 3]], "zoom": "cell"})
    page.locator('.cv-card [data-role="w"]').first.click()
    page.locator(".cv-form:not(.cv-goto) input").wait_for()
    until_settled(page)
    assert violations(page, live, moderate=True) == []
