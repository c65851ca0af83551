"""Firefox without a driver: Debian's firefox-esr, asked in WebDriver BiDi over its own socket."""

from __future__ import annotations

import base64
import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser.driven_page import DrivenPage, answer

FIREFOX = Path("/usr/bin/firefox-esr")


class FirefoxPage(DrivenPage):
    """One page, whose errors are kept."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._numbers = socket, itertools.count()
        self.errors: list[str] = []
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=["log.entryAdded"])
        self._context = self.ask("browsingContext.create", type="tab")["context"]

    def ask(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv(60))
            if said.get("method") == "log.entryAdded" and said["params"]["level"] == "error":
                self.errors.append(said["params"]["text"])
            if said.get("id") == number:
                if said["type"] == "error":
                    raise RuntimeError(f"{method}: {said['message']}")
                return said["result"]

    def open(self, url: str, width: int, height: int) -> None:
        self.ask(
            "browsingContext.setViewport",
            context=self._context,
            viewport={"width": width, "height": height},
        )
        self.ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def run(self, function: str, given: Any = None) -> Any:
        said = self.ask(
            "script.evaluate",
            expression=answer(function, json.dumps(given)),
            target={"context": self._context},
            awaitPromise=True,
        )
        if said["type"] == "exception":
            raise RuntimeError(said["exceptionDetails"]["text"])
        return json.loads(said["result"]["value"])

    def act(self, actions: list[dict[str, Any]]) -> None:
        self.ask("input.performActions", context=self._context, actions=actions)

    def screenshot(self, path: Path) -> None:
        said = self.ask("browsingContext.captureScreenshot", context=self._context)
        path.write_bytes(base64.b64decode(said["data"]))


@contextmanager
def firefox(folder: Path) -> Iterator[FirefoxPage]:
    """A Firefox of its own, with a new profile in a folder."""
    from websockets.sync.client import connect

    command = [
        str(FIREFOX),
        "--headless",
        "--no-remote",
        "--profile",
        str(folder),
        "--remote-debugging-port",
        "0",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if said := re.search(r"WebDriver BiDi listening on (\S+)", line):
                break
        else:
            raise RuntimeError("Firefox does not listen")
        with connect(f"{said[1]}/session", max_size=100_000_000) as socket:
            yield FirefoxPage(socket)
    finally:
        process.terminate()
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()
