"""The arithmetic of a receipt as lines of NumPy, `(patch * kernel).sum() + bias`, on what its run holds.

Pieces are cut out by slices where what is read is a box of cells, or named one by one where each input gives
one number; of anything else (samples between cells) the receipt's own numbers are written. Padding adds
nothing to a sum: its cells are left out of the slices.
"""

from __future__ import annotations

import ast
import base64
import re
import textwrap
import zlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from cnnviz.layers.layer import quoted
from cnnviz.layers.operands import Equation
from cnnviz.numbers import exact
from cnnviz.receipts.receipt import Receipt
from cnnviz.receipts.steps import Derivation
from cnnviz.receipts.terms import Terms

NAME = "by_hand"
"""What the lines call their result: the receipt's."""

MOST_LITERALS = 2000
"""Larger arrays are written in base64."""

Piece = tuple[str, tuple[int, ...], np.ndarray]
"""Slices as Python writes them, the axes of (group, row, column) that they keep, in order; the numbers."""

Sum = tuple[list[str], str]
"""Lines, and the expression that they lead to: the sum before its bias."""

_OF_NUMPY = re.compile(
    r"\b(exp|expm1|sqrt|log|log2|log10|log1p|tanh|sinh|cosh|sin|cos|tan|floor|ceil|trunc|pi)\b"
)


def arithmetic(receipt: Receipt) -> list[str]:
    """Lines that compute the number of a receipt from `net` and `run`; [] for one that is not taken apart.

    Also [] where more numbers than `MOST_LITERALS` would have to be written.

    Examples
    --------
    >>> import cnnviz
    >>> run = cnnviz.load_model("mnist_14k").run(np.eye(28))
    >>> print(*arithmetic(cnnviz.explain(run, "conv2d", row=4, col=5, channel=7)), sep="\\n")
    # The arithmetic itself:
    patch = run.inputs("conv2d")[0][0, 4:7, 5:8, 0]
    kernel = net["conv2d"].weights["kernel"][:3, :3, 0, 7]
    bias = net["conv2d"].weights["bias"][7]
    z = (patch * kernel).sum() + bias
    by_hand = max(z, 0)
    """
    terms = receipt.terms
    if not len(terms) or not terms.taken_apart:
        return []
    found, whose = _by_slices(receipt) or _by_places(receipt), ""
    if found is None:
        found, whose = _by_numbers(terms), ", with the receipt's numbers"
    if found is None:
        return []
    lines, expression = found
    lines = [*equations(terms.preparation), *lines]
    bias = _bias(receipt)
    if bias is not None:
        lines += [bias] if bias else []
        expression += f" + {'bias' if bias else terms.bias_name}"
    return [f"# The arithmetic itself{whose}:", *lines, *_activated(receipt, expression)]


def _activated(receipt: Receipt, total: str) -> Iterator[str]:
    """From the sum to the receipt's number, through the activation if there is one."""
    if not receipt.steps:
        yield f"{NAME} = {total}"
        return
    (step,) = receipt.steps
    if step.shares is None:
        yield f"z = {total}"
        yield from _assigned(step, {"z": step.values.get("z")})
        yield f"{NAME} = {in_numpy(step.formula, 'special.erfc')}"
        return
    activation, own = receipt.layer.activation, step.shares.own
    assert activation is not None
    assert activation.axis is not None
    along = ["0", *map(str, receipt.cell.position)]
    along[activation.axis] = ":"
    yield f"z = run.pre_activation({quoted(receipt.layer.name)})[{', '.join(along)}].copy()"
    yield f"z[{own}] = {total}"
    yield "powers = np.exp(z - z.max())"
    shifted = activation.name == "log_softmax"
    yield f"{NAME} = " + (
        f"z[{own}] - z.max() - np.log(powers.sum())" if shifted else f"powers[{own}] / powers.sum()"
    )


# Equations ----------------------------------------------------------------------------------------


def in_numpy(formula: str, erfc: str = "erfc") -> str:
    """A formula as NumPy's expression."""
    formula = ast.unparse(ast.parse(formula, mode="eval"))  # With its spaces where they are read.
    return _OF_NUMPY.sub(lambda found: "np." + found[0], formula).replace("erfc", erfc)


