"""The live view in JupyterLab and in marimo: what page and Python tell each other, and what is saved.

Both are started as they are installed beside this Python, with folders of their own; where one is not
installed its tests are skipped.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from browser.large_network import large_network, picture
from browser.stage_page import of_view
from browser.test_large_network import IDLE, INK, PAGE_HERE
from browser.waiting import PATIENCE, expect
from cnnviz.stage.intervention import intervene
from harness.serving import served

CELLS = [
    "import cnnviz\nnet = cnnviz.load_model('mnist_14k')\ndigits = cnnviz.load_mnist()[1][0]",
    "w = cnnviz.view(net, digits[0])\nw",
    "v = cnnviz.view(net, digits[1], walk='from-pixel-to-answer')\nv",
    "v.widget",
]
LARGE = f"""import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import cnnviz
from browser.large_network import large_network, picture
w = cnnviz.view(large_network(), picture())
w"""
PIN = "(holder) => holder.view.pin({ stage: 11, row: 4, col: 5, channel: 7 })"
PAINT = """({ view }) =>
  view.history.commit([{ kind: "values", stage: "input", at: [30, 31], values: [1, 1] }], "Painted")"""
STATE = "(holder) => holder.view.state()"


def alone(command: list[str], folder: Path, health: str):
    """A server with folders of its own."""
    places = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    places |= {"IPYTHONDIR": "ipython", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache"}
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {name: str(home / place) for name, place in places.items()}
    return served(command, folder=folder, log=home / "log.txt", health=health, environment=environment)


@contextmanager
def opened(chromium, url: str) -> Iterator:
    """A page whose script must not throw."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(error.message))
    page.goto(url)
    yield page
    context.close()
    assert not [each for each in thrown if "cnnviz" in each or "cv-" in each], thrown


def until(page, wanted) -> None:
    """Something becomes true, while the page goes on."""
    end = time.monotonic() + PATIENCE / 1000
    while not wanted():
        assert time.monotonic() < end, "it did not come true"
        page.wait_for_timeout(100)


# JupyterLab --------------------------------------------------------------------------------------


def jupyter(folder: Path, *options: str):
    if not (find_spec("jupyterlab") and find_spec("anywidget")):
        pytest.skip("JupyterLab and anywidget are not installed")
    plain = [
        "jupyterlab",
        "--allow-root",
        "--no-browser",
        "--IdentityProvider.token=",
        "--LabApp.news_url=None",
    ]
    return alone([*plain, *options], folder, "/api")


class Kernel:
    """Another client of the one kernel that runs."""

    def __init__(self, folder: Path) -> None:
        from jupyter_client.blocking import BlockingKernelClient

        (connection,) = (folder / "home" / "runtime").glob("kernel-*.json")
        self.client = BlockingKernelClient(connection_file=str(connection))
        self.client.load_connection_file()
        self.client.start_channels()

    def run(self, code: str, value: str = "None"):
        """Run code; then what an expression comes to, as JSON has it, or the error's words."""
        reply = self.client.execute(
            code, user_expressions={"value": f"__import__('json').dumps({value})"}, reply=True, timeout=60
        )["content"]
        if reply["status"] != "ok":
            return f"{reply['ename']}: {reply['evalue']}"
        return json.loads(eval(reply["user_expressions"]["value"]["data"]["text/plain"]))


def run_all(page) -> None:
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


@pytest.fixture(scope="module")
def notebook(tmp_path_factory) -> Path:
    """A folder with a notebook of two views, and one of a network that is too large to be sent whole."""
    folder = tmp_path_factory.mktemp("notebook")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    empty = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    for name, sources in {"views": CELLS, "large": [LARGE]}.items():
        cells = [{**empty, "id": f"cell-{n}", "source": source} for n, source in enumerate(sources)]
        content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}
        (folder / f"{name}.ipynb").write_text(json.dumps(content))
    return folder


