"""A real Chromium: Debian's, driven by Playwright. No console error and no failed request in any test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from browser.waiting import PATIENCE
from cnnviz.resources import app
from cnnviz.stage.export import export

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


def new_page(chromium, troubles: list[str], *, width=1280, height=900, dark=False, **options):
    """A page of its own; its errors and failed requests are added to `troubles`."""
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", **options
    )

    def bad(said) -> bool:
        # Opened at one of its pages, Streamlit looks for its server below that page first.
        elsewhere = "/_stcore/" in said.location.get("url", "") and "404" in said.text
        return said.type == "error" and not elsewhere

    page = context.new_page()
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
def open_page(chromium) -> Iterator[Callable]:
    """open_page(url, width=..., dark=...): a page whose errors fail the test at its end."""
    pages, troubles = [], []

    def visit(url: str, **options):
        pages.append(new_page(chromium, troubles, **options))
        pages[-1].goto(url)
        return pages[-1]

    yield visit
    for page in pages:
        page.context.close()
    assert not troubles


@pytest.fixture(scope="session")
def explorer(tmp_path_factory) -> Iterator[str]:
    """The explorer on a server of its own: its address."""
    with streamlit_page(app(), tmp_path_factory.mktemp("explorer")) as url:
        yield url


@contextmanager
def streamlit_page(script: Path, folder: Path) -> Iterator[str]:
    """A Streamlit script on a server of its own, with the log in a folder: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "log.txt").open("w")
    source = str(app().parent.parent)
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    options = ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    server = subprocess.Popen(
        [*command, *options], stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": source}
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urlopen(f"{url}/_stcore/health", timeout=1).close()
                break
            except (URLError, OSError):
                time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(60)
        log.close()


@pytest.fixture(scope="session")
def kept_pages(chromium) -> Iterator[dict]:
    """Pages that tests use one after the other, by their options, each with its errors."""
    kept: dict = {}
    yield kept
    for page, _ in kept.values():
        page.context.close()


@pytest.fixture
def live(chromium, kept_pages, digits_file) -> Iterator[Callable]:
    """live(width=..., dark=...): the file of digits, opened anew from disk with the network off."""

    def visit(address: str = "", **options):
        key = tuple(sorted(options.items()))
        if key not in kept_pages:
            troubles: list[str] = []
            kept_pages[key] = new_page(chromium, troubles, offline=True, **options), troubles
        page, _ = kept_pages[key]
        page.mouse.move(0, 0)
        page.goto("about:blank")
        page.goto(digits_file.as_uri() + address)
        # From near the bars are not seen.
        page.wait_for_selector(".cv-barrow", state="attached")
        return page

    yield visit
    assert not [trouble for _, troubles in kept_pages.values() for trouble in troubles]
