"""What the browser tests wait for where no single word on the page says it: rest, an address, a copy."""

from __future__ import annotations

try:
    from playwright.sync_api import expect
except ImportError:  # The fixture `chromium` skips the tests.
    expect = None

PATIENCE = 60_000
"""Milliseconds: where four processes share two slow cores, a page takes its time."""

_SETTLED = """() => {
  const busy = document.querySelector(".stApp")?.dataset.testScriptState !== "notRunning"
    || document.querySelector('[data-stale="true"]');
  if (busy) window.restsSince = null;
  else window.restsSince ??= performance.now();
  return !busy && performance.now() - window.restsSince > 400;
}"""
_STANDING = """async (element) => {
  for (let [was, same] = ["", 0]; same < 5; ) {
    await new Promise(requestAnimationFrame);
    const now = JSON.stringify(element.getBoundingClientRect());
    same = now === was ? same + 1 : 0;
    was = now;
  }
  return element.getBoundingClientRect().toJSON();
}"""


def until_settled(page) -> None:
    """The app has come to rest: nothing on the page is of an earlier run, and no component asks for another.

    Before what must not change meanwhile: a measure, a search for violations, a count of messages.
    """
    page.evaluate("window.restsSince = null")
    page.wait_for_function(_SETTLED)


def standing(locator) -> dict[str, float]:
    """Where an element is in the window, once nothing moves it any more."""
    locator.scroll_into_view_if_needed()
    return locator.evaluate(_STANDING)


def until_address(page, name: str, value: str | None) -> None:
    """The address has that value, None for none; it is written when the page is finished."""
    page.wait_for_function(
        "([name, value]) => new URLSearchParams(location.search).get(name) === value", arg=[name, value]
    )


def until_fits(page) -> None:
    """Nothing is wider than the window."""
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")


def copied(page, button) -> str:
    """What a button copies."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('')")
    button.click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()) !== ''")
    return page.evaluate("navigator.clipboard.readText()")
