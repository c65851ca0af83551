"""A receipt as LaTeX: matrices for patch and kernel, sums, and the steps before and after.

Written for math mode with amsmath. The numbers are those of the plain text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnviz.numbers import column, exact, short
from cnnviz.receipts import formulas
from cnnviz.receipts.formulas import tex_number
from cnnviz.receipts.receipt import Receipt
from cnnviz.receipts.steps import Derivation
from cnnviz.receipts.terms import Terms
from cnnviz.receipts.text import count_words, is_copied, sum_format
from cnnviz.resources import one_line

LARGEST_WINDOW = 49
"""A window with more numbers is not written out."""


def to_latex(receipt: Receipt, *, groups: int = 16) -> str:
    """The arithmetic as LaTeX: an aligned block for math mode, with amsmath."""
    if groups < 1:
        raise ValueError(f"groups must be at least 1, got {groups}")
    terms = receipt.terms
    lines = [line for step in terms.preparation for line in _step(step)]
    if receipt.given:
        lines.append((receipt.symbol, _number(receipt.value), words("given")))
    elif not terms.taken_apart:
        lines.append((receipt.symbol, _number(terms.total), words(terms.bias_name)))
    elif is_copied(terms):
        lines.append((receipt.symbol, _number(terms.total), words(f"from {terms.cell(0)}")))
    elif terms.selects:
        lines.append(
            (receipt.symbol, rf"{_choice(terms)} = {_number(terms.total)}", words(str(terms.winner)))
        )
    else:
        lines += _sum(terms, groups, receipt.symbol)
    for step in receipt.steps:
        lines += _step(step)
    rows = [rf"{left} &= {right}" + (rf" && {note}" if note else "") for left, right, note in lines]
    body = " \\\\\n".join(rows)
    return (
        f"% {one_line(receipt.title)}: {exact(receipt.value)}\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
    )


def words(text: str) -> str:
    """Plain text within math.

    >>> print(words("conv2d_3, row 1"))
    \\text{conv2d\\_3, row 1}
    """
    special = {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}", **{c: f"\\{c}" for c in "&%$#_{}"}}
    return rf"\text{{{''.join(special.get(c, c) for c in one_line(text))}}}"


Line = tuple[str, str, str]
"""Left side, right side, and a note."""


def _choice(terms: Terms) -> str:
    """The numbers that a selecting layer chose from: a window of a map, or one of each input."""
    sign, write = r"\max" if terms.selects == "largest" else r"\min", column(terms.factor)
    if terms.window == (1, 1):
        return rf"{sign}\left({', '.join(tex_number(write(factor)) for factor in terms.factor.flat)}\right)"
    if len(terms) > LARGEST_WINDOW:
        return rf"{sign}_{{{len(terms)}}} x_i"
    return f"{sign} {_matrix(terms, write, 0, 'factor')}"


def _sum(terms: Terms, groups: int, symbol: str) -> list[Line]:
    chosen, rest = terms.shown(groups)
    factor, weight = column(terms.factor[np.isfinite(terms.factor)]), column(terms.weight)
    total = sum_format(terms, signed=False)
    wide = terms.factor[0].size > LARGEST_WINDOW if len(terms.factor) else False
    lines = []
    for group in chosen:
        if terms.window == (1, 1):
            numbers = factor(terms.factor[group, 0, 0]), weight(terms.weight[group, 0, 0])
            body = rf"{tex_number(numbers[0])} \cdot {_bracket(numbers[1])}"
        elif wide:
            body = rf"\textstyle\sum_{{{terms.factor[group].size}}} x_i\, w_i"
        else:
            patch, kernel = _matrix(terms, factor, group, "factor"), _matrix(terms, weight, group, "weight")
            body = rf"\sum {patch} \odot {kernel}"
        if terms.mix is not None:
            body = rf"{_bracket(short(terms.mix[group]))} \cdot {body}"
        left = f"s_{{{group}}}" if len(terms.factor) > 1 else "s"
        result = tex_number(total(terms.contribution[group]))
        lines.append((left, rf"{body} = {result}", words(terms.labels[group])))
    left_out = len(terms.factor) - len(chosen)
    if left_out:
        lines.append((r"s_{\text{rest}}", tex_number(total(rest)), words(f"the other {left_out}")))
    if len(terms.factor) > 1:
        lines.append((r"\textstyle\sum s", tex_number(total(terms.sum)), words(count_words(terms))))
    if terms.bias_name:
        bias = _bracket(total(terms.bias))
        result = rf"{tex_number(total(terms.sum))} + {bias} = {tex_number(total(terms.total))}"
        lines.append((symbol, result, words(terms.bias_name)))
    else:
        lines.append((symbol, _number(terms.total), ""))
    return lines


def _step(step: Derivation) -> list[Line]:
    with_numbers = formulas.latex(step.formula, step.values, step.digits)
    parts = dict.fromkeys([formulas.latex(step.formula), with_numbers, _number(step.result)])
    condition = step.condition.replace("<=", r"\le")
    note = rf"{words('as ')} {condition}" if condition else ""
    return [(words(step.name), " = ".join(parts), note)]


def _matrix(terms: Terms, write: Any, group: int, name: str) -> str:
    array: np.ndarray = getattr(terms, name)[group]
    rows: Sequence[str] = [
        " & ".join(
            r"\cdot" if terms.left_blank[group, row, col] and name == "factor" else tex_number(write(number))
            for col, number in enumerate(line)
        )
        for row, line in enumerate(array)
    ]
    body = r" \\ ".join(rows)
    return rf"\begin{{bmatrix}} {body} \end{{bmatrix}}"


def _number(value: Any) -> str:
    return tex_number(short(value))


def _bracket(word: str) -> str:
    shown = tex_number(word)
    return rf"({shown})" if word.startswith("-") else shown
