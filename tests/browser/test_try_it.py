"""A digit of one's own in a real browser: drawn by mouse, keys and touch, on every page, and back again."""

from __future__ import annotations

import re

import pytest

from browser.axe import violations
from browser.waiting import copied, expect, standing, until_address, until_fits, until_settled

SEVEN = [(0.3, 0.25), (0.5, 0.25), (0.7, 0.25), (0.6, 0.5), (0.45, 0.8)]


@pytest.fixture
def try_it(open_page, explorer):
    def visit(query: str = "", **options):
        page = open_page(f"{explorer}/try_it{query}", **options)
        page.locator(".cv-pad").wait_for()
        page.get_by_text("Show the code").wait_for()
        until_settled(page)
        return page

    return visit


def spots(page) -> list[tuple[float, float]]:
    """The corners of a seven on the pad, in the window."""
    box = standing(page.locator(".cv-pad"))
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]


def draw_by_mouse(page) -> None:
    (first, *others) = spots(page)
    page.mouse.move(*first)
    page.mouse.down()
    for spot in others:
        page.mouse.move(*spot, steps=4)
    page.mouse.up()


def draw_by_keys(page) -> None:
    page.locator(".cv-pad").focus()
    for key in ["ArrowLeft"] * 7 + ["Space"] + ["ArrowRight"] * 14 + ["Shift+ArrowDown"] * 5 + ["Space"]:
        page.keyboard.press(key)


def draw_by_touch(page) -> None:
    hand = page.context.new_cdp_session(page)
    for kind, points in [
        *(("touchMove" if n else "touchStart", [{"x": x, "y": y}]) for n, (x, y) in enumerate(spots(page))),
        ("touchEnd", []),
    ]:
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def card(page, words: str) -> None:
    """Wait until the header says so."""
    page.locator(".card", has_text=words).wait_for()


def own_drawing(page) -> str:
    """The drawing in the address, once it is there."""
    page.wait_for_function("new URL(location.href).searchParams.get('own')?.length > 100")
    return page.evaluate("new URL(location.href).searchParams.get('own')")


def go_to(page, name: str) -> None:
    page.locator(".stSidebar").get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=name, exact=True, level=1).wait_for()


def test_a_drawing_goes_to_every_page_stays_after_a_reload_and_goes_back_and_forward(try_it):
    page = try_it("?digit=3&closer=prepared")
    draw_by_mouse(page)
    expect(page.locator(".trying-verdict")).to_have_text(
        re.compile("^Of your drawing the network says 7 with")
    )
    card(page, "your digit")
    page.get_by_text("168 × 168 pixels").wait_for()
    drawn = own_drawing(page)
    assert copied(page, page.get_by_role("button", name="Copy link")) == page.url
    go_to(page, "Feature maps")
    until_address(page, "own", drawn)
    go_to(page, "Verification")
    card(page, "your digit")
    page.reload()
    card(page, "your digit")
    until_address(page, "own", drawn)
    page.get_by_role("button", name="Back to the test digit").click()
    card(page, "The label says")
    until_address(page, "own", None)
    page.go_back()
    card(page, "your digit")
    until_address(page, "own", drawn)
    page.go_forward()
    card(page, "The label says")
    until_address(page, "digit", "3")


def test_what_is_no_digit_is_answered_at_once_and_goes_to_every_page(try_it):
    page = try_it("?digit=3&model=mnist_14k")
    verdict, bars = page.locator(".trying-verdict"), page.locator(".trying-bars li")
    expect(verdict).to_have_text(re.compile("^Of test digit 3 the network says 0 with"))
    blank = page.get_by_role("button", name="a blank sheet")
    blank.click()
    expect(verdict).to_have_text(re.compile("^Of a blank sheet the network says 1 with 99.66 %"))
    expect(bars.nth(1)).to_have_text("199.66 %")
    expect(blank).to_have_attribute("aria-pressed", "true")
    card(page, "a blank sheet")
    own_drawing_of = "new URL(location.href).searchParams.get('own')"
    page.wait_for_function(f"{own_drawing_of} !== null")
    # What is drawn after it counts, and so does another digit that is chosen behind it.
    draw_by_mouse(page)
    expect(verdict).to_have_text(re.compile("^Of your drawing the network says 7 with"))
    card(page, "your digit")
    page.get_by_role("button", name="Back to the test digit").click()
    expect(verdict).to_have_text(re.compile("^Of test digit 3 the network says 0 with"))


def test_keys_alone_draw_undo_and_pick_a_mistake(try_it):
    page = try_it("?closer=hard")
    draw_by_keys(page)
    page.locator(".trying [role=status]", has_text="Brush up. Of your drawing the network says 7").wait_for()
    card(page, "your digit")
    page.keyboard.press("Control+z")
    page.locator(".trying [role=status]", has_text="The pad is empty").wait_for()
    until_settled(page)
    tiles = page.locator(".tile")
    expect(page.locator('.tile[tabindex="0"]'), "Tab comes to one of them").to_have_count(1)
    tiles.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    name = page.evaluate(
        """() => {
          let at = document.activeElement;
          while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
          return at.getAttribute("aria-label");
        }"""
    )
    page.keyboard.press("Enter")
    card(page, "The label says")
    index = name.split()[1]
    until_address(page, "digit", index)
    page.locator(f'.tile[aria-pressed="true"][aria-label^="Image {index} "]').wait_for()


def test_touch_draws_in_the_live_view_and_every_page_can_use_it(open_page, explorer):
    page = open_page(explorer, width=400, height=900, has_touch=True)
    page.get_by_text("Show the code").wait_for()
    until_settled(page)
    page.locator(".cv-opendraw").tap()
    page.locator(".cv-pad").focus()
    for key in ("Space", "Escape", "Backspace"):
        page.keyboard.press(key)
    # Escape lifts the brush; the next one would close the pad.
    page.locator(".cv-draw [role=status]", has_text="The pad is empty").wait_for(state="attached")
    expect(page.locator(".cv-draw")).to_be_visible()
    draw_by_touch(page)
    page.locator(".cv-what", has_text="your drawing").wait_for()
    # The pages around have it, and the pen may go on.
    card(page, "your digit")
    card(page, "7 with")
    expect(page.locator(".cv-draw")).to_be_visible()
    page.wait_for_url("**own=*")


def test_no_serious_violation_and_nothing_too_wide(try_it):
    page = try_it("?closer=prepared", width=360, dark=True)
    draw_by_mouse(page)
    card(page, "your digit")
    page.get_by_text("168 × 168 pixels").wait_for()
    until_settled(page)
    assert violations(page) == []
    until_fits(page)
