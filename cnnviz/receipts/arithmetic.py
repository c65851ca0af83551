"""The sum of a receipt as a line of NumPy, `(patch * kernel).sum() + bias`, on pieces that its run holds.

Pieces are cut out by slices where what is read is a box of cells; where it is none (samples between cells,
sources of several kinds), nothing is written. Padding adds nothing to a sum: its cells are left out of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnviz.layers.layer import quoted
from cnnviz.numbers import exact
from cnnviz.receipts.receipt import Receipt
from cnnviz.receipts.terms import Terms

NAME = "by_hand"
"""What the lines call their result: the receipt's total."""

Piece = tuple[str, tuple[int, ...], np.ndarray]
"""Slices as Python writes them, the axes of (group, row, column) that they keep, in order; the numbers."""


def arithmetic(receipt: Receipt) -> list[str]:
    """Lines that compute the total of a receipt, before its activation, from `net` and `run`; [] if none can.

    Examples
    --------
    >>> import cnnviz
    >>> run = cnnviz.load_model("mnist_14k").run(np.eye(28))
    >>> print(*arithmetic(cnnviz.explain(run, "conv2d", row=4, col=5, channel=7)), sep="\\n")
    # The sum itself:
    patch = run.inputs("conv2d")[0][0, 4:7, 5:8, 0]
    kernel = net["conv2d"].weights["kernel"][:3, :3, 0, 7]
    bias = net["conv2d"].weights["bias"][7]
    by_hand = (patch * kernel).sum() + bias
    """
    terms, layer = receipt.terms, receipt.layer
    if (
        not len(terms)
        or not terms.taken_apart
        or terms.mix is not None
        or len(set(terms.source.tolist())) > 1
    ):
        return []
    inside = ~terms.padding
    box = _box(inside)
    if box is None or (terms.padding.any() and not (terms.selects or (terms.factor[~inside] == 0).all())):
        return []
    name, source = quoted(layer.name), int(terms.source[0])
    axes = len(terms.shapes[source])
    read = _piece(terms.position[box][..., terms.position.shape[-1] - axes :], terms.factor[box])
    if read is None:
        return []
    lines = [f"patch = run.inputs({name})[{source}][0, {read[0]}]" if axes else ""]
    sum_of = _of_patch(terms, box, read, name)
    if not axes or sum_of is None:
        return []
    more, expression = sum_of
    bias = _bias(receipt, name)
    if bias is not None:
        more, expression = [*more, bias], f"{expression} + bias"
    return ["# The sum itself:", *lines, *more, f"{NAME} = {expression}"]


def _of_patch(terms: Terms, box: tuple[slice, ...], read: Piece, name: str) -> tuple[list[str], str] | None:
    """Lines before the sum, and the sum of products; None where the weights have no simple form."""
    many = "" if not read[1] else ".max()" if terms.selects == "largest" else ".min()"
    if terms.selects:
        return [], f"patch{many}"
    weight = terms.weight[box]
    total = ".sum()" if read[1] else ""
    if terms.weight_name and terms.weight_index is not None:
        kernel = _piece(terms.weight_index[box], weight)
        if kernel is None or kernel[1] != read[1]:
            return None
        return [
            f'kernel = net[{name}].weights["{terms.weight_name}"][{kernel[0]}]'
        ], f"(patch * kernel){total}"
    if terms.partner_places:
        return None
    first = weight.flat[0]
    if not (weight == first).all():
        return None
    if first == 1:
        return [], f"patch{total}"
    return [], f"(patch * {_number(first)}){total}" if total else f"patch * {_number(first)}"


def _bias(receipt: Receipt, name: str) -> str | None:
    """The line of what is added; None for nothing."""
    terms, layer = receipt.terms, receipt.layer
    if not terms.bias_name:
        return None
    held, place = layer.weights.get(terms.bias_name), receipt.cell.position[-1:]
    line = held is not None and held.ndim == 1 and place and place[0] < len(held)
    if held is not None and line and held[place[0]] == terms.bias:
        return f'bias = net[{name}].weights["{terms.bias_name}"][{place[0]}]'
    return f"bias = {_number(terms.bias)}"


def _number(value: Any) -> str:
    words = exact(value)
    words = {"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}.get(words, words)
    return f"np.{np.asarray(value).dtype}({words})"


def _box(inside: np.ndarray) -> tuple[slice, ...] | None:
    """The box of cells that are no padding, if they are one."""
    if not inside.any():
        return None
    slices = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(inside.any(axis=others))
        slices.append(slice(int(found[0]), int(found[-1]) + 1))
    box = tuple(slices)
    return box if inside[box].all() else None


def _piece(index: np.ndarray, values: np.ndarray) -> Piece | None:
    """The slices that cut cells (groups, rows, columns, axes of their array) out of it; None if none can."""
    words, kept = [], []
    for axis in range(index.shape[-1]):
        along = index[..., axis]
        varies = [dim for dim in range(3) if along.shape[dim] > 1 and (np.diff(along, axis=dim) != 0).any()]
        if not varies:
            words.append(str(int(along.flat[0])))
            continue
        if len(varies) > 1 or varies[0] in kept:
            return None
        line = np.moveaxis(along, varies[0], 0)[:, 0, 0]
        step = int(line[1] - line[0])
        if step == 0 or (np.diff(line) != step).any():
            return None
        words.append(_slice(line, step))
        kept.append(varies[0])
    if [dim for dim in range(3) if values.shape[dim] > 1 and dim not in kept]:
        return None
    return ", ".join(words), tuple(kept), values


def _slice(line: Sequence[Any] | np.ndarray, step: int) -> str:
    """A slice as Python writes it: numbers at equal distances, upwards or downwards."""
    first, behind = int(line[0]), int(line[-1]) + (1 if step > 0 else -1)
    start = "" if first == 0 and step > 0 else str(first)
    stop = "" if behind < 0 else str(behind)
    return f"{start}:{stop}" + ("" if step == 1 else f":{step}")
