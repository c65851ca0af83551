"""How the explorer bears a class: sessions over Streamlit's own protocol that pick digits and change pages.

Run it with `python tests/benchmarks/load.py` on a machine that does nothing else; it prints a report and
fails only if a session saw an error. Each session is a WebSocket that sends what a browser sends and reads
all it is sent; what it leaves out is drawing the page. Times are of reruns: from the message sent to
"script finished" received.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
from serving import Serving
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from websockets.asyncio.client import connect

KEPT = ("digit", "own", "model")
"""What links between pages carry along."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between a session's actions")
    parser.add_argument("--pages", action="store_true", help="print the reruns of every page")
    args = parser.parse_args()
    with Serving() as server:
        failed = asyncio.run(drive(server, args))
    raise SystemExit(failed)


async def drive(server: Serving, args: argparse.Namespace) -> int:
    """The whole measurement; the number of errors."""
    first = Session(server.place, 0)
    await first.open()
    say("first answer of the server", f"{server.served:.1f} s after the command")
    say("first page finished", f"{server.elapsed():.1f} s after the command (target: under 4 s)")
    await asyncio.sleep(2)
    say("resident memory, one session", f"{server.memory():.0f} MB (target: under 300 MB)")
    sessions = [first, *(Session(server.place, number) for number in range(1, args.sessions))]
    memory: list[tuple[float, float]] = []
    begin = time.perf_counter()

    async def watch() -> None:
        while time.perf_counter() < begin + args.seconds:
            memory.append((time.perf_counter() - begin, server.memory()))
            await asyncio.sleep(1)

    await asyncio.gather(watch(), *(session.live(begin, args) for session in sessions))
    report(sessions, memory, args)
    errors = [f"session {session.number}: {error}" for session in sessions for error in session.errors]
    print("\n".join(errors))
    for session in sessions:
        await session.close()
    return len(errors)


def report(sessions: list[Session], memory: list[tuple[float, float]], args: argparse.Namespace) -> None:
    reruns = [rerun for session in sessions for rerun in session.reruns]
    times = np.array([rerun.seconds for rerun in reruns])
    middle, high, most = np.percentile(times, [50, 95, 100])
    say(
        f"{len(times)} reruns of {len(sessions)} sessions",
        f"median {middle:.2f} s, 95th percentile {high:.2f} s (target: under 1.5 s), longest {most:.2f} s",
    )
    # The first minute fills the caches; of shorter runs the first half is left out.
    settled = min(60.0, args.seconds / 2)
    before = [size for when, size in memory if settled - 5 <= when <= settled + 5]
    after = [size for when, size in memory if when >= args.seconds - 10]
    growth = np.mean(after) / np.mean(before) - 1
    say(
        f"memory from second {settled:.0f} to the end",
        f"{np.mean(before):.0f} to {np.mean(after):.0f} MB, {growth:+.1%} (target: at most +10 %)",
    )
    say("errors", str(sum(len(session.errors) for session in sessions)))
    if args.pages:
        for what in sorted({rerun.what for rerun in reruns}):
            chosen = [rerun.seconds for rerun in reruns if rerun.what == what]
            middle, high = np.percentile(chosen, [50, 95])
            sent = np.median([rerun.received for rerun in reruns if rerun.what == what]) / 1e3
            say(f"  {what}", f"n={len(chosen):<4} median {middle:.2f} s, 95 % {high:.2f} s, {sent:.0f} kB")


def say(what: str, found: str) -> None:
    print(f"{what:<42} {found}", flush=True)


@dataclass
class Rerun:
    what: str
    seconds: float
    received: int


