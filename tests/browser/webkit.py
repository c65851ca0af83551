"""WebKit by WebKitGTK's driver: Debian's webkit2gtk-driver, whose small browser has a screen of Xvfb's."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from browser.driven_page import DrivenPage, answer

DRIVER = Path("/usr/bin/WebKitWebDriver")
WATCH = """() => {
  window.troubles = [];
  addEventListener("error", ({ message }) => window.troubles.push(message));
  addEventListener("unhandledrejection", ({ reason }) => window.troubles.push(String(reason)));
}"""


class WebKitPage(DrivenPage):
    """One page, whose errors are kept once it is loaded."""

    def __init__(self, driver: str) -> None:
        self._driver = driver
        session = self.ask("POST", "/session", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        self._session = f"/session/{session['sessionId']}"

    def ask(self, method: str, path: str, **params: Any) -> Any:
        body = json.dumps(params).encode() if method == "POST" else None
        request = Request(self._driver + path, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=60) as said:
                return json.load(said)["value"]
        except HTTPError as error:
            raise RuntimeError(f"{path}: {json.load(error)['value']['message']}") from None

    def open(self, url: str, width: int, height: int) -> None:
        self.ask("POST", f"{self._session}/timeouts", script=60_000)
        self.ask("POST", f"{self._session}/window/rect", width=width, height=height)
        self.ask("POST", f"{self._session}/url", url=url)
        self.run(WATCH)

    def run(self, function: str, given: Any = None) -> Any:
        script = f"""const done = arguments[1];
          {answer(function, "JSON.parse(arguments[0])")}.then(done, (why) => done(`"!${{why}}"`));"""
        said = json.loads(
            self.ask("POST", f"{self._session}/execute/async", script=script, args=[json.dumps(given)])
        )
        if isinstance(said, str) and said.startswith("!"):
            raise RuntimeError(said)
        return said

    def act(self, actions: list[dict[str, Any]]) -> None:
        self.ask("POST", f"{self._session}/actions", actions=actions)

    @property
    def errors(self) -> list[str]:  # type: ignore[override]
        return self.run("() => window.troubles")

    def close(self) -> None:
        self.ask("DELETE", self._session)


def what_is_missing() -> str:
    """Why WebKit cannot be driven here; "" if it can."""
    if not DRIVER.exists():
        return f"there is no WebKit driver at {DRIVER}: apt-get install webkit2gtk-driver"
    return "" if shutil.which("Xvfb") else "there is no Xvfb: apt-get install xvfb"


@contextmanager
def webkit() -> Iterator[WebKitPage]:
    """A WebKit of its own, on a screen of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "1600x1200x24"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert screen.stdout is not None
    display = re.sub(r"\D", "", screen.stdout.readline())
    driver = subprocess.Popen(
        [str(DRIVER), f"--port={port}"],
        env={"DISPLAY": f":{display}", "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                urlopen(f"{url}/status", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        page = WebKitPage(url)
        yield page
        page.close()
    finally:
        for process in (driver, screen):
            process.terminate()
            process.wait(30)
        screen.stdout.close()