def equations(
    steps: Sequence[Equation | Derivation], first: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """Each formula as a line of Python, after its numbers where they are not those that came before.

    `first` says what numbers of the first formula are called already.
    """
    known: dict[str, Any] = {}
    for i, step in enumerate(steps):
        for name in step.values if i == 0 else ():
            if name in first:
                yield f"{name} = {first[name]}"
                known[name] = step.values[name]
        yield from _assigned(step, known)
        result = step.name if step.name.isidentifier() else "y"
        known[result] = step.result
        if "clipped(" in step.formula or "constrained(" in step.formula:
            # By other numbers of the gradient, or of the weight.
            yield f"{result} = {_number(step.result)}"
        else:
            yield f"{result} = {in_numpy(step.formula)}"


def _assigned(step: Equation, known: dict[str, Any]) -> Iterator[str]:
    """A line for each number of a formula that is not known yet; then it is."""
    for name, value in step.values.items():
        if name not in known or not _same(known[name], value):
            yield f"{name} = {_number(value) if isinstance(value, np.generic) else number(value)}"
        known[name] = value


def _same(one: Any, two: Any) -> bool:
    return type(one) is type(two) and bool(one == two)


# The sum ------------------------------------------------------------------------------------------


def _by_slices(receipt: Receipt) -> Sum | None:
    """On slices of what is read and of the weights; None where they are no boxes."""
    terms, layer = receipt.terms, receipt.layer
    if len(set(terms.source.tolist())) > 1:
        return None
    inside = ~terms.padding
    box = _box(inside)
    if box is None or (terms.padding.any() and not (terms.selects or (terms.factor[~inside] == 0).all())):
        return None
    name, source = quoted(layer.name), int(terms.source[0])
    axes = len(terms.shapes[source])
    read = _piece(terms.position[box][..., terms.position.shape[-1] - axes :], terms.factor[box])
    if read is None or not axes:
        return None
    lines = [f"patch = run.inputs({name})[{source}][0, {read[0]}]"]
    weights = _of_patch(receipt, box, read)
    if weights is None:
        return None
    more, expression = weights
    return [*lines, *more], expression


def _of_patch(receipt: Receipt, box: tuple[slice, ...], read: Piece) -> Sum | None:
    """Lines behind the patch, and the sum of products; None where the weights have no simple form."""
    terms, name = receipt.terms, quoted(receipt.layer.name)
    if terms.selects:
        return [], f"patch{_picked(terms) if read[1] else ''}"
    weight = terms.weight[box]
    total = ".sum()" if read[1] else ""
    if terms.weight_name and terms.weight_index is not None:
        kernel = _piece(terms.weight_index[box], weight)
        if kernel is None or kernel[1] != read[1]:
            return None
        lines = [f'kernel = net[{name}].weights["{terms.weight_name}"][{kernel[0]}]']
        if terms.mix is None:
            return lines, f"(patch * kernel){total}"
        mix = _mix(receipt)
        if mix is None or 0 not in read[1]:
            return None
        window = tuple(axis for axis, dim in enumerate(read[1]) if dim != 0)
        return [*lines, f"sums = (patch * kernel).sum(axis={window})", mix], "(sums * mix).sum()"
    if terms.partner_places or terms.mix is not None or not (weight == weight.flat[0]).all():
        return None
    first = weight.flat[0]
    if first == 1:
        return [], f"patch{total}"
    scale = next((step.name for step in terms.preparation if _same(step.result, first)), _number(first))
    return [], f"(patch * {scale}){total}" if total else f"patch * {scale}"


def _picked(terms: Terms) -> str:
    return ".max()" if terms.selects == "largest" else ".min()"


def _mix(receipt: Receipt) -> str | None:
    """The line of what each group's sum is multiplied by, cut from the layer's weights."""
    mix, to = receipt.terms.mix, receipt.cell.position[-1]
    for name, held in receipt.layer.weights.items():
        if held.ndim > 1 and held.shape[-1] > to and np.array_equal(held[..., to].ravel(), mix):  # type: ignore[arg-type]
            at = ", ".join([*["0"] * (held.ndim - 2), ":", str(to)])
            return f'mix = net[{quoted(receipt.layer.name)}].weights["{name}"][{at}]'
    return None


def _by_places(receipt: Receipt) -> Sum | None:
    """On one number of each of several inputs; None where more is read of one."""
    terms, name = receipt.terms, quoted(receipt.layer.name)
    sources = terms.source.tolist()
    alone = terms.window == (1, 1) and not terms.padding.any() and terms.mix is None
    if not alone or len(set(sources)) < len(sources) or terms.partner_places or terms.weight_name:
        return None
    cells = [terms.cell(group) for group in range(len(sources))]
    read = [
        f"    run.inputs({name})[{source}][{', '.join(map(str, (0, *cell.position)))}],"
        for source, cell in zip(sources, cells, strict=True)
    ]
    lines = ["patch = np.array([", *read, "])"]
    if terms.selects:
        return lines, f"patch{_picked(terms)}"
    if (terms.weight == 1).all():
        return lines, "patch.sum()"
    return [*lines, *array("weights", terms.weight.ravel())], "(patch * weights).sum()"


def _by_numbers(terms: Terms) -> Sum | None:
    """On the numbers of the receipt itself; None where they are too many to be read."""
    if len(terms) > MOST_LITERALS:
        return None
    lines = array("patch", terms.factor)
    if terms.selects:
        return lines, f"patch{_picked(terms)}"
    lines += array("kernel", terms.weight)
    if terms.mix is None:
        return lines, "(patch * kernel).sum()"
    return [
        *lines,
        "sums = (patch * kernel).sum(axis=(1, 2))",
        *array("mix", terms.mix),
    ], "(sums * mix).sum()"


def _bias(receipt: Receipt) -> str | None:
    """The line of what is added; None for nothing, "" where an equation named it already."""
    terms, layer = receipt.terms, receipt.layer
    if not terms.bias_name:
        return None
    if any(step.name == terms.bias_name and _same(step.result, terms.bias) for step in terms.preparation):
        return ""
    held, place = layer.weights.get(terms.bias_name), receipt.cell.position[-1:]
    line = held is not None and held.ndim == 1 and place and place[0] < len(held)
    if held is not None and line and held[place[0]] == terms.bias:
        return f'bias = net[{quoted(layer.name)}].weights["{terms.bias_name}"][{place[0]}]'
    return f"bias = {_number(terms.bias)}"


# Slices -------------------------------------------------------------------------------------------


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


# Numbers and arrays -------------------------------------------------------------------------------


def array(name: str, array: np.ndarray) -> list[str]:
    """Lines that make an array, its bits kept: as bytes if they are pixels or many, else in digits."""
    array = np.asarray(array)
    shape = f".reshape{array.shape}" if array.ndim != 1 else ""
    with np.errstate(invalid="ignore"):
        pixels = np.clip(np.nan_to_num(array * 255).round(), 0, 255).astype(np.uint8)
    if array.size > 16 and np.array_equal(pixels.astype(array.dtype) / array.dtype.type(255), array):
        return _bytes(name, pixels, f"{shape}.astype(np.{array.dtype}) / 255")
    if array.size > MOST_LITERALS:
        return _bytes(name, array, f"{shape}.copy()")
    numbers = textwrap.wrap(", ".join(map(number, array.ravel())), 96)
    body = [f"    {line}" for line in numbers]
    return [f"{name} = np.array([", *body, f"], np.{array.dtype}){shape}"]


def _bytes(name: str, array: np.ndarray, then: str) -> list[str]:
    packed = base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode()
    words = [f'    "{line}"' for line in textwrap.wrap(packed, 94)]
    return [
        "data = zlib.decompress(base64.b64decode(",
        *words,
        "))",
        f"{name} = np.frombuffer(data, np.{array.dtype}){then}",
    ]


def number(value: Any) -> str:
    words = exact(value)
    return {"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}.get(words, words)


def _number(value: Any) -> str:
    return f"np.{np.asarray(value).dtype}({number(value)})"
