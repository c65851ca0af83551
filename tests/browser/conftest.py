"""A real Chromium: Debian's, driven by Playwright. No console error and no failed request in any test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cnnviz
from browser.waiting import PATIENCE
from cnnviz.resources import app
from cnnviz.stage.export import export, export_images, mnist_digits
from cnnviz.teaching.walks import WALKS
from harness.serving import SOURCE, served

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright for Python is not installed")
    playwright.expect.set_options(timeout=PATIENCE)
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}: apt-get install chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three test digits as one file."""
    return export(tmp_path_factory.mktemp("live") / "digits.html", digits=[0, 7, 42])


@pytest.fixture(scope="session")
def walk_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two test digits as one file, which opens with the guided walk."""
    net = cnnviz.load_model("mnist_14k")
    walk = next(iter(WALKS))
    return export_images(tmp_path_factory.mktemp("walk") / "walk.html", net, mnist_digits([0, 7]), None, walk)


@pytest.fixture(scope="session")
def contexts(chromium) -> Iterator[Callable]:
    """contexts(**options): a context for pages with these options, which keeps what they have fetched."""
    kept: dict = {}

    def context(**options):
        key = tuple(sorted(options.items()))
        if key not in kept:
            kept[key] = chromium.new_context(**options)
        return kept[key]

    yield context
    for each in kept.values():
        each.close()


def new_page(contexts, troubles: list[str], *, width=1280, height=900, dark=False, **options):
    """A page of its own; its errors and failed requests are added to `troubles`."""

    def bad(said) -> bool:
        # Opened at one of its pages, Streamlit looks for its server below that page first.
        elsewhere = "/_stcore/" in said.location.get("url", "") and "404" in said.text
        return said.type == "error" and not elsewhere

    page = contexts(**options).new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: troubles.append(f"error: {error.message}"))
    page.on("console", lambda said: troubles.append(f"console: {said.text}") if bad(said) else None)
    page.on(
        "requestfailed", lambda request: troubles.append(f"request: {request.url}") if lost(request) else None
    )
    return page


def lost(request) -> bool:
    """Whether a request has failed; one that the browser gave up to go to another page has not."""
    return request.failure != "net::ERR_ABORTED"


@pytest.fixture
def open_page(contexts) -> Iterator[Callable]:
    """open_page(url, width=..., dark=...): a page whose errors fail the test at its end."""
    pages, troubles = [], []

    def visit(url: str, **options):
        pages.append(new_page(contexts, troubles, **options))
        pages[-1].goto(url)
        return pages[-1]

    yield visit
    for page in pages:
        page.close()
    assert not troubles


@pytest.fixture(scope="session")
def explorer(tmp_path_factory) -> Iterator[str]:
    """The explorer on a server of its own: its address."""
    with streamlit_page(app(), tmp_path_factory.mktemp("explorer")) as url:
        yield url


@contextmanager
def streamlit_page(script: Path, folder: Path) -> Iterator[str]:
    """A Streamlit script on a server of its own, with the log in a folder: its address."""
    command = ["streamlit", "run", str(script), "--server.headless=true", "--browser.gatherUsageStats=false"]
    options = {"log": folder / "log.txt", "health": "/_stcore/health", "port": "--server.port"}
    with served(command, folder=SOURCE, **options) as url:
        yield url


@pytest.fixture(scope="session")
def kept_pages() -> dict:
    """Pages that tests use one after the other, by their options, each with its errors."""
    return {}


@pytest.fixture
def live(contexts, kept_pages, digits_file) -> Iterator[Callable]:
    """live(width=..., dark=...): the file of digits, opened anew from disk with the network off."""

    def visit(address: str = "", **options):
        key = tuple(sorted(options.items()))
        if key not in kept_pages:
            troubles: list[str] = []
            kept_pages[key] = new_page(contexts, troubles, offline=True, **options), troubles
        page, _ = kept_pages[key]
        page.mouse.move(0, 0)
        page.goto("about:blank")
        page.goto(digits_file.as_uri() + address)
        # From near the bars are not seen.
        page.wait_for_selector(".cv-barrow", state="attached")
        return page

    yield visit
    assert not [trouble for _, troubles in kept_pages.values() for trouble in troubles]
