"""A large network in the explorer: file to stage, another layer's maps, a receipt, hover, a change, memory.

`python -m tests.benchmarks.large_network resnet50.keras` serves a page with the live view of the file on
noise, drives it in Chromium, and prints what the page reports through performance.measure. Nothing is
asserted; the machine's load is printed beside.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np

import cnnviz
from tests.benchmarks.live_view import CHROMIUM, FLAGS, MEASURED, report

PAGE = """
import numpy as np, streamlit as st, cnnviz
from cnnviz.stage.component import live_view
net = st.cache_resource(cnnviz.load_model)({path!r})
image = np.random.default_rng(0).uniform(0, 255, net.input_shape[-3:]).astype(np.float32)
st.set_page_config(layout="wide")
live_view(net, image, title="noise")
"""
FIND = """const find = (root) => root.querySelector(".cv") ??
  [...root.querySelectorAll("*")].map((each) => each.shadowRoot && find(each.shadowRoot)).find(Boolean);
const view = (window.cnnvizView ??= find(document).liveView.view);"""
"""JavaScript: the page's view, kept."""
SHOW = f"""async ([act, ...given]) => {{
  {FIND}
  const idle = () => !view.asking.waiting && !view.asking.next && !view.asking.wanted.size;
  const frame = () => new Promise((go) => requestAnimationFrame(go));
  const began = performance.now();
  if (act === "layer") view.zoomTo("layer", given[0]);
  if (act === "pin") view.pin({{ stage: given[0], row: given[1], col: given[2], channel: given[3] }});
  if (act === "change") view.change(given[0]);
  const done = () => idle() && (act !== "change" || view.shownTurn === view.turn);
  do {{
    await new Promise((go) => setTimeout(go, 1));
    await frame();
  }} while (!done());
  const entry = performance.measure(`cnnviz:large-${{act}}`, {{ start: began, end: performance.now() }});
  return entry.duration;
}}"""


def main(path: str) -> None:
    from playwright.sync_api import sync_playwright

    print(f"{path}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        script = Path(folder) / "page.py"
        script.write_text(PAGE.format(path=str(Path(path).resolve())))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
        server = subprocess.Popen(
            [*command, "--server.headless", "true", "--browser.gatherUsageStats", "false"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(cnnviz.__file__).parents[1])},
        )
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            drive(browser, f"http://127.0.0.1:{port}", server.pid)
        finally:
            browser.close()
            server.terminate()
            server.wait(30)


def drive(browser, url: str, server: int) -> None:
    for _ in range(300):
        try:
            urlopen(f"{url}/_stcore/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.2)
    page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page.set_default_timeout(300_000)
    began = time.perf_counter()
    page.goto(url)
    page.wait_for_selector(".cv-col")

    def show(*given):
        return page.evaluate(SHOW, list(given))

    def read(expression: str):
        return page.evaluate(f"() => {{ {FIND} return {expression}; }}")

    show("wait")
    report("file to the stage with its maps", [1000 * (time.perf_counter() - began)], "target: 4 s")
    stages = read("view.plain.stages.map(({ shape }) => shape)")
    chosen = [int(s) for s in np.linspace(2, len(stages) - 4, 8)]
    layers, receipts = [], []
    for s in chosen:
        layers.append(show("layer", s))
        rows, cols, channels = stages[s]
        receipts.append(show("pin", s, rows // 2, cols // 2, channels // 3))
    report("another layer's maps", layers, "target: 300 ms")
    report("a receipt", receipts, "target: 300 ms")
    hovering(page)
    last = read("view.plain.stages.at(-12).name")
    pixel = {"kind": "values", "stage": read("view.plain.stages[0].name"), "at": [100], "values": [1.0]}
    off = {"kind": "channel", "stage": last, "channel": 1}
    report("a channel near the end switched off", [show("change", [off])], "computed by Python")
    report("a changed pixel", [show("change", [pixel])], "computed by Python")
    print(f"Python: {memory(server):.0f} MB (target: under 1,000)")
    tab = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
    print(f"the tab's heap: {tab:.0f} MB, its renderers: {renderers(os.getpid())} (target: under 500 MB)")


def hovering(page) -> None:
    box = page.locator(".cv-level:not([hidden]) .cv-base").first.bounding_box()
    for i in range(200):
        across, down = (i * 37) % (box["width"] - 10) + 5, (i * 53) % (box["height"] - 10) + 5
        page.mouse.move(box["x"] + across, box["y"] + down)
    report("hover to drawn", page.evaluate(MEASURED, "hover"), "target: 95th percentile under 16 ms")


def memory(process: int) -> float:
    """Resident megabytes of a process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1e3


def renderers(process: int) -> str:
    """Resident megabytes of a process's renderers, however deep below it they are."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
            parents[int(status.parent.name)] = int(words[1])
        except (OSError, ValueError):
            continue
    found = []
    for child in parents:
        above = child
        while above in parents and above != process:
            above = parents[above]
        try:
            own = above == process and "--type=renderer" in Path(f"/proc/{child}/cmdline").read_text()
            found += [memory(child)] if own else []
        except (OSError, StopIteration):
            continue
    return ", ".join(f"{size:.0f} MB" for size in found)


if __name__ == "__main__":
    main(*sys.argv[1:])
