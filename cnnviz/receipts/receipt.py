"""explain and Receipt: one number of a run with the arithmetic that gave it.

The sum is done anew, term by term in a stated order, in the dtype of the run, and compared with what
the run holds. How a receipt is shown is in `text`, `html`, `latex` and `plot`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnviz.activation import Activation
from cnnviz.layer import Layer
from cnnviz.network import Run
from cnnviz.receipts.arithmetic import operands
from cnnviz.receipts.cells import Cell, checked_index, locate
from cnnviz.receipts.steps import Step, activation_step
from cnnviz.receipts.terms import Terms
from cnnviz.rounding import allowance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cnnviz.colours import Theme
    from cnnviz.figures.picture import Picture
    from cnnviz.receipts.tracing import Trace


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
        for a layer that there is not.
    ValueError
        for an index that is missing or that the layer's output does not have.
    IndexError, TypeError
        for one that is out of range, or no int.

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
    found = run.network[layer]
    value = run[found.name]
    index = checked_index("index", index, len(value), f"the run's batch of {len(value)}")
    cell = locate(found.name, value.shape[1:], row, col, channel, at)
    return explain_cell(run, cell, index)


def explain_cell(run: Run, cell: Cell, index: int = 0) -> Receipt:
    """`explain` for a cell that is known to exist."""
    layer = run.network[cell.layer]
    inputs = run.inputs(layer.name) if layer.inputs else (run.pre_activation(layer.name),)
    terms = operands(layer, [x[index] for x in inputs], cell.position)
    steps: tuple[Step, ...] = ()
    if layer.activation is not None:
        steps = (_activate(layer.activation, run.pre_activation(layer.name), (index, *cell.position), terms),)
    return Receipt(run, layer, cell, index, terms, run[layer.name][(index, *cell.position)], steps)


def _activate(activation: Activation, z: np.ndarray, place: tuple[int, ...], terms: Terms) -> Step:
    """The activation of a receipt's total; a softmax takes its other numbers from the run."""
    arguments = dict(activation.arguments)
    if activation.name not in ("softmax", "log_softmax"):
        if activation.name == "prelu":
            arguments["alpha"] = np.broadcast_to(arguments["alpha"], z.shape[1:])[place[1:]]
        return activation_step(Activation(activation.name, arguments), np.array([terms.total]))
    axis = arguments.get("axis", -1) % z.ndim
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
    steps: tuple[Step, ...] = field(repr=False)

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
        """How large the residual can get by rounding alone (derived in `cnnviz.rounding`)."""
        if not self.layer.inputs:
            return 0.0
        softmax = self.layer.activation and self.layer.activation.name in ("softmax", "log_softmax")
        across = softmax and self.layer.activation.arguments.get("axis", -1) == 0  # type: ignore[union-attr]
        images = slice(None) if across else slice(self.index, self.index + 1)
        with np.errstate(all="ignore"):
            bounds = allowance(self.layer, *(x[images] for x in self.run.inputs(self.layer.name)))
        return float(bounds[(self.index if across else 0, *self.cell.position)])

    @property
    def was_edited(self) -> bool:
        """Whether the run holds another number than arithmetic gives: an edit put it there."""
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

    def trace(self, depth: int | None = None, *, follow: int | None = 1, limit: int = 1000) -> Trace:
        """The receipts of what this number was made of, and of what those were, down to the pixels.

        Parameters
        ----------
        depth
            How many layers down; None goes to the network's inputs.
        follow
            How many of the factors that add most are followed, in each receipt; None is all of them.
            A maximum has one, its winner.
        limit
            Most receipts in all. Strong paths are followed to their ends first; a receipt that is
            not followed for lack of room says so.

        Returns
        -------
        Trace
            A tree: `.receipt` and `.children`.

        Raises
        ------
        ValueError
            for a negative depth, or a `follow` or `limit` below 1.

        Examples
        --------
        >>> import cnnviz
        >>> run = cnnviz.load_model("mnist_14k").run(np.eye(28))
        >>> trace = explain(run, "conv2d_1", row=3, col=3, channel=0).trace()
        >>> [node.receipt.layer.kind for node in trace.path]
        ['Conv2D', 'Dropout', 'BatchNormalization', 'Conv2D', 'InputLayer']
        """
        from cnnviz.receipts.tracing import trace_receipt

        return trace_receipt(self, depth, follow, limit)

    # Showing ------------------------------------------------------------------------------------

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"<Receipt of {self.title}: {self.value}>"

    def to_text(self, width: int = 80, *, groups: int = 16) -> str:
        """The arithmetic as plain text, at most `width` columns wide.

        Of more than `groups` input channels those that add most are written out.
        """
        from cnnviz.receipts.text import as_text

        return as_text(self, width, groups)

    def to_latex(self, *, groups: int = 16) -> str:
        """The arithmetic as LaTeX: an aligned block for math mode, with amsmath."""
        from cnnviz.receipts.latex import as_latex

        return as_latex(self, groups)

    def to_code(self, library: str = "cnnviz", *, image: str | None = None) -> str:
        """A Python program that computes the number again and prints it.

        Parameters
        ----------
        library
            "cnnviz" (NumPy) or "keras".
        image
            A Python expression for what was given to `Network.run`, such as
            "cnnviz.load_mnist()[1][0][7]"; None writes the numbers themselves into the program.

        Returns
        -------
        str
            It runs as it is. It loads the network's file; if there is none, or the network or the run
            were changed since, it holds the receipt's own numbers instead.

        Raises
        ------
        ValueError
            for another library.
        """
        from cnnviz.receipts.reproduction import as_code

        return as_code(self, library, image)

    def _repr_html_(self) -> str:
        from cnnviz.receipts.html import as_html

        return as_html(self)

    def plot(
        self, ax: Axes | None = None, *, width: float | None = None, theme: str | Theme = "light"
    ) -> Picture:
        """The arithmetic as a picture: patch, kernel and products by channel, and how they add up.

        Parameters
        ----------
        ax
            Axes to draw on; None makes a figure.
        width
            In pixels; None is a page's width.
        theme
            "light" or "dark".

        Returns
        -------
        cnnviz.figures.Picture
            Its artists are "patches", "kernels" and "products" (lists of images, one for each channel
            that is drawn), "bars" (what each part adds) and "shares" (of a softmax).
        """
        from cnnviz.figures.receipts import draw

        return draw(self, ax, width, theme)
