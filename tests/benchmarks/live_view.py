"""How fast the stage answers in Chromium: first paint, hover, clicks, another digit, painting, drawing.

`python tests/benchmarks/live_view.py` moves a real pointer over the file and over the explorer, and prints
what the page reports through performance.measure: first as it is, then with a main thread four times slower
(Chromium's throttling, which leaves the engine's worker as it is). Nothing is asserted: machines differ.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import numpy as np

from cnnviz.resources import app
from cnnviz.stage.export import export

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
RATES = (1, 4)
MEASURED = "name => performance.getEntriesByName(`cnnviz:${name}`).map((entry) => entry.duration)"

START = "name => performance.getEntriesByName(`cnnviz:${name}`)[0].startTime"


def main() -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with tempfile.TemporaryDirectory() as folder:
            file = export(Path(folder) / "digits.html", digits=range(10))
            for rate in RATES:
                print("as it is" if rate == 1 else f"with a main thread {rate} times slower")
                opening = partial(opened, browser, file.as_uri(), rate)
                for measure in (first_paint, hovering, receipts_and_zooms, digits, changes, drawing):
                    measure(opening)
        with Serving() as url:
            digits_in_the_explorer(browser, url)
        browser.close()


def opened(browser, url: str, rate: int, **options):
    """The file on a page of its own, on a machine so much slower."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, **options)
    if rate != 1:
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": rate})
    page.goto(url)
    page.wait_for_function("performance.getEntriesByName('cnnviz:first-draw').length")
    return page


def report(what: str, times: list[float], target: str) -> None:
    middle, high = np.percentile(times, [50, 95])
    print(
        f"{what:<44} median {middle:6.1f} ms   95th percentile {high:6.1f} ms   n={len(times):<4} ({target})"
    )


def hovering(opening) -> None:
    """The pointer over every part of the network, one move a frame, as a hand moves it."""
    page = opening()
    box = page.locator(".cv-network .cv-base").bounding_box()
    for i in range(600):
        across, down = (i * 37) % (box["width"] - 10) + 5, (i * 53) % (box["height"] - 10) + 5
        page.mouse.move(box["x"] + across, box["y"] + down)
    report("hover to drawn", page.evaluate(MEASURED, "hover"), "target: 95th percentile under 16 ms")
    page.close()


def receipts_and_zooms(opening) -> None:
    """From the press to the frame in which the receipt, or the layer, is painted."""
    page = opening(reduced_motion="reduce")
    page.evaluate(WATCH_FRAMES)
    box = page.locator(".cv-network .cv-base").bounding_box()
    for i in range(40):
        across, down = (i * 137) % (box["width"] - 10) + 5, (i * 53) % (box["height"] - 10) + 5
        page.mouse.click(box["x"] + across, box["y"] + down)
        page.wait_for_timeout(40)
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
    report("click to receipt", page.evaluate("waits"), "target: under 100 ms")
    page.evaluate("window.waits.length = 0")
    for i in range(20):
        page.locator(".cv-col").nth(1 + i % 8).click()
        page.wait_for_timeout(40)
        page.keyboard.press("Escape")
    report("name of a layer to the layer", page.evaluate("waits"), "target: under 100 ms")
    page.close()


def first_paint(opening) -> None:
    """From the start of the navigation, and from the data in the page, to the network's first frame."""
    drawn, opened_after = [], []
    for _ in range(8):
        page = opening()
        [duration] = page.evaluate(MEASURED, "first-draw")
        drawn.append(duration)
        opened_after.append(page.evaluate(START, "first-draw") + duration)
        page.close()
    report("the file, from disk to drawn", opened_after, "target: under 1 s")
    report("first drawing after the data arrived", drawn, "target: under 200 ms")


def digits(opening) -> None:
    page = opening()
    for i in (*range(1, 10), *range(10)):
        page.locator(".cv-items select").select_option(str(i))
        page.wait_for_timeout(60)
    report("another digit in a file, to repainted", page.evaluate(MEASURED, "pick-digit"), "no target")
    page.close()


def digits_in_the_explorer(browser, url: str) -> None:
    """From the click to the view's new title, which is written in the frame that repaints."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{url}/?digit=0")
    page.wait_for_selector(".cv-barrow", timeout=60_000)
    page.wait_for_timeout(3000)
    page.evaluate(WATCH)
    step = page.get_by_test_id("stNumberInputStepUp").first
    for i in range(1, 16):
        step.click()
        page.locator(".cv-what", has_text=f"Test digit {i}").wait_for()
        page.wait_for_timeout(250)
    report(
        "another digit in the explorer, click to pixels",
        page.evaluate("clicks"),
        "target: median under 200 ms",
    )
    page.close()


def changes(opening) -> None:
    """A pixel that is painted, to the frame that shows what follows from it."""
    page = opening()
    page.get_by_role("button", name="Paint").click()
    box = page.locator(".cv-network .cv-base").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 70)
    page.mouse.down()
    for i in range(60):
        page.mouse.move(box["x"] + 20 + i, box["y"] + 70 + i % 20)
        page.wait_for_timeout(30)
    page.mouse.up()
    report("a painted pixel, to pixels", page.evaluate(MEASURED, "change"), "target: median under 30 ms")
    page.close()


def drawing(opening) -> None:
    """From a frame's work on the pad to the frame with the maps of what is drawn."""
    page = opening()
    page.locator(".cv-opendraw").click()
    box = page.locator(".cv-pad").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    for i in range(60):
        page.mouse.move(box["x"] + 40 + i, box["y"] + 40 + 2 * i)
        page.wait_for_timeout(30)
    page.mouse.up()
    report("a stroke on the pad, to maps", page.evaluate(MEASURED, "draw"), "target: under 100 ms")
    page.close()


WATCH_FRAMES = """() => {
  window.waits = [];
  // Behind two frames the first has been painted.
  addEventListener("click", (event) => requestAnimationFrame(() => requestAnimationFrame(() =>
    window.waits.push(performance.now() - event.timeStamp))), true);
}"""
WATCH = """() => {
  window.clicks = [];
  let clicked = 0;
  addEventListener("pointerdown", (event) => { clicked = event.timeStamp; }, true);
  const find = (root) => root.querySelector(".cv-what") ??
    [...root.querySelectorAll("*")].map((e) => e.shadowRoot && find(e.shadowRoot)).find(Boolean);
  new MutationObserver(() => requestAnimationFrame(() => {
    if (!clicked) return;
    window.clicks.push(performance.now() - clicked);
    clicked = 0;
  })).observe(find(document), { childList: true, characterData: true, subtree: true });
}"""


class Serving:
    """The explorer on a free port."""

    def __enter__(self) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", str(app()), "--server.port", str(port)]
        self.server = subprocess.Popen(
            [*command, "--server.headless", "true", "--browser.gatherUsageStats", "false"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(app().parent.parent)},
        )
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                urlopen(f"{url}/_stcore/health", timeout=1).close()
                return url
            except OSError:
                time.sleep(0.2)
        raise SystemExit("the explorer did not start")

    def __exit__(self, *_: object) -> None:
        self.server.terminate()
        self.server.wait(10)


if __name__ == "__main__":
    main()
