"""A receipt as plain text: patch, kernel and sum for each channel, aligned, ASCII only.

Where a window is too wide for the line, or there are too many channels, what adds most is written
out and the rest is summed up.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnviz.network.colour_planes import picture_of
from cnnviz.numbers import MOST_DIGITS, Format, column, counted, exact, short
from cnnviz.receipts.receipt import Receipt
from cnnviz.receipts.steps import Shares
from cnnviz.receipts.terms import Terms
from cnnviz.resources import one_line

NARROWEST = 60
STAGES = "each channel: patch * depthwise kernel = response, times its pointwise weight = what it adds"
NARROWEST_NUMBER = 2
"""Columns that a number takes with its space."""
LARGEST_TERMS = 10
"""How many products are listed where a window is not drawn."""


def to_text(receipt: Receipt, width: int = 80, *, groups: int = 16) -> str:
    """The arithmetic as plain text, at most `width` columns wide.

    Of more than `groups` input channels those that add most are written out.
    """
    if width < NARROWEST:
        raise ValueError(f"width must be at least {NARROWEST} columns, got {width}")
    if groups < 1:
        raise ValueError(f"groups must be at least 1, got {groups}")
    lines = [*_ends(one_line(receipt.title), short(receipt.value), width), ""]
    lines += _body(receipt, width, groups)
    for step in receipt.steps:
        lines += _wrapped(f"{step}", width)
        if step.shares is not None:
            lines += [f"  {line}" for line in _shares(step.shares, step.digits)]
    lines += ["", *_wrapped(closing(receipt), width)]
    return "\n".join(line.rstrip() for line in lines)


def closing(receipt: Receipt) -> str:
    """The last line: the number by this arithmetic, the number in the run, and the difference."""
    dtype = np.asarray(receipt.value).dtype
    if receipt.given and not receipt.was_edited:
        return f"an input of the network, given as {exact(receipt.value)} ({dtype}){_pixel(receipt)}"
    here, there = exact(receipt.result), exact(receipt.value)
    words = f"{dtype}: {here} in this order, {there} {receipt.where}, residual {short(receipt.residual, 2)}"
    if receipt.was_edited:
        return f"{words}: more than rounding leaves, so this layer's output was edited in the run"
    return f"{words} (rounding leaves at most {short(receipt.bound, 2)})" if receipt.bound else words


def _pixel(receipt: Receipt) -> str:
    """What a number of the input is of a colour picture, in the 256 steps of a file."""
    picture = picture_of(receipt.run, receipt.layer.name, receipt.index) if receipt.plane else None
    if picture is None:
        return ""
    steps = short(255 * picture.share(receipt.value, receipt.cell.position[-1]))
    return f": {receipt.plane} {steps} of 255" + (f", {picture.said}" if picture.said else "")


def reads(receipt: Receipt) -> str:
    """What a cell read, in words: the layer, and the rows and columns of a window."""
    if receipt.introduction:
        return receipt.introduction
    terms = receipt.terms
    if not terms.taken_apart:
        return f"reads {'; '.join(terms.sources)}, and is not taken apart"
    if not len(terms):
        return "reads nothing"
    if len(terms) == 1 or len(set(terms.source.tolist())) > 1:
        cells = [str(terms.cell(g)) for g in range(len(terms.factor))]
        return f"reads {'; '.join(cells + [str(cell) for cell in terms.partners])}"
    words = f"reads {terms.sources[int(terms.source[0])]}"
    if terms.row is not None and terms.window != (1, 1):
        spans = [("row", terms.row)] + ([("column", terms.col)] if terms.col is not None else [])
        return ", ".join([words, *(_span(name, indices) for name, indices in spans)])
    if terms.row is not None:
        words += f", row {terms.row.flat[0]}"
    return words + (f", column {terms.col.flat[0]}" if terms.col is not None else "")


def _span(name: str, indices: Any) -> str:
    places = np.unique(indices)
    if len(places) == 1:
        return f"{name} {places[0]}"
    step = places[1] - places[0]
    every = f" in steps of {step}" if step > 1 else ""
    return f"{name}s {places[0]} to {places[-1]}{every}"


# The sum ----------------------------------------------------------------------------------------


def _body(receipt: Receipt, width: int, groups: int) -> list[str]:
    terms = receipt.terms
    if receipt.given:
        return [f"given  {short(receipt.value)}"]
    dots = f"; . is {receipt.blank}" if terms.left_blank.any() and terms.window != (1, 1) else ""
    lines = _wrapped(one_line(reads(receipt)) + dots, width)
    lines += _wrapped(STAGES, width) if terms.mix is not None else []
    for step in terms.preparation:
        lines += _wrapped(str(step), width)
    if is_copied(terms):
        kept = "padding" if terms.padding.any() else "the number itself"
        return [*lines, f"{kept}  {short(terms.total)}"]
    if not terms.taken_apart:
        return [*lines, "", f"{terms.bias_name}  {short(terms.total)}"]
    if not len(terms):
        return [*lines, "", *_footer(terms, 0)] if terms.bias_name or not receipt.introduction else lines
    chosen, rest = terms.shown(groups)
    table = None
    if not of_images(terms):
        table = _sums(terms, chosen, rest) if terms.window == (1, 1) else _grid(terms, chosen, rest, width)
    if table is None:
        table = _listed(terms, chosen, rest)
    if terms.selects:
        return [*lines, "", *table, *_wrapped(f"{terms.selects}: {terms.winner}", width)]
    return [*lines, "", *table, *_footer(terms, len(table[-1]))]


def _footer(terms: Terms, width: int) -> list[str]:
    """Sum, bias and total under the column of sums."""
    write = sum_format(terms)
    rows = [] if len(terms) == 1 else [(count_words(terms), write(terms.sum))]
    if terms.bias_name and not len(terms):
        rows = [(terms.bias_name, write(terms.bias))]
    elif terms.bias_name:
        rows += [(terms.bias_name, write(terms.bias)), ("total", write(terms.total))]
    inner = max([width, *(len(f"{name}  {number}") for name, number in rows)])
    wide = max((len(number) for _, number in rows), default=0)
    rule = " " * (inner - wide) + "-" * wide
    return [rule, *(f"{name}  {number:>{wide}}".rjust(inner) for name, number in rows)] if rows else []


def count_words(terms: Terms) -> str:
    """What the sum is of.

    "sum of 144 products", or of a separable convolution's channels.
    """
    if terms.mix is not None:
        return f"sum of {counted(len(terms.factor), 'channel')}"
    return "sum" if len(set(terms.source.tolist())) > 1 else f"sum of {counted(len(terms), 'product')}"


def sum_format(terms: Terms, *, signed: bool = True) -> Format:
    """One format for partial sums, bias and total: aligned, and true as written.

    What is written of the sum and the bias adds up to what is written of the total.
    """
    numbers = [*terms.partial, *terms.contribution, terms.sum, terms.bias, terms.total]
    for digits in range(5, MOST_DIGITS + 1):
        write = column(numbers, signed=signed, digits=digits)
        if write(float(write(terms.sum)) + float(write(terms.bias))) == write(terms.total):
            return write
    return column(numbers, signed=signed)


def is_copied(terms: Terms) -> bool:
    """Whether the cell is one number as it was: nothing is multiplied or added."""
    one = len(terms) == 1 and not terms.partners
    return one and not terms.bias_name and not terms.selects and terms.weight.flat[0] == 1


def _sums(terms: Terms, chosen: Sequence[int], rest: Any) -> list[str]:
    """One line for each group of one number: factor * weight = product."""
    factor, weight = column(terms.factor), column(terms.weight, signed=True)
    total = sum_format(terms)
    rows = []
    for group in chosen:
        numbers = terms.factor[group, 0, 0], terms.weight[group, 0, 0], terms.contribution[group]
        mark = "<" if terms.selects and numbers[1] else ""
        label = "padding" if terms.padding[group, 0, 0] else terms.labels[group]
        row = [label, factor(numbers[0]), "*", weight(numbers[1]), "=", total(numbers[2])]
        rows.append([label, factor(numbers[0]), mark] if terms.selects else row)
    return _aligned(rows, left=1) + _others(terms, chosen, rest, total, rows)


def _others(
    terms: Terms, chosen: Sequence[int], rest: Any, write: Format, rows: Sequence[Sequence[str]]
) -> list[str]:
    """A line for the groups that are not written out."""
    left = len(terms.factor) - len(chosen)
    if not left or terms.selects:
        return [f"and {left} more"] if left else []
    width = len(_aligned(rows, left=1)[0])
    label, number = f"the other {left}", write(rest)
    return [f"{label}{number:>{max(width - len(label), len(number) + 2)}}"]


def _grid(terms: Terms, chosen: Sequence[int], rest: Any, width: int) -> list[str] | None:
    """Patch and kernel side by side for each group; None if that is wider than `width`."""
    if 2 * terms.window[1] * NARROWEST_NUMBER > width:
        return None
    for digits in (5, 4, 3):
        lines = _grid_lines(terms, chosen, rest, digits)
        if max(map(len, lines)) <= width:
            return lines
    return None


def _grid_lines(terms: Terms, chosen: Sequence[int], rest: Any, digits: int) -> list[str]:
    tall, _ = terms.window
    factor = column(terms.factor[np.isfinite(terms.factor)], digits=digits)
    weight, total = column(terms.weight, signed=True, digits=digits), sum_format(terms)
    mix = None if terms.mix is None else column(terms.mix, signed=True, digits=digits)
    uniform = len(terms.factor) == 1 and len(set(terms.weight[~terms.left_blank].tolist())) == 1
    rows: list[list[str]] = []
    for group in chosen:
        middle = (tall - 1) // 2
        for row in range(tall):
            there = row == middle
            cells = [_cell(terms, (group, row, col), factor) for col in range(terms.window[1])]
            line = [terms.labels[group] if there else "", *cells]
            if uniform and not terms.selects:
                line += ["*", weight(terms.weight[~terms.left_blank][0])] if there else ["", ""]
            elif not terms.selects:
                weights = [weight(terms.weight[group, row, col]) for col in range(terms.window[1])]
                line += ["*" if there else "", *weights]
            if mix is not None:
                line += ["=", total(terms.partial[group]), "*", mix(terms.mix[group])] if there else [""] * 4  # type: ignore[index]
            if not terms.selects:
                line += ["=", total(terms.contribution[group])] if there else ["", ""]
            rows.append(line)
        if tall > 1 and group != chosen[-1]:
            rows.append([""] * len(rows[-1]))
    return [*_aligned(rows, left=1), *_others(terms, chosen, rest, total, rows)]


def _cell(terms: Terms, place: tuple[int, int, int], write: Format) -> str:
    if terms.left_blank[place]:
        return "."
    number = write(terms.factor[place])
    return f"[{number}]" if terms.selects and terms.weight[place] else number


def of_images(terms: Terms) -> bool:
    """Whether each group is of another image: then what adds most is listed."""
    return terms.images is not None and len(set(terms.images.tolist())) > 1


def largest_rows(terms: Terms) -> tuple[str, list[list[str]]]:
    """The products that add most, a row of words for each, and a heading."""
    total = sum_format(terms)
    places = terms.largest(LARGEST_TERMS)
    factor = column([terms.factor[place] for place in places])
    weight = column([terms.weight[place] for place in places], signed=True)
    rows = []
    for place in places:
        row, col = (None if axis is None else axis[place] for axis in (terms.row, terms.col))
        where = [f"row {row}"] * (row is not None) + [f"col {col}"] * (col is not None)
        numbers = ["*", weight(terms.weight[place]), "=", total(terms.product[place])]
        line = [terms.labels[place[0]], ", ".join(where), factor(terms.factor[place])]
        rows.append(line if terms.selects else line + numbers)
    if terms.selects:
        return f"of {counted(len(terms), 'number')}", rows
    return f"the {len(places)} largest of {len(terms):,} products", rows


def _listed(terms: Terms, chosen: Sequence[int], rest: Any) -> list[str]:
    """The partial sums, and the products that add most: for windows that are too wide to draw."""
    total = sum_format(terms)
    heading, rows = largest_rows(terms)
    lines = [heading, *_aligned(rows, left=2)]
    if terms.selects or len(terms.factor) == 1 or terms.window == (1, 1):
        return lines
    sums = [[terms.labels[group], total(terms.contribution[group])] for group in chosen]
    return [
        *lines,
        "",
        f"sums by {'image' if of_images(terms) else 'channel'}",
        *_aligned(sums, left=1),
        *_others(terms, chosen, rest, total, sums),
    ]


# Softmax ----------------------------------------------------------------------------------------


def _shares(shares: Shares, digits: int) -> list[str]:
    """Each exponential over the sum; the largest if there are many, and the cell's own."""
    order = np.argsort(-shares.powers, kind="stable")[:LARGEST_TERMS].tolist()
    chosen = sorted({*order, shares.own})
    z = column(shares.z)
    rows = [["", "z", "exp(z - largest)", "result", ""]]
    for i in chosen:
        numbers = z(shares.z[i]), short(shares.powers[i]), short(shares.results[i])
        rows.append([shares.labels[i], *numbers, "<" if i == shares.own else ""])
    if len(chosen) < len(shares.z):
        rest = np.delete(shares.powers, chosen).sum()
        rows.append([f"{counted(len(shares.z) - len(chosen), 'other')}", "", short(rest), "", ""])
    rows.append(["sum", "", short(shares.powers.sum(), digits), "", ""])
    return _aligned(rows, left=1)


# Lines ------------------------------------------------------------------------------------------


def _aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Columns one space apart; the first `left` of them start at the left, the others end at the right."""
    if not rows:
        return []
    widths = [max(map(len, entries)) for entries in zip(*rows, strict=True)]
    return [
        " ".join(
            entry.ljust(width) if place < left else entry.rjust(width)
            for place, (entry, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _ends(left: str, right: str, width: int) -> list[str]:
    """Two texts at the ends of a line, or on two lines."""
    if len(left) + len(right) + 2 <= width:
        return [f"{left}{right:>{width - len(left)}}"]
    return [*_wrapped(left, width), right.rjust(width)]


def _wrapped(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, width, subsequent_indent="    ") or [""]
