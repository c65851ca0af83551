"""Visitors of the explorer over Streamlit's own protocol, as the load benchmark sends them.

Each is a WebSocket that sends what a browser sends and reads all it is sent; what it leaves out is drawing
the page. `Session` is the protocol, and what a class does: other digits, other pages. The others differ in
what they do.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode
from urllib.request import Request, urlopen

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from websockets.asyncio.client import connect

MOST_IMAGES = 60_000
KEPT = ("digit", "own", "model")
"""What links between pages carry along."""
PATIENCE = 120
"""Seconds after which a page is given up."""


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
    widgets: dict[str, str] = field(default_factory=dict)
    """The ids of the last run's widgets, by their keys or labels."""
    texts: list[str] = field(default_factory=list)
    """HTML of the last run."""
    kept: dict[str, bytes] = field(default_factory=dict)
    """Messages that the server may send by their hash alone, as in a browser."""
    uploads: list[Any] = field(default_factory=list)
    """Where the server wants files sent."""

    called: ClassVar[str] = "reader"

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
        await self.rerun("what to draw in")
        # A browser says how wide the page is before it is drawn.
        told = json.dumps({"told": {"width": 960, "dark": False}})
        await self.use("surroundings", "first page", json_value=told)

    async def close(self) -> None:
        await self.socket.close()

    async def live(self, begin: float, seconds: float, every: float, late: float) -> None:
        """Act until the time is over, each session at its own moment of the beat."""
        try:
            if not self.pages:
                await asyncio.sleep(late)
                await self.open()
            due = time.perf_counter()
            while (due := max(due + every, time.perf_counter())) < begin + seconds:
                await asyncio.sleep(due - time.perf_counter())
                await self.act()
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    async def act(self) -> None:
        """Another digit, or another page."""
        if self.random.random() < 0.5:
            await self.another_digit()
        else:
            await self.visit(self.random.choice([name for name in self.pages if name != self.page]))

    async def visit(self, page: str, **query: Any) -> None:
        """Open a page, with what is chosen on it besides the digit and the network."""
        self.page = page
        of_digit = [pair for pair in parse_qsl(self.query) if pair[0] in KEPT]
        self.query = urlencode([*of_digit, *query.items()])
        await self.rerun(f"{page or 'overview'}: page opened")
        self.expect('alt="Test digit ')

    async def another_digit(self) -> None:
        digit = self.random.randrange(10_000)
        await self.use("digit", f"{self.page or 'overview'}: another digit", int_value=digit)
        self.expect(f'alt="Test digit {digit:,}, a')  # a 3, an 8

    async def use(self, widget: str, what: str, **value: Any) -> None:
        """Set a widget to a value, or press a button."""
        states = WidgetStates()
        state = states.widgets.add()
        state.id = self.widgets[widget]
        for name, content in value.items():
            setattr(state, name, content)
        await self.rerun(what, states)

    def expect(self, words: str) -> None:
        if not any(words in text for text in self.texts):
            self.errors.append(f"{self.page or 'overview'}?{self.query} does not show {words!r}")

    async def send(self, states: WidgetStates | None = None, part: str = "") -> None:
        """Ask for a run of the page, or of a part of it."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.fragment_id = part
        message.rerun_script.page_script_hash = self.pages.get(self.page, "")
        message.rerun_script.cached_message_hashes.extend(self.kept)
        message.rerun_script.context_info.color_scheme = "light"
        message.rerun_script.context_info.url = f"http://{self.place}/{self.page}"
        if states is not None:
            message.rerun_script.widget_states.CopyFrom(states)
        self.widgets, self.texts = {}, []
        await self.socket.send(message.SerializeToString())

    async def rerun(self, what: str, states: WidgetStates | None = None) -> None:
        """Ask for a run, and read all that comes until the script has finished."""
        sent = time.perf_counter()
        await self.send(states)
        received, finished = 0, False
        async with asyncio.timeout(PATIENCE):
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
        elif kind == "file_urls_response":
            self.uploads += message.file_urls_response.file_urls
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            if message.delta.fragment_id:
                self.widgets["its part"] = message.delta.fragment_id
            self.note(message.delta.new_element)
        elif kind == "script_finished":
            status = ForwardMsg.ScriptFinishedStatus.Name(message.script_finished)
            if status != "FINISHED_SUCCESSFULLY":
                # A script that asks for another run ends early, and goes on; a part of a page ends by itself.
                if status in ("FINISHED_EARLY_FOR_RERUN", "FINISHED_FRAGMENT_RUN_SUCCESSFULLY"):
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
            self.widgets[key[1]] = element.number_input.id
        elif kind == "bidi_component" and element.bidi_component.component_name.endswith("surroundings"):
            self.widgets["surroundings"] = element.bidi_component.id
        elif kind in ("button", "file_uploader", "alert"):
            widget = getattr(element, kind)
            if kind == "alert":
                self.texts.append(widget.body)
            else:
                self.widgets[widget.label] = widget.id


class FieldReader(Session):
    """One of a class that is all on Receptive field, each with a stack of layers of its own."""

    called = "on Receptive field"
    LAYERS = ("conv3", "conv3same", "conv5", "conv1", "pool2", "conv3s2", "transposed2s2", "conv3d2")

    async def act(self) -> None:
        if self.page == "receptive_field" and self.random.random() < 0.3:
            await self.another_digit()
            return
        stack = ".".join(self.random.choices(self.LAYERS, k=self.random.randint(2, 12)))
        size = self.random.choice((28, 64, 224, 512))
        await self.visit("receptive_field", stack=stack, input=size)


class Presser(Session):
    """One who presses what takes long: all 10,000 digits with another activation, TensorFlow's comparison."""

    called = "pressing heavy buttons"
    FUNCTIONS = ("tanh", "sigmoid", "gelu", "elu", "selu", "silu", "softplus", "leaky_relu")

    async def act(self) -> None:
        if self.random.random() < 0.5:
            name = self.random.choice(self.FUNCTIONS)
            await self.visit("activation_functions", function=name, closer="exchange")
            every = [label for label in self.widgets if label.startswith("Over all")]
            if every:
                await self.use(every[0], "activation functions: all digits", trigger_value=True)
            return
        await self.another_digit()
        await self.visit("verification", images=1, closer="again")
        if "Compare now" in self.widgets:
            await self.use("Compare now", "verification: compared", trigger_value=True)


