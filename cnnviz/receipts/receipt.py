"""Receipt: one number of a run with the arithmetic that gave it.

The sum is done anew, term by term in a stated order, in the dtype of the run, and compared with what
the run holds. `text`, `html`, `latex`, `reproduction` and `figures.receipts` show it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from cnnviz.colours import Scale
from cnnviz.images.input_pictures import InputPicture
from cnnviz.layers.activations import Activation
from cnnviz.layers.layer import Layer
from cnnviz.layers.rounding import allowance
from cnnviz.network import LayerGraph, Run
from cnnviz.network.colour_planes import picture_of, planes_of
from cnnviz.receipts.cells import Cell
from cnnviz.receipts.steps import Derivation, activation_step
from cnnviz.receipts.terms import Terms, operands_of
from cnnviz.resources import one_line


def explain_cell(run: Run, cell: Cell, index: int = 0, classes: tuple[str, ...] = ()) -> Receipt:
    """`explain` for a cell that is known to exist."""
    layer = run.network[cell.layer]
    layer = layer.entry.of_images(layer, slice(index, index + 1))
    inputs = run.inputs(layer.name) if layer.inputs else (run.pre_activation(layer.name),)
    terms = operands_of(layer, [x[index] for x in inputs], cell.position)
    if len(layer.inputs) == 1:
        terms = terms.over_planes(planes_of(run, layer.inputs[0], index))
    steps: tuple[Derivation, ...] = ()
    if layer.activation is not None:
        place, names = (index, *cell.position), classes if _is_score(run.network, layer, classes) else ()
        steps = (_activate(layer.activation, run.pre_activation(layer.name), place, terms, names),)
    return Receipt(run, layer, cell, index, terms, run[layer.name][(index, *cell.position)], steps, classes)


def _is_score(net: LayerGraph, layer: Layer, classes: tuple[str, ...]) -> bool:
    """Whether a layer's last axis is that of the classes: an output, or what an output's activation reads."""
    outputs = [net[name] for name in net.outputs]
    read = {name for output in outputs if output.is_activation for name in output.inputs}
    return layer.name in read.union(output.name for output in outputs) and (
        layer.output_shape[-1:] == (len(classes),)
    )


def _activate(
    activation: Activation, z: np.ndarray, place: tuple[int, ...], terms: Terms, classes: tuple[str, ...]
) -> Derivation:
    """The activation of a receipt's total; a softmax takes its other numbers from the run."""
    if activation.axis is None:
        return activation_step(of_one_number(activation, z.shape, place), np.array([terms.total]))
    axis = activation.axis % z.ndim
    line = np.moveaxis(z, axis, -1)[place[:axis] + place[axis + 1 :]].copy()
    line[place[axis]] = terms.total
    names = {2: ("unit",), 3: ("row", "channel"), 4: ("row", "column", "channel")}.get(z.ndim, ())
    word = dict(enumerate(("image", *names))).get(axis, "entry")
    numbered = tuple(f"{word} {i}" for i in range(len(line)))
    labels = classes if classes and axis == z.ndim - 1 else numbered
    return activation_step(replace(activation, arguments={}), line, place[axis], labels)


def of_one_number(activation: Activation, shape: tuple[int, ...], place: tuple[int, ...]) -> Activation:
    """An activation as it is at one place of an array of this shape, its batch included."""
    if activation.name != "prelu":
        return activation
    alpha = np.broadcast_to(activation.arguments["alpha"], shape[1:])[place[1:]]
    return replace(activation, arguments={**activation.arguments, "alpha": alpha})


