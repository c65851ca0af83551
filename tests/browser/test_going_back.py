"""The browser's Back inside a stage: one level at a time, then the page; Escape takes its step along."""

from __future__ import annotations

from browser.stage_page import click, of_view, until
from browser.waiting import until_settled

DEPTH = "(view) => [view.zoom, view.trail.length]"
IS_AT = f"(view, at) => JSON.stringify(({DEPTH})(view)) === JSON.stringify(at)"


def deeper(page) -> None:
    """A receipt, the factor that adds most to it, and near to its layer."""
    click(page, 1, 12, 12, 0)
    until(page, IS_AT, ["network", 1])
    of_view(page, "(view) => view.follow({ stage: 0, row: 12, col: 12, channel: 0 })")
    until(page, IS_AT, ["network", 2])
    page.keyboard.press("+")
    until(page, IS_AT, ["layer", 2])


def test_back_closes_what_was_opened_last_and_then_leaves(live):
    page = live()
    deeper(page)
    for at in (["network", 2], ["network", 1], ["network", 0]):
        page.go_back()
        until(page, IS_AT, at)
    page.go_back()
    page.wait_for_url("about:blank")


def test_what_escape_closed_is_no_step_of_back(live):
    page = live()
    deeper(page)
    for at in (["network", 2], ["network", 1], ["network", 0]):
        page.keyboard.press("Escape")
        until(page, IS_AT, at)
        page.wait_for_function("(count) => (history.state?.place ?? 0) === count", arg=at[1])
    page.go_back()
    page.wait_for_url("about:blank")


def test_in_the_explorer_the_page_stays_and_its_address_too(open_page, explorer):
    page = open_page(f"{explorer}/pooling?digit=3")
    page.locator(".st-key-pager-next a").wait_for()
    page.locator(".stSidebar a", has_text="Overview").click()
    page.locator(".st-key-pager-next a", has_text="Try it").wait_for()
    page.wait_for_selector(".cv-barrow")
    until_settled(page)
    address = page.url
    click(page, 1, 12, 12, 0)
    until(page, IS_AT, ["network", 1])
    page.go_back()
    until(page, IS_AT, ["network", 0])
    assert page.url == address
    page.go_back()
    page.locator(".stMain h1", has_text="Pooling").wait_for()
