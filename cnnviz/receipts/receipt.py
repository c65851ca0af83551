"""explain and Receipt: one number of a run with the arithmetic that gave it.

The sum is done anew, term by term in a stated order, in the dtype of the run, and compared with what
the run holds. `text`, `html`, `latex`, `reproduction` and `figures.receipts` show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from cnnviz.layers.activations import Activation
from cnnviz.layers.layer import Layer
from cnnviz.layers.rounding import allowance
from cnnviz.network import Run
from cnnviz.receipts.cells import Cell, checked_index, locate
from cnnviz.receipts.steps import Derivation, activation_step
from cnnviz.receipts.terms import Terms, operands_of
from cnnviz.resources import one_line


def explain(
    run: Run,
    layer: str,
    *,
    row: int | None = None,
    col: int | None = None,
    channel: int | None = None,
    index: int = 0,
    at: Sequence[int] | None = None,
) -> Receipt:
    """The receipt of one number: where it came from, multiplied by what, added to what.

    Parameters
    ----------
    run
        A forward pass, from `Network.run`.
    layer
        The name of a layer of any class.
    row, col
        Of the cell, from 0; for maps only (a sequence has a row and no col).
    channel
        Of the cell, from 0; the unit of a vector. It may be left out where there is only one.
    index
        The image in the run's batch, from 0.
    at
        In place of row, col and channel: all indices of the cell as a tuple, for an output with any
        number of axes.

    Returns
    -------
    Receipt
        print() shows the arithmetic.

    Raises
    ------
    KeyError
        for a layer that does not exist.
    ValueError
        for an index that is missing or that the layer's output does not have.
    IndexError, TypeError
        for one that is out of range, or not an int.

    Examples
    --------
    >>> import cnnviz
    >>> run = cnnviz.load_model("mnist_14k").run(np.eye(28))
    >>> receipt = explain(run, "conv2d", row=4, col=5, channel=7)
    >>> receipt.terms.factor.shape, abs(float(receipt.residual)) <= receipt.bound
    ((1, 3, 3), True)
    """
    if not isinstance(run, Run):
        raise TypeError(f"run must be what Network.run returns, got {type(run).__name__}")
    chosen = run.network[layer]
    value = run[chosen.name]
    index = checked_index("index", index, len(value), f"the run's batch of {len(value)}")
    cell = locate(chosen.name, value.shape[1:], row, col, channel, at)
    return explain_cell(run, cell, index)


def explain_cell(run: Run, cell: Cell, index: int = 0) -> Receipt:
    """`explain` for a cell that is known to exist."""
    layer = run.network[cell.layer]
    inputs = run.inputs(layer.name) if layer.inputs else (run.pre_activation(layer.name),)
    terms = operands_of(layer, [x[index] for x in inputs], cell.position)
    steps: tuple[Derivation, ...] = ()
    if layer.activation is not None:
        steps = (_activate(layer.activation, run.pre_activation(layer.name), (index, *cell.position), terms),)
    return Receipt(run, layer, cell, index, terms, run[layer.name][(index, *cell.position)], steps)


def _activate(activation: Activation, z: np.ndarray, place: tuple[int, ...], terms: Terms) -> Derivation:
    """The activation of a receipt's total; a softmax takes its other numbers from the run."""
    arguments = dict(activation.arguments)
    if activation.axis is None:
        if activation.name == "prelu":
            arguments["alpha"] = np.broadcast_to(arguments["alpha"], z.shape[1:])[place[1:]]
        return activation_step(Activation(activation.name, arguments), np.array([terms.total]))
    axis = activation.axis % z.ndim
    line = np.moveaxis(z, axis, -1)[place[:axis] + place[axis + 1 :]].copy()
    line[place[axis]] = terms.total
    names = {2: ("unit",), 3: ("row", "channel"), 4: ("row", "column", "channel")}.get(z.ndim, ())
    word = dict(enumerate(("image", *names))).get(axis, "entry")
    labels = tuple(f"{word} {i}" for i in range(len(line)))
    return activation_step(Activation(activation.name), line, place[axis], labels)


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
    """

    run: Run = field(repr=False)
    layer: Layer
    cell: Cell
    index: int
    terms: Terms
    value: Any
    steps: tuple[Derivation, ...] = field(repr=False)

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
        if not self.layer.inputs:
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
    def title(self) -> str:
        """The cell and the class of its layer, in words."""
        return f"{self.layer.name} ({self.layer.kind}), {self.cell.place}"

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
