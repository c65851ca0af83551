"""A pupil with fractions: reads a printed worksheet, and answers it without the engine.

Nothing of cnnviz is imported. Numbers are read from the HTML as they are printed, and computed with exactly;
sizes and fields are counted cell by cell, not by a formula.
"""

from __future__ import annotations

import math
from fractions import Fraction
from html.parser import HTMLParser
from typing import Any


class PrintedSheet(HTMLParser):
    """The tasks of a sheet: (kind, given numbers by name, heads of their columns by name)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tasks: list[tuple[str, dict[str, Any], dict[str, list[str]]]] = []
        self._name, self._in, self._rows = "", "", [[]]
        self.asked = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "section":
            self.tasks.append((found["data-kind"] or "", {}, {}))
        if "data-given" in found:
            self._name, self._rows = found["data-given"] or "", []
        if tag == "tr":
            self._rows.append([])
        self.asked += tag == "li"
        self._in = tag if tag in ("td", "th", "b") else ""

    def handle_data(self, data: str) -> None:
        if not self._in or not self._name:
            return
        _, given, heads = self.tasks[-1]
        if self._in == "th":
            heads.setdefault(self._name, []).append(data)
        elif self._in == "b":
            given[self._name] = _number(data)
            self._name = ""
        else:
            self._rows[-1].append(_number(data))

    def handle_endtag(self, tag: str) -> None:
        self._in = ""
        if tag == "table" and self._name:
            rows = [row for row in self._rows if row]
            self.tasks[-1][1][self._name] = rows if len(rows) > 1 else rows[0]
            self._name = ""


def _number(text: str) -> Any:
    try:
        return Fraction(text.replace("−", "-"))
    except ValueError:
        return text


def solve(page: str) -> list[list[float]]:
    """The answers to a printed sheet, task by task."""
    return [
        [float(each) for each in SOLVERS[kind](given, heads)]
        for kind, given, heads in PrintedSheet(page).tasks
    ]


def _relu(x: Fraction) -> Fraction:
    return x if x > 0 else Fraction(0)


def _cell(given: dict[str, Any], _: Any) -> list[Any]:
    part = sum(
        x * w
        for xs, ws in zip(given["patch"], given["kernel"], strict=True)
        for x, w in zip(xs, ws, strict=True)
    )
    if "bias" not in given:
        return [part]
    total = part + given.get("others", 0) + given["bias"]
    return [part, total, _relu(total)]


def _mixing(given: dict[str, Any], _: Any) -> list[Any]:
    part = sum(x * w for x, w in zip(given["pixel"], given["weights"], strict=True))
    total = part + given.get("others", 0) + given["bias"]
    return [part, total, _relu(total)]


def _channels(given: dict[str, Any], _: Any) -> list[Any]:
    total = sum(given["parts"]) + given["others"] + given["bias"]
    without = total - max(given["parts"], key=abs)
    return [total, without, _relu(without)]


def _places(cells: int, window: int, stride: int, dilation: int, same: bool) -> int:
    """How many places a window has, by moving it."""
    last = dilation * (window - 1)
    if same:
        return sum(1 for place in range(cells) if place % stride == 0)
    count, first = 0, 0
    while first + last < cells:
        count, first = count + 1, first + stride
    return count


def _size(given: dict[str, Any], _: Any) -> list[Any]:
    stride, dilation, same = int(given["stride"]), int(given["dilation"]), given["padding"] == "same"
    return [
        _places(int(cells), int(window), stride, dilation, same)
        for cells, window in zip(given["maps"], given["window"], strict=True)
    ]


def _field(given: dict[str, Any], _: Any) -> list[Any]:
    """The rows that are seen, walking down from the unit: a set of rows for each layer."""
    rows, free = {int(given["row"])}, {0}
    steps = list(zip(given["sizes"], given["strides"], given["pads"], strict=True))
    for size, stride, pad in reversed(steps):
        reach = range(int(size))
        rows = {int(stride) * row - int(pad) + k for row in rows for k in reach}
        free = {int(stride) * row + k for row in free for k in reach}
    seen = [row for row in rows if 0 <= row < int(given["side"])]
    return [max(free) - min(free) + 1, min(seen), max(seen)]


def _stack(given: dict[str, Any], _: Any) -> list[Any]:
    layers, channels = int(given["layers"]), int(given["channels"])
    seen = {0}
    for _layer in range(layers):
        seen = {place + k for place in seen for k in (-1, 0, 1)}
    pairs = sum(1 for _in in range(channels) for _out in range(channels))
    return [len(seen), layers * pairs * 3 * 3, pairs * len(seen) * len(seen)]


def _mixing_cost(given: dict[str, Any], _: Any) -> list[Any]:
    inputs, outputs, rows, cols = (int(given[name]) for name in ("inputs", "outputs", "rows", "cols"))
    return [sum(inputs + 1 for _ in range(outputs)), sum(inputs for _ in range(outputs * rows * cols))]


def _sharing(given: dict[str, Any], _: Any) -> list[Any]:
    side, size, filters = (int(given[name]) for name in ("side", "size", "filters"))
    out = filters * _places(side, size, 1, 1, False) ** 2
    return [filters * (size * size + 1), out, out * (side * side + 1)]


def _pooling(given: dict[str, Any], _: Any) -> list[Any]:
    cells = [cell for row in given["window"] for cell in row]
    return [max(cells), sum(cells) / len(cells)]


def _activations(given: dict[str, Any], _: Any) -> list[Any]:
    x = given["x"]
    return [_relu(x), x if x > 0 else x * given["slope"], 1 / (1 + math.exp(-x))]


def _normalisation(given: dict[str, Any], _: Any) -> list[Any]:
    root = math.sqrt(given["variance"])
    return [float(given["x"] - given["mean"]) / root * float(given["gamma"]) + float(given["beta"])]


def _softmax(given: dict[str, Any], heads: dict[str, list[str]]) -> list[Any]:
    powers = [math.exp(score) for score in given["scores"]]
    label = heads["scores"].index(f"class {given['label']}")
    shares = [power / math.fsum(powers) for power in powers]
    return [max(shares), shares[label], -math.log(shares[label])]


SOLVERS = {
    "cell": _cell,
    "mixing": _mixing,
    "channels": _channels,
    "size": _size,
    "field": _field,
    "stack": _stack,
    "mixing cost": _mixing_cost,
    "sharing": _sharing,
    "pooling": _pooling,
    "activations": _activations,
    "normalisation": _normalisation,
    "softmax": _softmax,
}
