"""The state of the stage as plain data: what a link, a saved file, a walk, a notebook and a lesson say.

A state is a mapping that JSON can hold; what is not in it is as the stage opens. Its entries:

    version     1; a state without it comes from links of before, whose path was called `trail`
    model       the network's name, only to say so when it is another
    item        the image, by its key in the scene
    image       in its place one that was drawn or opened: {"title", "pixels"}, a byte for each number of the
                first input, 0 to 255, as base64 for addresses, without padding
    range       what shares a colour scale: "layer", "map" or "network"
    zoom        how near: "network", "layer" or "cell"
    layer       the stage that is looked at, by its name, where no cell is chosen
    path        the way down, cell by cell, [stage, row, column, channel]; the receipt is of the last
    changes     what was changed by hand, in this order (see below)
    open        names of blocks and layers that are unfolded
    order       of a receipt's terms: "ranked" or "laid out"
    channels    the order of a layer's channels that do not all fit: "by activity", "by number", or "as fits",
                which is by activity there
    first       which of them, in this order, the page begins with that is shown; at the cell, which of the
                channels that go in
    play        the window that slides: [stage, channel, step], or None
    walk        the guided walk: [name, step], or None

A change is one of

    {"kind": "values", "stage": name, "at": [...], "values": [...]}    cells of a stage's output, by their
                                                    flat places; an image's pixels are the first stage's
    {"kind": "weights", "array": "conv2d/kernel", "at": [...], "values": [...]}
    {"kind": "channel", "stage": name, "channel": k}                   all cells of it become 0
    {"kind": "shift", "rows": r, "cols": c}         the image moves over its paper, what comes in is 0

js/stage_state.js reads and writes the same, and says of a state that does not fit a scene what is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import numpy as np

State = Mapping[str, Any]

VERSION = 1


def empty_state() -> dict[str, Any]:
    """The state in which a stage opens.

    >>> empty_state()["zoom"], empty_state()["path"]
    ('network', [])
    """
    return {
        "version": VERSION,
        "model": "",
        "item": "",
        "range": "layer",
        "zoom": "network",
        "layer": "",
        "path": [],
        "changes": [],
        "image": None,
        "open": [],
        "order": "ranked",
        "channels": "as fits",
        "first": 0,
        "play": None,
        "walk": None,
    }


def link_of(state: State) -> str:
    """A state as the text of a link: only what is not as it opens.

    >>> link_of({"path": [["conv2d", 3, 4, 0]], "zoom": "cell"})
    'path=conv2d~3~4~0&zoom=cell'
    """
    opens = empty_state()
    texts = {
        key: entry_text(key, value) for key, value in state.items() if key == "version" or value != opens[key]
    }
    return urlencode(texts, quote_via=quote, safe="~!/")


def state_of_link(text: str) -> dict[str, Any]:
    """What a link says, not held against a network.

    >>> state_of_link("path=conv2d~3~4~0&zoom=cell")
    {'path': [['conv2d', 3, 4, 0]], 'zoom': 'cell'}
    """
    opens = empty_state()
    found = {
        "path" if key == "trail" else key: value for key, value in parse_qsl(text, True, max_num_fields=100)
    }
    return {key: entry_of(key, value) for key, value in found.items() if key in opens}


def entry_text(key: str, value: Any) -> str:
    """One entry as a link says it.

    >>> entry_text("path", [["conv2d", 3, 4, 0]])
    'conv2d~3~4~0'
    """
    return _TEXTS.get(key, (str, str))[0](value)


def entry_of(key: str, text: str) -> Any:
    """What a link says of one entry.

    >>> entry_of("path", "conv2d~3~4~0")
    [['conv2d', 3, 4, 0]]
    """
    return _TEXTS.get(key, (str, str))[1](text)


# How each entry is written in a link, and read from one --------------------------------------------

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_ESCAPED = re.compile("%(25|7e|21)", re.IGNORECASE)


def _escape(name: str) -> str:
    return re.sub("[%~!]", lambda sign: f"%{ord(sign[0]):x}", name)


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text)


def _join(parts: Sequence[Any]) -> str:
    return "~".join(_escape(part) if isinstance(part, str) else _shortest(part) for part in parts)


def _shortest(value: float) -> str:
    """With as few digits as read back as the same float32."""
    whole = isinstance(value, int) or (value.is_integer() and abs(value) < 2**53)
    return str(int(value)) if whole else str(np.float32(value))


def _part(text: str) -> list[str]:
    return [_plain(part) for part in text.split("~")]


def _list(text: str) -> list[str]:
    return text.split("!") if text else []


def _numeric(text: str) -> float | None:
    """A number as JSON has it; None is what is none, which fits nowhere."""
    if len(text) > 40 or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _named(text: str) -> list[Any]:
    name, *numbers = _part(text)
    return [name, *map(_numeric, numbers)]


_PAIRS = {"values": "stage", "weights": "array"}


def _change_text(change: Mapping[str, Any]) -> str:
    kind = change["kind"]
    if kind in _PAIRS:
        pairs = [number for pair in zip(change["at"], change["values"], strict=True) for number in pair]
        return _join([kind, change[_PAIRS[kind]], *pairs])
    return _join([kind, *(value for key, value in change.items() if key != "kind")])


def _change_read(text: str) -> dict[str, Any]:
    kind, *rest = _part(text)
    numbers = [_numeric(number) for number in rest[1:]]
    first = rest[0] if rest else ""
    if kind in _PAIRS:
        return {"kind": kind, _PAIRS[kind]: first, "at": numbers[::2], "values": numbers[1::2]}
    if kind == "channel":
        return {"kind": kind, "stage": first, "channel": numbers[0] if numbers else None}
    if kind == "shift":
        return {"kind": kind, "rows": _numeric(first), "cols": numbers[0] if numbers else None}
    return {"kind": kind}


def _image_read(text: str) -> dict[str, str]:
    title, *rest = _part(text)
    return {"title": title, "pixels": rest[0] if rest else ""}


_TEXTS: Mapping[str, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    "version": (str, _numeric),
    "first": (str, _numeric),
    "path": (lambda cells: "!".join(map(_join, cells)), lambda text: [_named(cell) for cell in _list(text)]),
    "changes": (
        lambda changes: "!".join(map(_change_text, changes)),
        lambda text: [_change_read(change) for change in _list(text)],
    ),
    "image": (lambda image: _join([image["title"], image["pixels"]]), _image_read),
    "open": (
        lambda names: "!".join(map(_escape, names)),
        lambda text: [_plain(name) for name in _list(text)],
    ),
    "play": (_join, _named),
    "walk": (_join, _named),
}