@dataclass
class Session:
    """One browser tab: what it was sent of widgets and pages, and what it sends back."""

    place: str
    number: int
    errors: list[str] = field(default_factory=list)
    reruns: list[Rerun] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    """Hashes of the pages' scripts by their names in the address."""
    page: str = ""
    query: str = ""
    widgets: dict[str, Any] = field(default_factory=dict)
    """The last run's widgets that a key names, by key."""
    texts: list[str] = field(default_factory=list)
    """HTML of the last run."""
    kept: dict[str, bytes] = field(default_factory=dict)
    """Messages that the server may send by their hash alone, as in a browser."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.number)

    async def open(self) -> None:
        self.socket = await connect(
            f"ws://{self.place}/_stcore/stream",
            origin=f"http://{self.place}",  # type: ignore[arg-type]
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
            compression=None,
        )
        await self.rerun("first page")

    async def close(self) -> None:
        await self.socket.close()

    async def live(self, begin: float, args: argparse.Namespace) -> None:
        """Act until the time is over, each session at its own moment of the beat."""
        try:
            if self.number:
                await asyncio.sleep(args.every * self.number / args.sessions)
                await self.open()
            due = time.perf_counter()
            while (due := max(due + args.every, time.perf_counter())) < begin + args.seconds:
                await asyncio.sleep(due - time.perf_counter())
                await self.act()
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    async def act(self) -> None:
        """Another digit, or another page."""
        if self.random.random() < 0.5:
            digit = self.random.randrange(10_000)
            states = WidgetStates()
            state = states.widgets.add()
            state.id, state.int_value = self.widgets["digit"].id, digit
            await self.rerun(f"{self.page or 'overview'}: another digit", states)
            self.expect(f'alt="Test digit {digit:,}, a ')
        else:
            self.page = self.random.choice([name for name in self.pages if name != self.page])
            self.query = urlencode([pair for pair in parse_qsl(self.query) if pair[0] in KEPT])
            await self.rerun(f"{self.page or 'overview'}: page opened")
            self.expect('alt="Test digit ')

    def expect(self, words: str) -> None:
        if not any(words in text for text in self.texts):
            self.errors.append(f"{self.page or 'overview'}?{self.query} does not show {words!r}")

    async def rerun(self, what: str, states: WidgetStates | None = None) -> None:
        """Send what a browser sends, and read all that comes until the script has finished."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_script_hash = self.pages.get(self.page, "")
        message.rerun_script.cached_message_hashes.extend(self.kept)
        message.rerun_script.context_info.color_scheme = "light"
        message.rerun_script.context_info.url = f"http://{self.place}/{self.page}"
        if states is not None:
            message.rerun_script.widget_states.CopyFrom(states)
        self.widgets, self.texts = {}, []
        sent = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        received, finished = 0, False
        async with asyncio.timeout(60):
            while not finished:
                data = await self.socket.recv(decode=False)
                received += len(data)
                finished = self.take(data)
        self.reruns.append(Rerun(what, time.perf_counter() - sent, received))

    def take(self, data: bytes) -> bool:
        """Note what matters in a message; whether it says that the script has finished."""
        message = ForwardMsg.FromString(data)
        if message.WhichOneof("type") == "ref_hash":
            whole = ForwardMsg.FromString(self.kept[message.ref_hash])
            whole.metadata.CopyFrom(message.metadata)
            message = whole
        elif message.metadata.cacheable and message.hash:
            self.kept[message.hash] = data
        kind = message.WhichOneof("type")
        if kind == "navigation":
            self.pages = {
                "" if page.is_default else page.url_pathname: page.page_script_hash
                for page in message.navigation.app_pages
            }
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self.note(message.delta.new_element)
        elif kind == "script_finished":
            status = ForwardMsg.ScriptFinishedStatus.Name(message.script_finished)
            if status != "FINISHED_SUCCESSFULLY":
                # A script that asks for another run ends early, and goes on.
                if status == "FINISHED_EARLY_FOR_RERUN":
                    return False
                self.errors.append(f"{self.page}?{self.query} ended with {status}")
            return True
        return False

    def note(self, element: Any) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.errors.append(f"{self.page}?{self.query}: {element.exception.message}")
        elif kind == "html":
            self.texts.append(element.html.body)
        elif kind == "number_input" and (
            key := re.search(r"-choice\.(\w+?)(\.\d+)?$", element.number_input.id)
        ):
            self.widgets[key[1]] = element.number_input


if __name__ == "__main__":
    main()