def test_jupyterlab_and_python_share_the_state_and_a_saved_notebook_works_alone(chromium, notebook):
    with jupyter(notebook) as url, opened(chromium, f"{url}/lab/tree/views.ipynb?reset") as page:
        expect(
            page.locator(".jp-StatusBar-TextItem, .jp-StatusItem").get_by_text(re.compile("Idle"))
        ).to_be_visible()
        run_all(page)
        holders = page.locator("[data-key]")
        expect(holders).to_have_count(2)
        for n in (0, 1):
            expect(holders.nth(n).locator(".cv-verdict")).to_contain_text(f"predicted {7 - 5 * n}")
        page.wait_for_function("globalThis.cnnvizModels?.size === 2")
        kernel = Kernel(notebook)
        walks_on(holders.nth(1))
        until(page, lambda: kernel.run("", "v.state['walk']") == ["from-pixel-to-answer", 1])
        holders.nth(1).get_by_role("button", name="Back", exact=True).click()
        until(page, lambda: kernel.run("", "v.cell") is None)

        # From the page to Python.
        holders.nth(0).evaluate(PIN)
        until(page, lambda: kernel.run("", "w.cell") == ["conv2d_3", 4, 5, 7])
        holders.nth(0).evaluate(PAINT)
        until(page, lambda: len(kernel.run("", "w.changes")) == 1)
        assert kernel.run("", "[float(w.image[1, 2, 0]), float(w.image[1, 3, 0]), v.cell, v.changes]") == [
            1,
            1,
            None,
            [],
        ]
        shown = holders.nth(0).evaluate("(holder) => [...holder.view.values.at(-1)]")
        np.testing.assert_allclose(kernel.run("", "w.run.output[0].tolist()"), shown, atol=1e-5)

        # From Python to the page.
        kernel.run("v.cell = ('conv2d_1', 6, 9, 3)")
        expect(holders.nth(1).locator(".cv-crumbs li")).to_have_text(
            [re.compile(r"^conv2d_1 .*\(6, 9\) channel 3")]
        )
        kernel.run("v.image = digits[4]")
        expect(holders.nth(1).locator(".cv-title")).to_have_text(re.compile("^image from Python predicted 4"))
        # The widget shown itself is one more view of the same state.
        expect(page.locator(".cv")).to_have_count(3)
        expect(page.locator(".cv .cv-title").last).to_have_text(re.compile("^image from Python predicted 4"))
        kernel.run("v.changes = [{'kind': 'channel', 'stage': 'conv2d', 'channel': 0}]")
        expect(holders.nth(1).locator(".cv-verdict")).to_contain_text(re.compile("before"))
        refused = kernel.run("v.cell = ('conv2d', 99, 0, 0)")
        assert refused == "ValueError: cell must be a cell of 'conv2d' (26, 26, 16), got (99, 0, 0)"
        assert holders.nth(1).evaluate(STATE)["path"][0][1:] == [6, 9, 3]

        # Run again, nothing of before stays: no view, no worker, no model on either side.
        for _ in range(2):
            kept = holders.nth(0).element_handle()
            run_all(page)
            page.wait_for_function("(holder) => !holder.isConnected", arg=kept)
            expect(page.locator("[data-key] .cv-verdict")).to_have_count(2)
        page.wait_for_function("globalThis.cnnvizModels.size === 2")
        until(page, lambda: len(page.workers) == 3)
        kernel.run("from ipywidgets.widgets.widget import _instances")
        assert kernel.run("", "sum(hasattr(each, 'scene') for each in _instances.values())") == 2
        kernel.client.stop_channels()
        page.keyboard.press("Control+s")
        until(page, lambda: "data-key" in (notebook / "views.ipynb").read_text())
        page.wait_for_timeout(500)

    saved = json.loads((notebook / "views.ipynb").read_text())
    saved["cells"].append({**saved["cells"][0], "id": "another", "source": "1", "outputs": []})
    (notebook / "elsewhere.ipynb").write_text(json.dumps(saved))
    with jupyter(notebook, "--KernelSpecManager.allowed_kernelspecs=none") as url:
        with opened(chromium, f"{url}/lab/tree/views.ipynb?reset") as page:
            holder = page.locator("[data-key]").first
            expect(holder.locator(".cv-verdict")).to_contain_text("predicted 7")
            page.keyboard.press("Escape")
            holder.evaluate(PIN)
            expect(holder.locator(".cv-crumbs li").first).to_have_text(re.compile("^conv2d_3"))
            holder.evaluate(PAINT)
            expect(holder.locator(".cv-verdict")).to_contain_text("before")
        # Not trusted, since it was changed outside: no script runs.
        with opened(chromium, f"{url}/lab/tree/elsewhere.ipynb?reset") as page:
            picture = page.locator(".jp-OutputArea-output img").first
            expect(picture).to_be_visible()
            assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 100
            expect(page.get_by_text("trust this notebook").first).to_be_visible()
            expect(page.locator(".cv")).to_have_count(0)


def walks_on(view) -> None:
    """A view that opened with the guided walk, to its second step."""
    title = view.locator(".cv-walkhead h2")
    expect(title).to_have_text("A digit is numbers")
    view.locator(".cv-next").click()
    expect(title).to_have_text("A kernel looks at it")


def test_in_jupyterlab_a_large_network_asks_for_its_numbers_and_for_what_python_computes(chromium, notebook):
    with jupyter(notebook) as url, opened(chromium, f"{url}/lab/tree/large.ipynb?reset") as page:
        expect(
            page.locator(".jp-StatusBar-TextItem, .jp-StatusItem").get_by_text(re.compile("Idle"))
        ).to_be_visible()
        run_all(page)
        asks_and_is_answered(page)
        kernel = Kernel(notebook)
        until(page, lambda: len(kernel.run("", "w.changes")) == 1)
        kernel.client.stop_channels()


