"""What the expressions of a guided walk may speak of: a network on one image, in functions of texts
and numbers.

js/stage_scope.js offers the same functions, by the same rules; a test holds the two together. Stages are
given by their names. A cell is a text as links write it, "conv2d~3~4~0", and so is a change; `cell` makes
one, `largest` and others find one, and all others take one. Rows, columns and channels are counted from 0,
as in receipts, ranks from 1. Where there is no such stage, cell or change, the text is empty.

The path to the pixels is that of js/tracing.js. The change of mind is searched for like this: squares of 1 to
`MOST_SIDE` pixels a side, filled with ink (1) or wiped clean (0). Of each side and each filling, the
`MOST_PLACES` places are tried at which the gradient of the second score less the first, times what would
change, adds up to the most, of equal ones the first; none at which it is not more than 0. The smallest side
at which the prediction becomes another one counts, and there the square that makes the new one likeliest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from cnnviz.network import Run
from cnnviz.network.run import forward_pass
from cnnviz.stage.intervention import read_changes
from cnnviz.stage.plan import plan_of
from cnnviz.stage.stage_state import entry_of, entry_text
from cnnviz.stage.stages import activity_of, values_of

MOST_SIDE = 12
MOST_PLACES = 8

TRACED = ("input", "conv", "pool", "affine", "activation", "softmax")
"""The operations through which Python follows a path; of the poolings those that take the largest."""


class StageCell(NamedTuple):
    """One number of a stage, by the stage's name, as a path's entry in the stage's state."""

    stage: str
    row: int
    column: int
    channel: int