class Uploader(Session):
    """One who hands in photographs of many megapixels, which are small files."""

    called = "uploading 12 to 25 megapixels"

    async def act(self) -> None:
        await self.visit("try_it", by="Upload")
        (widget,) = [name for name in self.widgets if name.startswith("A picture of one digit")]
        name, content = self.random.choice(photographs())
        began = time.perf_counter()
        where = await self.address_for(name)
        await asyncio.to_thread(self.put, where.upload_url, name, content)
        states = WidgetStates()
        state = states.widgets.add()
        state.id = self.widgets[widget]
        info = state.file_uploader_state_value.uploaded_file_info.add()
        info.file_id, info.name, info.size = where.file_id, name, len(content)
        info.file_urls.CopyFrom(where)
        await self.rerun("try it: a picture handed in", states)
        self.reruns[-1].seconds = time.perf_counter() - began
        if "own=" not in self.query:
            self.errors.append(f"{name} was not taken: {' '.join(self.texts)[-300:]}")
        self.query = ""  # The next one begins with a test digit.

    async def address_for(self, name: str) -> Any:
        message = BackMsg()
        message.file_urls_request.request_id = name
        message.file_urls_request.file_names.append(name)
        self.uploads.clear()
        await self.socket.send(message.SerializeToString())
        async with asyncio.timeout(PATIENCE):
            while not self.uploads:
                self.take(await self.socket.recv(decode=False))
        return self.uploads[0]

    def put(self, url: str, name: str, content: bytes) -> None:
        """What the browser does with a file: a form, with the token of the server's cookie in a header."""
        with urlopen(f"http://{self.place}/_stcore/health", timeout=PATIENCE) as answer:
            cookie = (answer.headers["Set-Cookie"] or "").split(";")[0]
        edge = "load-benchmark"
        head = f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={edge}", "Cookie": cookie}
        headers["X-Xsrftoken"] = cookie.partition("=")[2]
        request = Request(f"http://{self.place}{url}", body, headers, method="PUT")
        urlopen(request, timeout=PATIENCE).close()


class Vanisher(Session):
    """One who leaves before the page is there, again and again; nothing is to be left of them."""

    called = "vanishing in the middle"

    async def act(self) -> None:
        self.page = self.random.choice(list(self.pages))
        await self.send()
        await asyncio.sleep(0.2 * self.random.random())
        if self.random.random() < 0.5:
            await self.socket.close()
        else:
            self.socket.transport.abort()  # A cable that is pulled says no goodbye.
        self.kept.clear()
        self.query = ""
        self.page = ""
        await self.open()


class Trainee(Session):
    """One who has a network trained, and asks for a picture of it as often as a browser does.

    The first of them has the machine's one run, the others wait for it.
    """

    called = "training"
    PICTURES = 5

    async def live(self, begin: float, seconds: float, every: float, late: float) -> None:
        await super().live(begin, seconds, 1 / self.PICTURES, late)

    async def act(self) -> None:
        states = WidgetStates()
        state = states.widgets.add()
        if self.page != "training":
            await self.visit("training", network="mnist_maxpool", images=MOST_IMAGES, rate=0.001)
            self.panel, self.part, self.count = self.widgets["training"], self.widgets["its part"], 0
            state.id = f"$$STREAMLIT_INTERNAL_KEY_{self.panel}__events"
            state.json_trigger_value = json.dumps([{"event": "command", "value": {"do": "play"}}])
        else:
            self.count += 1
            state.id, state.json_value = self.panel, json.dumps({"tick": self.count})
        await self.rerun("training: a picture", states)

    async def send(self, states: WidgetStates | None = None, part: str = "") -> None:
        await super().send(states, self.part if states is not None and self.page == "training" else part)

    def take(self, data: bytes) -> bool:
        message = ForwardMsg.FromString(data)
        kind = message.WhichOneof("type")
        part = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
        return super().take(data) or (kind == "script_finished" and message.script_finished == part)

    def note(self, element: Any) -> None:
        super().note(element)
        if element.WhichOneof("type") == "bidi_component":
            component = element.bidi_component
            if component.component_name == "cnnviz.training":
                self.widgets["training"] = component.id


@cache
def photographs() -> Sequence[tuple[str, bytes]]:
    """Pictures of a digit as large as are read, in files of some hundred kB."""
    from PIL import Image

    from cnnviz.images.mnist import load_mnist

    digit = 255 - np.kron(load_mnist()[1][0][0], np.ones((100, 100), np.uint8))
    found = []
    for name, form, mode, size in (
        ("photograph.jpg", "JPEG", "RGB", (4000, 3000)),
        ("drawing.webp", "WEBP", "RGBA", (5000, 5000)),
        ("scan.png", "PNG", "RGBA", (5000, 5000)),
        ("sheet.jpg", "JPEG", "L", (5000, 5000)),
    ):
        content = io.BytesIO()
        Image.fromarray(digit).resize(size).convert(mode).save(content, form)
        found.append((name, content.getvalue()))
    return found
