"""From a click to the finished page, on every page of the explorer, in a real Chromium.

Run it with `python tests/benchmarks/pages.py [page ...]` on a machine that does nothing else; it prints a
report and tests nothing. A page is finished when the script has ended, nothing runs after it, and the frame
is drawn. Clicks are another digit, one of the page's own widgets, and coming from another page; the server
is warm for the page, not for what the click asks of it.
"""

from __future__ import annotations

import argparse

import numpy as np
from serving import Serving

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
TARGET = "target: median under 300 ms, 95th percentile under 800 ms"

WATCH = """() => {
  let clicked = 0, ended = 0, running = false;
  const input = (event) => { clicked = event.timeStamp; ended = 0; };
  addEventListener("pointerdown", input, true);
  addEventListener("keydown", input, true);
  const app = document.querySelector("[data-test-script-state]");
  const look = () => {
    running = app.getAttribute("data-test-script-state") !== "notRunning";
    if (!running) requestAnimationFrame(() => setTimeout(() => { ended = performance.now(); }));
  };
  new MutationObserver(look).observe(app, { attributes: true, attributeFilter: ["data-test-script-state"] });
  window.measured = () => {
    const now = performance.now();
    if (running) return null;
    if (ended > clicked) return now - ended > 250 ? ended - clicked : null;
    return now - clicked > 3000 ? -1 : null; // Nothing came of it.
  };
}"""


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="*", help="names in the address; all if none is given")
    parser.add_argument("--clicks", type=int, default=8, help="of each kind on each page")
    args = parser.parse_args()
    times: dict[str, list[float]] = {}
    with Serving() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(f"{server.url}/?digit=3")
        page.wait_for_selector(".stPageLink a")
        links = page.locator(".stSidebar .stPageLink a")
        names = [link.get_attribute("href").split("?")[0].strip("/") or "overview" for link in links.all()]
        page.evaluate(WATCH)
        page.wait_for_timeout(3000)
        for place, name in enumerate(names):
            if not args.pages or name in args.pages:
                for kind, found in visit(page, links, place, args.clicks).items():
                    say(f"{name}: {kind}", found)
                    times.setdefault(kind, []).extend(found)
        browser.close()
    print()
    for kind, found in times.items():
        say(kind, found)
    say(f"all clicks ({TARGET})", [ms for found in times.values() for ms in found])


def say(what: str, found: list[float]) -> None:
    if found:
        middle, high = np.percentile(found, [50, 95])
        print(f"{what:<44} median {middle:5.0f} ms   95 % {high:5.0f} ms   n={len(found)}", flush=True)


def visit(page, links, place: int, clicks: int) -> dict[str, list[float]]:
    """Open a page once to warm it up, then measure all kinds of clicks on it."""
    other = links.nth(1 if place == 0 else 0)
    measure(page, links.nth(place).click)
    digit = page.locator(".st-key-header").get_by_test_id("stNumberInputStepUp")
    found = {
        "another digit": [measure(page, digit.click) for _ in range(clicks)],
        "its widget": [widget(page, turn) for turn in range(clicks)],
        "page opened": [],
    }
    for _ in range(max(2, clicks // 2)):
        measure(page, other.click)
        found["page opened"].append(measure(page, links.nth(place).click))
    return {kind: [ms for ms in times if ms is not None] for kind, times in found.items()}


def widget(page, turn: int) -> float | None:
    """Move the first widget below the header, forth and then on; None where there is none."""
    main = page.locator(".stMain .stElementContainer:not(.st-key-header *)")
    slider = main.get_by_role("slider").first
    number = main.get_by_test_id("stNumberInputStepUp").first
    less = main.get_by_test_id("stNumberInputStepDown").first
    choice = main.locator(".stSelectbox input").first
    if slider.count():
        slider.focus()
        return measure(page, lambda: page.keyboard.press("ArrowLeft" if turn % 8 < 4 else "ArrowRight"))
    if choice.count():
        choice.click()
        page.keyboard.press("ArrowDown" if turn % 2 == 0 else "ArrowUp")
        return measure(page, lambda: page.keyboard.press("Enter"))
    if number.count():
        return measure(page, (number if number.is_enabled() else less).click)
    return None


def measure(page, act) -> float | None:
    """Milliseconds from an input to the finished page; None if it changed nothing."""
    act()
    found = page.wait_for_function("measured()").json_value()
    return found if found > 0 else None


if __name__ == "__main__":
    main()