class StageScope(Mapping[str, Any]):
    """The functions, for one image of a run.

    Parameters
    ----------
    run
        Of any network that cnnviz reads.
    index
        Which image of the run's batch.
    classes
        The names of the classes; by default their numbers.

    Examples
    --------
    >>> import cnnviz
    >>> from cnnviz.stage.expressions import sentence
    >>> scope = StageScope(cnnviz.load_model("mnist_14k").run(np.eye(28)))
    >>> sentence("{nonzero('input'): count} of {cells('input'): count} numbers are not 0", scope)
    '28 of 784 numbers are not 0'
    """

    def __init__(self, run: Run, index: int = 0, classes: tuple[str, ...] = ()) -> None:
        self._run, self._index = run, index
        net = run.network
        self._plan = plan_of(net, {name: value.shape[1:] for name, value in run.items()})
        self._stages: list[dict[str, Any]] = self._plan.part.header["stages"]
        self._order = {stage["name"]: number for number, stage in enumerate(self._stages)}
        self._kept: dict[str, np.ndarray] = {}
        self._probabilities: dict[str, np.ndarray] = {}
        self._scopes: dict[str, StageScope] = {}
        self._classes = classes or tuple(map(str, range(math.prod(self._stages[-1]["shape"]))))

    def __getitem__(self, name: str) -> Callable[..., Any]:
        if name not in FUNCTIONS:
            raise KeyError(name)
        return getattr(self, name)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return iter(FUNCTIONS)

    def __len__(self) -> int:
        return len(FUNCTIONS)

    # Stages ---------------------------------------------------------------------------------------

    def stage(self, kind: str, number: float) -> str:
        found = [stage["name"] for stage in self._stages if stage["op"]["type"] == kind]
        return found[int(number) - 1] if len(found) >= number else ""

    def last(self) -> str:
        return str(self._stages[-1]["name"])

    def order(self, name: str) -> int:
        return self._order.get(name, -1)

    def kind(self, name: str) -> str:
        return str(self._op(name)["type"]) if name else ""

    def source(self, name: str) -> str:
        reads = self._about(name)["reads"]
        return str(self._stages[reads[0]]["name"]) if reads else ""

    def reader(self, name: str) -> str:
        number = self._order[name]
        return next((stage["name"] for stage in self._stages if number in stage["reads"]), "")

    def pointwise(self) -> str:
        """The first convolution whose kernel covers one cell of several."""
        for stage in self._stages:
            name, (rows, columns, _) = stage["name"], stage["shape"]
            if stage["op"]["type"] == "conv" and rows * columns > 1 and self._window(name) == (1, 1):
                return str(name)
        return ""

    def rows(self, name: str) -> int:
        return int(self._about(name)["shape"][0])

    def columns(self, name: str) -> int:
        return int(self._about(name)["shape"][1])

    def channels(self, name: str) -> int:
        return int(self._about(name)["shape"][2])

    def cells(self, name: str) -> int:
        return math.prod(self._about(name)["shape"])

    def window_rows(self, name: str) -> int:
        return self._window(name)[0]

    def window_columns(self, name: str) -> int:
        return self._window(name)[1]

    def stride(self, name: str) -> int:
        """How far a window moves on; 0 where that is not the same down and across."""
        down, across = self._op(name)["rows"][2], self._op(name)["cols"][2]
        return int(down) if down == across else 0

    def products(self, name: str) -> int:
        """How many products a number of a convolution adds up, those with padding among them."""
        rows, columns = self._window(name)
        return rows * columns * self.channels_read(name)

    def channels_read(self, name: str) -> int:
        """How many channels of what it reads a number of a convolution or a pooling depends on."""
        op = self._op(name)
        if op["type"] == "pool":
            return 1
        source = self._stages[self._about(name)["reads"][0]]["shape"]
        cells = op["rows"][0] * op["cols"][0]
        return int(math.prod(source) // cells // op["groups"])

    def parameters(self, name: str = "") -> int:
        return int(self._about(name)["params"] if name else self._plan.part.header["model"]["params"][0])

    def field_rows(self, name: str) -> int:
        return self._field(name)[0]

    def field_columns(self, name: str) -> int:
        return self._field(name)[1]

    def fields(self) -> str:
        """The sides of the receptive fields, as they grow on the way to the output."""
        sides = [0]
        number = len(self._stages) - 1
        way = []
        while self._stages[number]["reads"]:
            way.append(self._stages[number]["name"])
            number = self._stages[number]["reads"][0]
        for name in reversed(way):
            if self.field_rows(name) > sides[-1]:
                sides.append(self.field_rows(name))
        return ", ".join(map(str, sides[1:]))

    def rectifies(self, name: str) -> bool:
        """Whether it keeps what is positive and makes everything else 0."""
        return bool(name) and self._op(name).get("name") == "relu" and not self._op(name)["arguments"]

    def takes_largest(self, name: str) -> bool:
        return bool(name) and self._op(name).get("mode") == "max"

    def traceable(self) -> bool:
        """Whether a path to the pixels can be followed through all of it, one stage behind the other."""
        return all(
            stage["op"]["type"] in TRACED
            and len(stage["reads"]) <= 1
            and (stage["op"]["type"] != "pool" or stage["op"]["mode"] == "max")
            for stage in self._stages
        )

    # Numbers --------------------------------------------------------------------------------------

    def cell(self, name: str, row: float, column: float, channel: float) -> str:
        return _text(self._cell(_text(StageCell(name, int(row), int(column), int(channel)))))

    def value(self, cell: str) -> float:
        return float(self._number(self._cell(cell)))

    def row(self, cell: str) -> int:
        return self._cell(cell).row

    def column(self, cell: str) -> int:
        return self._cell(cell).column

    def channel(self, cell: str) -> int:
        return self._cell(cell).channel

    def largest(self, name: str) -> str:
        """The cell of the largest number, of equal ones the first."""
        return _text(self._cell_at(name, int(np.argmax(self._values(name)))))

    def smallest(self, name: str) -> str:
        return _text(self._cell_at(name, int(np.argmin(self._values(name)))))

    def liveliest(self, name: str) -> int:
        """The most active channel; of equal ones the first."""
        return int(activity_of(self._values(name)).argmax())

    def nonzero(self, name: str) -> int:
        return int(np.count_nonzero(self._values(name)))

    def negative(self, name: str) -> int:
        return int((self._values(name) < 0).sum())

    def silent(self, name: str) -> int:
        """How many channels are 0 in all their cells."""
        return int((~self._values(name).any(axis=(0, 1))).sum())

    def on_blank(self, cell: str) -> float:
        """What the cell would be on blank paper."""
        return float(self._number(self._cell(cell), self._blank))

    # Sums -----------------------------------------------------------------------------------------

    def bias(self, cell: str) -> float:
        op, channel = self._op(self._cell(cell).stage), self._cell(cell).channel
        return float(self._plan.taken.arrays[op["bias"]].ravel()[channel]) if "bias" in op else 0.0

    def sum(self, cell: str) -> float:
        """What the products of a convolution's cell add up to."""
        return float(sum(product for *_, product in self._factors(self._cell(cell))))

    def factor(self, cell: str, rank: float) -> str:
        """The cell whose product is the one of this rank by its size, of equal ones in reading order."""
        return _text(self._ranked(cell, rank)[0])

    def weight(self, cell: str, rank: float) -> float:
        return self._ranked(cell, rank)[1]

    def product(self, cell: str, rank: float) -> float:
        return self._ranked(cell, rank)[2]

    def scale(self, cell: str) -> float:
        return self._affine(cell)[0]

    def shift(self, cell: str) -> float:
        return self._affine(cell)[1]

    # The prediction -------------------------------------------------------------------------------

    def predicted(self, rank: float) -> str:
        return self._classes[self._ranking[int(rank) - 1]]

    def score(self, rank: float) -> float:
        return self.value(self.scored(rank))

    def probability(self, rank: float) -> float:
        return self.value(self.answer(rank))

    def scored(self, rank: float) -> str:
        """The cell of a score."""
        return _text(self._cell_at(self.source(self.last()), self._ranking[int(rank) - 1]))

    def answer(self, rank: float) -> str:
        """The cell of a probability."""
        return _text(self._cell_at(self.last(), self._ranking[int(rank) - 1]))

    # The path to the pixels -----------------------------------------------------------------------

    def path(self, cell: str) -> str:
        return entry_text("path", self._path(self._cell(cell)))

    def path_length(self, cell: str) -> int:
        return len(self._path(self._cell(cell))) - 1

    def path_end(self, cell: str) -> str:
        return _text(self._path(self._cell(cell))[-1])

    def ends_on_ink(self, cell: str) -> bool:
        end = self._path(self._cell(cell))[-1]
        return self.kind(end.stage) == "input" and bool(self._number(end) != 0)

    # Changes --------------------------------------------------------------------------------------

    def wiped(self, pixel: str, around: float) -> str:
        """The change that wipes a pixel of the image and those around it, so many to each side."""
        cell = self._cell(pixel)
        near = int(around)
        return _change_text(self._square(cell.row - near, cell.column - near, 2 * near + 1, 0))

    def shifted(self, rows: float, columns: float) -> str:
        """The change that moves the image over its paper; by its height or more, the paper is blank."""
        return _change_text({"kind": "shift", "rows": int(rows), "cols": int(columns)})

    def off(self, name: str, channel: float) -> str:
        """The change that makes all cells of a channel 0."""
        self._cell(_text(StageCell(name, 0, 0, int(channel))))
        return _change_text({"kind": "channel", "stage": name, "channel": int(channel)})

    def swapped(self, name: str, channel: float, kernel: str) -> str:
        """The change that puts a named kernel in a channel's place, of a convolution that reads one channel.

        "" where there is no such kernel of the size.
        """
        rows, columns = self._window(name)
        named = self._plan.part.header["kernels"].get(f"{rows}x{columns}", {}).get(kernel)
        if named is None or self.channels_read(name) != 1:
            return ""
        step = self.channels(name)
        at = [place * step + int(channel) for place in range(rows * columns)]
        return _change_text({"kind": "weights", "array": self._op(name)["kernel"], "at": at, "values": named})

    def value_after(self, cell: str, change: str) -> float:
        """What the cell is once the change is made."""
        return float(self._number(self._cell(cell), self._changed(change)))

    def predicted_after(self, change: str) -> str:
        return self._classes[int(self._after(change).argmax())]

    def probability_after(self, change: str) -> float:
        """Of what is predicted then."""
        return float(self._after(change).max())

    def same_after(self, change: str) -> bool:
        return int(self._after(change).argmax()) == int(self._values(self.last()).argmax())

    def flip(self) -> str:
        """The change that makes the prediction another one; "" where the search finds none."""
        return _change_text(self._square(*self._flip[:4])) if self._flip else ""

    def flip_row(self) -> int:
        return self._flip[0] if self._flip else -1

    def flip_column(self) -> int:
        return self._flip[1] if self._flip else -1

    def flip_side(self) -> int:
        return self._flip[2] if self._flip else 0

    def flip_inks(self) -> bool:
        return bool(self._flip and self._flip[3])

    def tried(self) -> int:
        """How many squares the search ran."""
        return self._search[1]

    def most_side(self) -> int:
        return MOST_SIDE

    def most_places(self) -> int:
        return MOST_PLACES

    # Behind them ----------------------------------------------------------------------------------

    def _about(self, name: str) -> dict[str, Any]:
        return self._stages[self._order[name]]

    def _op(self, name: str) -> dict[str, Any]:
        return self._about(name)["op"]  # type: ignore[no-any-return]

    def _window(self, name: str) -> tuple[int, int]:
        op = self._op(name)
        return op["rows"][1], op["cols"][1]

    def _field(self, name: str) -> tuple[int, int]:
        sides = [int(side) for side in self._about(name)["rf"].split("×")]
        return sides[0], sides[-1]

    def _values(self, name: str) -> np.ndarray:
        if name not in self._kept:
            stage = self._plan.taken.stages[self._order[name]]
            self._kept[name] = values_of(stage, self._run, self._index)
        return self._kept[name]

    def _cell(self, text: str) -> StageCell:
        (found,) = entry_of("path", text)
        cell = StageCell(*found)
        shape = self._about(cell.stage)["shape"]
        if not all(isinstance(n, int) and 0 <= n < size for n, size in zip(cell[1:], shape, strict=True)):
            raise IndexError(f"{text} is not in its stage of {shape}")
        return cell

    def _cell_at(self, name: str, place: int) -> StageCell:
        return StageCell(name, *map(int, np.unravel_index(place, self._about(name)["shape"])))

    def _number(self, cell: StageCell, scope: StageScope | None = None) -> Any:
        return (scope or self)._values(cell.stage)[cell[1:]]

    @cached_property
    def _blank(self) -> StageScope:
        net = self._run.network
        inputs = {name: np.zeros_like(self._run[name][:1]) for name in net.inputs}
        return StageScope(forward_pass(net, inputs if len(inputs) > 1 else next(iter(inputs.values()))))

    @cached_property
    def _ranking(self) -> list[int]:
        """Classes, the highest score first."""
        return [int(n) for n in np.argsort(-self._values(self.source(self.last())).ravel(), kind="stable")]

    def _factors(self, cell: StageCell) -> list[tuple[StageCell, float, float]]:
        """What a convolution's cell multiplies: cells, weights, products, without padding."""
        op, source = self._op(cell.stage), self.source(cell.stage)
        channels, filters = self.channels_read(cell.stage), self.channels(cell.stage)
        first = cell.channel // (filters // op["groups"]) * channels
        read = self._values(source).reshape(op["rows"][0], op["cols"][0], -1)
        kernel = self._plan.taken.arrays[op["kernel"]]
        taps = kernel.reshape(*self._window(cell.stage), channels, filters)[..., cell.channel]
        return [
            (
                self._cell_at(source, (row * read.shape[1] + column) * read.shape[2] + first + k),
                float(taps[i, j, k]),
                float(taps[i, j, k] * read[row, column, first + k]),
            )
            for i, row in _taps(cell.row, *op["rows"])
            for j, column in _taps(cell.column, *op["cols"])
            for k in range(channels)
        ]

    def _ranked(self, cell: str, rank: float) -> tuple[StageCell, float, float]:
        # The receipt goes channel by channel, so that of equal ones the first is the one it shows first.
        factors = sorted(self._factors(self._cell(cell)), key=lambda each: each[0].channel)
        return sorted(factors, key=lambda each: -abs(each[2]))[int(rank) - 1]

    def _affine(self, text: str) -> tuple[float, float]:
        cell = self._cell(text)
        op, arrays = self._op(cell.stage), self._plan.taken.arrays
        place = cell.channel // op["repeat"]
        a, b = (float(arrays[op[name]].ravel()[place]) for name in "ab")
        return (a, b) if op["form"] == "x*a+b" else (1 / b, -a / b)

    def _path(self, cell: StageCell) -> list[StageCell]:
        path = [cell]
        direction = np.sign(self._number(cell) - self._number(cell, self._blank))
        while self.kind(cell.stage) != "input":
            found = self._downhill(cell, direction)
            if found is None:
                break
            cell, slope = found
            path.append(cell)
            if slope is None:
                direction = np.sign(self._number(cell) - self._number(cell, self._blank))
            else:
                direction *= np.sign(slope)
        return path

    def _downhill(self, cell: StageCell, direction: float) -> tuple[StageCell, float | None] | None:
        """The next cell, and how this one changes with it; None where ink makes no difference."""
        source, kind = self.source(cell.stage), self.kind(cell.stage)
        if kind == "softmax":
            place = int(np.ravel_multi_index(cell[1:], self._about(cell.stage)["shape"]))
            return self._cell_at(source, place), None
        if kind == "conv":
            slopes = [(factor, weight) for factor, weight, _ in self._factors(cell)]
        elif kind == "pool":
            slopes = [self._winner(cell)]
        else:
            factor = cell._replace(stage=source)
            slopes = [
                (factor, self._affine(_text(cell))[0] if kind == "affine" else self._secant(cell, factor))
            ]
        best: tuple[bool, float, StageCell, float] | None = None
        for factor, slope in slopes:
            brings = slope * (float(self._number(factor)) - float(self._number(factor, self._blank)))
            rank = brings * direction > 0, abs(brings)
            if brings and (best is None or rank > best[:2]):
                best = (*rank, factor, slope)
        return None if best is None else best[2:]

    def _secant(self, cell: StageCell, factor: StageCell) -> float:
        apart = float(self._number(factor)) - float(self._number(factor, self._blank))
        risen = float(self._number(cell)) - float(self._number(cell, self._blank))
        return risen / apart if apart else 1.0

    def _winner(self, cell: StageCell) -> tuple[StageCell, float]:
        """The cell that a maximum was taken from or, if that is as on blank paper, was taken from there."""
        op, source = self._op(cell.stage), self.source(cell.stage)
        cells = [
            StageCell(source, row, column, cell.channel)
            for _, row in _taps(cell.row, *op["rows"])
            for _, column in _taps(cell.column, *op["cols"])
        ]
        here = max(cells, key=self._number)
        if self._number(here) == self._number(here, self._blank):
            here = max(cells, key=lambda each: self._number(each, self._blank))
        return here, self._secant(cell, here)

    def _square(self, row: int, column: int, side: int, ink: float) -> dict[str, Any]:
        """The change that fills a square of the image, as far as it lies on it."""
        height, width, channels = self._stages[0]["shape"]
        at = [
            (r * width + c) * channels + k
            for r in range(max(row, 0), min(row + side, height))
            for c in range(max(column, 0), min(column + side, width))
            for k in range(channels)
        ]
        return {"kind": "values", "stage": self._stages[0]["name"], "at": at, "values": [int(ink)] * len(at)}

    def _after(self, text: str) -> np.ndarray:
        """The probabilities after a change."""
        if text not in self._probabilities:
            changed = self._changed(text)
            self._probabilities[text] = changed._values(changed.last()).ravel()
        return self._probabilities[text]

    def _changed(self, text: str) -> StageScope:
        """The same image with a change made."""
        if text not in self._scopes:
            run = self._run
            shapes = {name: value.shape[1:] for name, value in run.items()}
            made = read_changes(run.network, shapes, entry_of("changes", text))
            inputs = {name: run[name][self._index][None] for name in run.network.inputs}
            image = inputs if len(inputs) > 1 else next(iter(inputs.values()))
            changed = forward_pass(made.network, image, made.outputs, inner=made.inner)
            self._scopes[text] = StageScope(changed)
        return self._scopes[text]

    def _run_all(self, texts: Sequence[str]) -> None:
        """Run the image with each of these changes of its pixels, in one batch."""
        net = self._run.network
        images = np.repeat(self._run[net.inputs[0]][self._index][None], len(texts), axis=0)
        for image, text in zip(images, texts, strict=True):
            (change,) = entry_of("changes", text)
            image.reshape(-1)[change["at"]] = change["values"]
        self._probabilities.update(zip(texts, forward_pass(net, images).output, strict=True))

    @property
    def _flip(self) -> tuple[int, int, int, float] | None:
        return self._search[0]

    @cached_property
    def _search(self) -> tuple[tuple[int, int, int, float] | None, int]:
        tried = 0
        predicted = int(self._values(self.last()).argmax())
        for squares in self._candidates():
            texts = [_change_text(self._square(*square)) for square in squares]
            tried += len(squares)
            if squares:
                self._run_all(texts)
            flips = [n for n, text in enumerate(texts) if int(self._after(text).argmax()) != predicted]
            if flips:
                return squares[max(flips, key=lambda n: float(self._after(texts[n]).max()))], tried
        return None, tried

    def _candidates(self) -> Iterator[list[tuple[int, int, int, float]]]:
        """The squares that are tried, side by side: row, column, side, ink."""
        x = self._values(self._stages[0]["name"]).sum(axis=-1, dtype=np.float64)
        slopes = self._towards_second
        for side in range(1, min(MOST_SIDE, *x.shape) + 1):
            squares = []
            for ink in (1.0, 0.0):
                gains = np.lib.stride_tricks.sliding_window_view(slopes * (ink - x), (side, side)).sum((2, 3))
                for place in np.argsort(-gains.ravel(), kind="stable")[:MOST_PLACES]:
                    if gains.ravel()[place] > 0:
                        row, column = divmod(int(place), gains.shape[1])
                        squares.append((row, column, side, ink))
            yield squares

    @cached_property
    def _towards_second(self) -> np.ndarray:
        """How the second score less the first changes with each pixel."""
        scores = self._plan.taken.stages[self._order[self.source(self.last())]]
        weights = np.zeros(self._run[scores.layer.name].shape[1:], np.float32)
        first, second = self._ranking[:2]
        weights.ravel()[[first, second]] = -1, 1
        found = self._run.gradient(scores.layer.name, weights=weights, pre_activation=scores.part == "before")
        return found.wrt_input[self._index].reshape(self._stages[0]["shape"])[..., 0].astype(np.float64)


FUNCTIONS = tuple(
    name for name, each in vars(StageScope).items() if not name.startswith("_") and callable(each)
)
"""The functions by the names that expressions call them by."""


def _text(cell: StageCell) -> str:
    return entry_text("path", [cell])


def _change_text(change: Mapping[str, Any]) -> str:
    return entry_text("changes", [change])


def _taps(
    unit: int, size: int, kernel: int, stride: int, dilation: int, before: int, *_: int
) -> Iterator[tuple[int, int]]:
    """The places of a window along an axis that are not padding: (in the window, in what is read)."""
    for tap in range(kernel):
        place = unit * stride - before + tap * dilation
        if 0 <= place < size:
            yield tap, place