@dataclass(frozen=True, eq=False)
class Receipt:
    """One number of a run, and how it came about. Made by `explain`.

    Parameters
    ----------
    run, index
        The forward pass and the image in its batch.
    layer, cell
        The layer, and the place of the number in its output.
    terms
        The products, each with its factor, weight and the cell that the factor came from.
    value
        The number, read from the run.
    steps
        What follows the sum: the activation.
    classes
        The names of the network's classes, if they were given.
    """

    run: Run = field(repr=False)
    layer: Layer
    cell: Cell
    index: int
    terms: Terms
    value: Any
    steps: tuple[Derivation, ...] = field(repr=False)
    classes: tuple[str, ...] = field(repr=False, default=())

    @property
    def row(self) -> int | None:
        return self.cell.row

    @property
    def col(self) -> int | None:
        return self.cell.col

    @property
    def channel(self) -> int | None:
        return self.cell.channel

    @property
    def bias(self) -> Any:
        """What is added to the sum of products; 0 if nothing is."""
        return self.terms.bias

    @property
    def total(self) -> Any:
        """The sum of products and the bias: the pre-activation, as this receipt adds it up."""
        return self.terms.total

    @property
    def pre_activation(self) -> Any:
        """The same number, read from the run."""
        return self.run.pre_activation(self.layer.name)[self.place]

    @property
    def result(self) -> Any:
        """What the arithmetic of this receipt comes to, the steps after the sum included."""
        return self.steps[-1].result if self.steps else self.total

    @property
    def residual(self) -> Any:
        """value - result: what is left because the run rounds in another order, 0 or next to it."""
        if self.value == self.result or (np.isnan(self.value) and np.isnan(self.result)):
            return self.value.dtype.type(0)
        with np.errstate(all="ignore"):
            return self.value - self.result

    @cached_property
    def bound(self) -> float:
        """How large the residual can get by rounding alone (derived in `cnnviz.layers.rounding`)."""
        if self.given:
            return 0.0
        across = self.layer.activation is not None and self.layer.activation.axis == 0
        images = slice(None) if across else slice(self.index, self.index + 1)
        with np.errstate(all="ignore"):
            bounds = allowance(self.layer, *(x[images] for x in self.run.inputs(self.layer.name)))
        return float(bounds[(self.index if across else 0, *self.cell.position)])

    @property
    def was_edited(self) -> bool:
        """Whether the run holds another number than the arithmetic gives: an edit put it there."""
        one_is_nan = bool(np.isnan(self.value)) != bool(np.isnan(self.result))
        return one_is_nan or abs(float(self.residual)) > self.bound

    @property
    def place(self) -> tuple[int, ...]:
        """The number's index in run[layer], the batch included."""
        return (self.index, *self.cell.position)

    @property
    def given(self) -> bool:
        """Whether the number is one of the network's inputs."""
        return not self.layer.inputs

    @property
    def introduction(self) -> str:
        """What the sum is of, in words; "" where the places that are read say it."""
        return ""

    @property
    def heads(self) -> tuple[str, str]:
        """What the two factors of each product are called."""
        return "read", "weight"

    @property
    def symbol(self) -> str:
        """What the sum is called in formulas."""
        return "z"

    @property
    def blank(self) -> str:
        """What stands where nothing is read."""
        return "padding"

    @property
    def where(self) -> str:
        """Where the number was read from."""
        return "in the run"

    def followed(self, count: int | None) -> list[Cell]:
        """The cells that the number was made of, those that add most first; None is all of them."""
        cells = [self.terms.cell(*place) for place in self.terms.largest(count)]
        return list(dict.fromkeys([*cells, *self.terms.partners]))

    def at(self, cell: Cell) -> Receipt:
        """The receipt of a cell that the number was made of."""
        return explain_cell(self.run, cell, self.index, self.classes)

    @property
    def title(self) -> str:
        """The cell and the class of its layer, in words."""
        words = f"{self.layer.name} ({self.layer.kind}), {self.cell.place}"
        name = self.plane or self.class_name
        return f"{words}, {name}" if name else words

    @property
    def class_name(self) -> str:
        """The name of the class that the number is a score of; "" if it is none, or nobody named them."""
        named = self.classes and _is_score(self.run.network, self.layer, self.classes)
        return self.classes[self.cell.position[-1]] if named else ""

    @cached_property
    def plane(self) -> str:
        """The plane of a colour picture that the number lies in: "red", "green" or "blue"; "" if in none."""
        planes = planes_of(self.run, self.layer.name, self.index)
        return planes[self.cell.position[-1]] if planes else ""

    @cached_property
    def in_colours(self) -> dict[str, np.ndarray]:
        """Patch ("factor") and kernel ("weight") as colour pictures (rows, columns, 3), from 0 to 1.

        Empty where the network's input is not read, or is no colour picture. The patch is as the picture
        has it, its padding NaN; in the kernel grey is zero and a full colour the largest weight.
        """
        picture = self._picture
        if picture is None or self.terms.selects:
            return {}
        patch, kernel = (array.transpose(1, 2, 0) for array in (self.terms.factor, self.terms.weight))
        blank = np.asarray(self.terms.padding.all(axis=0))[:, :, np.newaxis]
        limit = Scale.of(kernel, signed=True).limit
        return {
            "factor": np.where(blank, np.nan, picture.of(patch)),
            "weight": 0.5 + kernel[:, :, picture.channels] / (2 * limit),
        }

    @property
    def _picture(self) -> InputPicture | None:
        """How what was read is drawn, if that is a colour picture: the network's input, all three planes."""
        source = self.layer.inputs[0] if len(self.layer.inputs) == 1 else ""
        if source not in self.run.network.inputs or len(self.terms.factor) != 3:
            return None
        picture = picture_of(self.run, source, self.index)
        return picture if picture is not None and self.terms.labels == picture.planes else None

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return one_line(f"<Receipt of {self.title}: {self.value}>")

    # These need modules that need this one, so the doors assign them: `receipts` all but the last, which
    # draws and is assigned by `figures`.
    trace: ClassVar[Callable[..., Any]]
    to_text: ClassVar[Callable[..., str]]
    to_latex: ClassVar[Callable[..., str]]
    to_code: ClassVar[Callable[..., str]]
    to_html: ClassVar[Callable[..., str]]
    _repr_html_: ClassVar[Callable[..., str]]
    plot: ClassVar[Callable[..., Any]]
