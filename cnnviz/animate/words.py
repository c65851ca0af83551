"""What is written into an animation: names of cells, numbers, each step's arithmetic.

Numbers are rounded for the eye only; the walk has them in full.
"""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np

from cnnviz.animate.walk import Step, Walk
from cnnviz.numbers import counted, trimmed
from cnnviz.ops.padding import Pair

MOST_TERMS = 27
"""Terms that are written out: a 3x3 kernel on three channels."""


def cell_name(place: int) -> str:
    """The name of an input's cell by its place: a to z, then aa to zz, then aaa.

    >>> cell_name(0), cell_name(25), cell_name(26), cell_name(27 * 26)
    ('a', 'z', 'aa', 'aaa')
    """
    name = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, 26)
        name = ascii_lowercase[letter] + name
    return name


def input_text(walk: Walk, cell: Pair, channel: int) -> str:
    """What an input's cell is called, or its number."""
    if not walk.symbolic:
        return trimmed(float(walk.x[(*cell, channel)]))
    height, width = walk.x.shape[:2]
    return cell_name(channel * height * width + cell[0] * width + cell[1])


def weight_text(walk: Walk, target: int, tap: Pair, source: int) -> str:
    """What a weight is called, or its number; `source` counts the channels that the target reads."""
    if not walk.symbolic:
        return trimmed(float(walk.weights[target][(*tap, source)]))
    wide = max(walk.weights[0].shape[:2]) > 9
    name = f"w{tap[0] + 1},{tap[1] + 1}" if wide else f"w{tap[0] + 1}{tap[1] + 1}"
    return name + "′" * (target * walk.weights[0].shape[2] + source)


def output_text(walk: Walk, row: int, col: int, value: float) -> str:
    """What an output's cell holds: its number, or a name."""
    if not walk.symbolic:
        return trimmed(value)
    wide = max(walk.output.shape[:2]) > 9
    return f"y{row + 1},{col + 1}" if wide else f"y{row + 1}{col + 1}"


def arithmetic(walk: Walk, step: Step) -> tuple[list[str], str]:
    """A step's arithmetic, in parts between which a line may be broken, and its result.

    >>> from cnnviz.animate import conv2d
    >>> walk = conv2d([[1, 2]], [[3, -1]], [10]).walk
    >>> arithmetic(walk, walk.steps[0])
    (['3·1', '+ (−1)·2', '+ bias 10'], '= 11')
    """
    if walk.backwards:
        return _stamp(walk, step)
    result = f"= {output_text(walk, *step.written[0])}"
    if walk.pooling:
        return _pool(walk, step), result
    width = walk.geometry.cols.kernel
    terms = []
    for source, channel in enumerate(step.sources):
        for place, cell in enumerate(step.cells):
            value = input_text(walk, cell, channel) if walk.inside(cell) else "0"
            terms.append(
                f"{_factor(weight_text(walk, step.target, divmod(place, width), source))}·{_factor(value)}"
            )
    terms = _first_and_last(terms)
    if walk.bias is not None:
        bias = f"b{step.target + 1}" if walk.symbolic else trimmed(float(walk.bias[step.target]))
        terms.append(f"bias {bias}")
    return [terms[0], *(f"+ {term}" for term in terms[1:])], result


def _factor(text: str) -> str:
    """A factor, in brackets if it has a sign."""
    return f"({text})" if text.startswith("−") else text


def _first_and_last(terms: list[str]) -> list[str]:
    """The terms, or so many of each end and how many more there are."""
    if len(terms) <= MOST_TERMS:
        return terms
    kept = MOST_TERMS // 2
    return [*terms[:kept], f"… ({len(terms) - 2 * kept} more)", *terms[-kept:]]


def _pool(walk: Walk, step: Step) -> list[str]:
    channel = step.sources[0]
    values = [input_text(walk, cell, channel) for cell in step.cells if walk.inside(cell)]
    count = len(values)
    values = _first_and_last(values)
    if walk.operation == "max_pool2d":
        parts = [f"{value}," for value in values]
        parts[-1] = values[-1] + ")"
        return ["max(" + parts[0], *parts[1:]]
    parts = [values[0], *(f"+ {_factor(value)}" for value in values[1:])]
    parts[-1] += ")"
    return ["(" + parts[0], *parts[1:], f"/ {count}"]


def _stamp(walk: Walk, step: Step) -> tuple[list[str], str]:
    value = input_text(walk, (step.row, step.col), step.sources[0])
    if not step.written:
        return [f"{value} × kernel falls", "outside the output"], ""
    rows = [row for row, _, _ in step.written]
    cols = [col for _, col, _ in step.written]
    where = f"rows {min(rows)} to {max(rows)}, columns {min(cols)} to {max(cols)}"
    cut = len(step.cells) - len(step.written)
    parts = [f"{value} × kernel", "is added to the output,", where]
    return ([*parts, f"({counted(cut, 'cell')} {'is' if cut == 1 else 'are'} cut off)"] if cut else parts), ""


def heading(walk: Walk) -> str:
    """The operation and how it is set, in a line."""
    rows, cols = walk.geometry
    said = [f"{'window' if walk.pooling else 'kernel'} {rows.kernel} × {cols.kernel}"]
    for name, value in walk.settings.items():
        usual = {"dilation_rate": "1", "groups": "1", "output_padding": "None"}
        if _plain(value) not in (usual.get(name), f"({usual.get(name)}, {usual.get(name)})"):
            said.append(f"{name}={value!r}" if isinstance(value, str) else f"{name}={_plain(value)}")
    return ", ".join(said)


def _plain(value: object) -> str:
    return str(np.asarray(value).tolist()).replace("[", "(").replace("]", ")")