def asks_and_is_answered(page) -> None:
    """The one view on a page, of the large network: a layer's maps, a receipt, a channel off."""
    expect(page.locator(".cv-col").first).to_be_visible()
    until(page, lambda: of_view(page, IDLE))
    assert of_view(page, "({ plain }) => plain.header.far")
    s = of_view(page, "({ scene }) => scene.stages.find(({ name }) => name === 'conv_3 relu').index")
    of_view(page, "(view, s) => view.zoomTo('layer', s)", s)
    until(page, lambda: of_view(page, f"(view) => ({IDLE})(view) && ({PAGE_HERE})(view, {s})"))
    assert min(of_view(page, INK, s)) >= 1
    run = large_network().run(picture())
    of_view(page, "(view, s) => view.pin({ stage: s, row: 4, col: 5, channel: 409 })", s)
    expect(page.locator(".cv-rvalue")).to_be_visible()
    value = of_view(page, "({ receipt }) => receipt.steps.at(-1).value")
    assert np.float32(value) == run["conv_3"][0, 4, 5, 409]
    changes = [{"kind": "channel", "stage": "conv_1 relu", "channel": 3}]
    of_view(page, "(view, changes) => view.history.commit(changes, 'Off')", changes)
    until(page, lambda: of_view(page, "(view) => view.computedBy === 'python' && Boolean(view.before)"))
    changed, _ = intervene(large_network(), picture(), changes)
    probabilities = of_view(page, "({ values, scene }) => [...values[scene.output.index]]")
    np.testing.assert_array_equal(np.float32(probabilities), changed.output[0])


# marimo ------------------------------------------------------------------------------------------

MARIMO = """import marimo
app = marimo.App()

@app.cell
def _():
    import cnnviz
    net = cnnviz.load_model("mnist_14k")
    digits = cnnviz.load_mnist()[1][0]
    w = cnnviz.view(net, digits[0], walk="from-pixel-to-answer")
    w
    return cnnviz, digits, net, w

@app.cell
def _(cnnviz, digits, net):
    v = cnnviz.view(net, digits[1])
    v.cell = ("conv2d_1", 6, 9, 3)
    v
    return (v,)

@app.cell
def _():
    import marimo as mo
    ask = mo.ui.button(value=0, on_click=lambda n: n + 1, label="ask")
    ask
    return ask, mo

@app.cell
def _(ask, mo, w, v, digits):
    if ask.value == 2:
        v.image = digits[4]
    mo.md(f"asked {ask.value}: {w.cell} {len(w.changes)} {v.cell}")
    return

if __name__ == "__main__":
    app.run()
"""


def test_marimo_and_python_share_the_state(chromium, tmp_path):
    if not (find_spec("marimo") and find_spec("anywidget")):
        pytest.skip("marimo and anywidget are not installed")
    (tmp_path / "views.py").write_text(MARIMO)
    command = ["marimo", "run", "views.py", "--headless", "--no-token"]
    with alone(command, tmp_path, "/health") as url, opened(chromium, url) as page:
        roots = page.locator(".cv")
        expect(roots).to_have_count(2)
        expect(roots.nth(0).locator(".cv-verdict")).to_contain_text("predicted 7")
        expect(roots.nth(1).locator(".cv-crumbs li")).to_have_text(
            [re.compile(r"^conv2d_1 .*\(6, 9\) channel 3")]
        )
        expect(roots.nth(0)).to_have_attribute("data-theme", "light")
        walks_on(roots.nth(0))
        of_view = "(root) => (%s)(root.getRootNode().host)"
        assert roots.nth(0).evaluate(of_view % "({ view }) => view.colours.theme") == "light"
        roots.nth(0).evaluate(of_view % PIN)
        roots.nth(0).evaluate(of_view % PAINT)
        page.wait_for_timeout(1000)
        page.get_by_role("button", name="ask").click()
        expect(page.get_by_text("asked 1:")).to_contain_text("('conv2d_3', 4, 5, 7) 1")
        page.get_by_role("button", name="ask").click()
        expect(roots.nth(1).locator(".cv-title")).to_have_text(re.compile("^image from Python predicted 4"))


def test_without_anywidget_marimo_shows_the_page(chromium, tmp_path):
    if not find_spec("marimo"):
        pytest.skip("marimo is not installed")
    without = "import cnnviz.stage.notebook\n    cnnviz.stage.notebook.available = bool\n    "
    (tmp_path / "views.py").write_text(MARIMO.replace("net =", f"{without}net =", 1))
    command = ["marimo", "run", "views.py", "--headless", "--no-token"]
    with alone(command, tmp_path, "/health") as url, opened(chromium, url) as page:
        frame = page.frame_locator("iframe").first
        expect(frame.locator(".cv-verdict")).to_contain_text("predicted 7")
        frame.locator("[id^=cnnviz-]").evaluate(PIN)
        expect(frame.locator(".cv-crumbs li").first).to_have_text(re.compile("^conv2d_3"))


def test_in_marimo_a_large_network_asks_too(chromium, tmp_path):
    if not (find_spec("marimo") and find_spec("anywidget")):
        pytest.skip("marimo and anywidget are not installed")
    indented = LARGE.replace("\n", "\n    ")
    cell = f"@app.cell\ndef _():\n    {indented}\n    return (w,)\n"
    (tmp_path / "large.py").write_text(f"import marimo\napp = marimo.App()\n\n{cell}")
    command = ["marimo", "run", "large.py", "--headless", "--no-token"]
    with alone(command, tmp_path, "/health") as url, opened(chromium, url) as page:
        asks_and_is_answered(page)
