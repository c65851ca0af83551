"""A real Chromium: Debian's, driven by Playwright. No console error and no failed request in any test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from cnnviz.liveview.export import export
from cnnviz.resources import app

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright for Python is not installed")
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


@pytest.fixture
def open_page(chromium) -> Iterator[Callable]:
    """open_page(url, width=..., dark=...): a page whose errors fail the test at its end."""
    contexts, troubles = [], []

    def bad(said) -> bool:
        # Opened at one of its pages, Streamlit looks for its server below that page first.
        elsewhere = "/_stcore/" in said.location.get("url", "") and "404" in said.text
        return said.type == "error" and not elsewhere

    def visit(url: str, *, width: int = 1280, height: int = 900, dark: bool = False, **options):
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: troubles.append(f"error: {error.message}"))
        page.on("console", lambda said: troubles.append(f"console: {said.text}") if bad(said) else None)
        page.on("requestfailed", lambda request: troubles.append(f"request: {request.url}"))
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture(scope="session")
def explorer(tmp_path_factory) -> Iterator[str]:
    """The explorer on a server of its own: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("explorer") / "log.txt").open("w")
    source = str(app().parent.parent)
    command = [sys.executable, "-m", "streamlit", "run", str(app()), "--server.port", str(port)]
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
        server.wait(10)
        log.close()


@pytest.fixture
def live(open_page, digits_file) -> Callable:
    """live(width=..., dark=...): the file of digits, opened from disk with the network off."""

    def visit(address: str = "", **options):
        page = open_page(digits_file.as_uri() + address, offline=True, **options)
        page.wait_for_selector(".cv-barrow")
        return page

    return visit
