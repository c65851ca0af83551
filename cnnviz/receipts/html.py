"""A receipt as HTML for notebooks: one table, self-contained, in light and dark.

Cells are tinted by `colours`' palettes, one scale for what was read and one for the weights;
every number is written, with its sign, so that colour is never the only cue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from html import escape
from typing import Any

import numpy as np

from cnnviz.colours import THEMES, Scale, ink_on, palette
from cnnviz.numbers import Format, column, counted, exact, short
from cnnviz.receipts.receipt import Receipt
from cnnviz.receipts.steps import Derivation, Shares
from cnnviz.receipts.terms import Terms
from cnnviz.receipts.text import closing, count_words, is_copied, largest_rows, of_images, reads, sum_format

GROUPS = 64
"""Channels that are written out; of more, those that add most."""
LARGEST_WINDOW = 121
"""A window with more cells is not drawn."""
LEVELS = 8
"""Tints on either side of zero."""


def to_html(receipt: Receipt) -> str:
    """The arithmetic as a piece of HTML, which a notebook shows."""
    terms = receipt.terms
    parts = [
        f"<style>{_style()}</style>",
        _tag("p", f"<b>{escape(receipt.title)}</b><output>{escape(exact(receipt.value))}</output>", "head"),
    ]
    if not receipt.given:
        dots = f"; a dot is {receipt.blank}" if terms.left_blank.any() and terms.window != (1, 1) else ""
        parts.append(_tag("p", escape(reads(receipt) + dots), "note"))
        parts += [_step(step) for step in terms.preparation]
        parts.append(_sum(receipt) if terms.taken_apart and not is_copied(terms) else "")
        parts += [_step(step) for step in receipt.steps]
        parts += [_shares(step.shares, step.digits) for step in receipt.steps if step.shares is not None]
    parts.append(_tag("p", escape(closing(receipt)), "note"))
    return f'<div class="cnnviz-receipt">{"".join(parts)}</div>'


def _tag(name: str, inner: str, kind: str = "", **attributes: str) -> str:
    named = {"class": kind, **attributes} if kind else attributes
    words = "".join(f' {key.replace("_", "-")}="{escape(value)}"' for key, value in named.items())
    return f"<{name}{words}>{inner}</{name}>"


def _row(*cells: str) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _head(words: str, scope: str, **attributes: str) -> str:
    return _tag("th", escape(words), scope=scope, **attributes)


def _table(caption: str, head: str, rows: Sequence[str], foot: str) -> str:
    caption = _tag("caption", escape(caption), "hidden")
    return f"<table>{caption}<thead>{head}</thead><tbody>{''.join(rows)}</tbody><tfoot>{foot}</tfoot></table>"


# The sum ----------------------------------------------------------------------------------------


def _sum(receipt: Receipt) -> str:
    terms = receipt.terms
    chosen, rest = terms.shown(GROUPS)
    write = sum_format(terms)
    scales = {
        "factor": Scale.of(terms.factor[~terms.left_blank]),
        "weight": Scale.of(terms.weight, signed=True),
    }
    drawn = terms.factor.size == 0 or (terms.factor[0].size <= LARGEST_WINDOW and not of_images(terms))
    names = ["factor"] if terms.selects else ["factor", "weight"]
    formats = {
        "factor": column(terms.factor[np.isfinite(terms.factor)]),
        "weight": column(terms.weight, signed=True),
    }
    heads = (
        ["", *receipt.heads][: 1 + len(names)]
        + ["response", "pointwise"] * (terms.mix is not None)
        + ["adds"]
    )
    body = []
    if receipt.in_colours and drawn:
        pictures = [_tag("td", _picture(receipt.in_colours[name])) for name in names]
        body.append(_row(_head("in colours", "row"), *pictures, "<td></td>" * (len(heads) - 1 - len(names))))
    for group in chosen:
        cells = [_head(terms.labels[group], "row")]
        if drawn:
            cells += [_tag("td", _window(terms, group, name, formats[name], scales[name])) for name in names]
        else:
            cells.append(
                _tag("td", f"{counted(terms.factor[group].size, 'product')}", colspan=str(len(names)))
            )
        if terms.mix is not None:
            cells += [_tag("td", write(terms.partial[group])), _tag("td", escape(short(terms.mix[group])))]
        body.append(_row(*cells, _tag("td", f"<b>{write(terms.contribution[group])}</b>")))
    wide = str(len(heads) - 1)
    left = len(terms.factor) - len(chosen)
    if left:
        body.append(_row(_head(f"the other {left}", "row", colspan=wide), _tag("td", write(rest))))
    foot = [(count_words(terms), terms.sum)] if len(terms) != 1 else []
    if terms.selects:
        foot = [(f"{terms.selects}: {terms.winner}", terms.total)]
    elif terms.bias_name:
        foot += [(terms.bias_name, terms.bias), ("total", terms.total)]
    footer = "".join(
        _row(_head(name, "row", colspan=wide), _tag("td", f"<b>{write(number)}</b>")) for name, number in foot
    )
    heading = _row(*(_head(name, "col") for name in heads))
    legends = "".join(_legend(head, scales[name]) for head, name in zip(heads[1:], names, strict=False))
    table = _table(f"What {receipt.title} is made of", heading, body, footer)
    if drawn or terms.selects:
        return table + (_tag("p", legends, "note") if drawn and len(terms) else "")
    return _largest(receipt) + table


def _largest(receipt: Receipt) -> str:
    """The products that add most, where windows are not drawn."""
    words, rows = largest_rows(receipt.terms)
    read, weight = receipt.heads
    heads = _row(*(_head(name, "col") for name in ("", "", read, "", weight, "", "adds")))
    body = [_row(_head(row[0], "row"), *(_tag("td", escape(each)) for each in row[1:])) for row in rows]
    return _tag("p", escape(words), "note") + _table(words, heads, body, "")


def _window(terms: Terms, group: int, name: str, write: Format, scale: Scale) -> str:
    """A grid of tinted numbers, which reads as one picture with its numbers as the label."""
    numbers: np.ndarray = getattr(terms, name)[group]
    padding = terms.left_blank[group] & (name == "factor")
    won = (terms.weight[group] != 0) & bool(terms.selects)
    words = np.where(padding, "·", np.vectorize(write, otypes=[str])(numbers))
    cells = []
    for place in np.ndindex(numbers.shape):
        tint = "pad" if padding[place] else _tint(numbers[place], scale)
        cells.append(_tag("i", str(words[place]), f"{tint} won" if won[place] and name == "factor" else tint))
    label = "; ".join(" ".join(line) for line in np.where(padding, "padding", words).tolist())
    columns = f"grid-template-columns:repeat({numbers.shape[1]},auto)"
    return _tag("span", "".join(cells), "grid", role="img", aria_label=label, style=columns)


def _picture(colours: np.ndarray) -> str:
    """A grid of cells (rows, columns, 3) in their own colours, from 0 to 1; NaN is padding."""
    cells = []
    for place in np.ndindex(colours.shape[:2]):
        if np.isnan(colours[place]).any():
            cells.append(_tag("i", "·", "pad"))
        else:
            red, green, blue = (round(255 * float(share)) for share in colours[place])
            cells.append(_tag("i", "&nbsp;", "cell", style=f"background:rgb({red},{green},{blue})"))
    columns = f"grid-template-columns:repeat({colours.shape[1]},1.6em)"
    return _tag("span", "".join(cells), "grid", role="img", aria_label="in its colours", style=columns)


def _tint(value: Any, scale: Scale) -> str:
    number = float(value)
    return _class_of(round(number / scale.limit * LEVELS) if np.isfinite(number) else 0)


def _class_of(level: int) -> str:
    """The class of a tint: "t0", "n1" to "n8" and "p1" to "p8"."""
    return f"{'n' if level < 0 else 'p'}{abs(level)}" if level else "t0"


def _legend(name: str, scale: Scale) -> str:
    low = -LEVELS if scale.signed else 0
    swatches = "".join(_tag("i", "", _class_of(level)) for level in range(low, LEVELS + 1))
    bar = _tag("span", swatches, "bar", aria_hidden="true")
    return _tag("span", f"{name} {short(scale.low)} {bar} {short(scale.limit)}", "legend")


# Steps ------------------------------------------------------------------------------------------


def _step(step: Derivation) -> str:
    return _tag("p", f"<b>{escape(step.name)}</b> = <code>{escape(step.equation)}</code>")


def _shares(shares: Shares, digits: int) -> str:
    heads = _row(*(_head(name, "col") for name in ("", "z", "exp(z - largest)", "result")))
    order = np.argsort(-shares.powers, kind="stable")[:GROUPS].tolist()
    z = column(shares.z)
    rows = [
        _row(
            _head(shares.labels[i] + (" (this one)" if i == shares.own else ""), "row"),
            *(
                _tag("td", words)
                for words in (z(shares.z[i]), short(shares.powers[i]), short(shares.results[i]))
            ),
        )
        for i in sorted({*order, shares.own})
    ]
    total = _row(
        _head("sum of all", "row"), "<td></td>", _tag("td", short(shares.powers.sum(), digits)), "<td></td>"
    )
    return _table("Each exponential over the sum of all", heads, rows, total)


# Style ------------------------------------------------------------------------------------------


@lru_cache
def _style() -> str:
    """The rules, with the palettes of both themes; the host's theme decides, else the reader's."""
    light, dark = THEMES["light"], THEMES["dark"]
    both: Callable[[str], str] = lambda name: f"light-dark({getattr(light, name)},{getattr(dark, name)})"  # noqa: E731
    palettes = palette("signed", "light"), palette("signed", "dark")
    middle = len(palettes[0]) // 2
    scale = Scale("signed", middle)
    rules = [
        f"{{color-scheme:light dark;background:{both('background')};color:{both('ink')};padding:12px 16px;"
        "border-radius:6px;font:13px/1.5 system-ui,sans-serif;width:fit-content;max-width:100%;"
        "overflow-x:auto;box-sizing:border-box;font-variant-numeric:tabular-nums}",
        " p{margin:0 0 6px}",
        " .head{font-size:15px;display:flex;gap:24px;justify-content:space-between}",
        f" .note{{color:{both('muted')}}}",
        " table{border-collapse:collapse;margin:8px 0;background:none;color:inherit;font-size:inherit}",
        " tr{background:none!important}",
        " :is(th,td){padding:3px 10px 3px 0;text-align:right;vertical-align:middle;border:0;color:inherit}",
        " th{text-align:left;font-weight:normal}",
        f" :is(thead,tfoot) th{{color:{both('muted')}}}",
        " :is(thead th:not(:first-child),tfoot th){text-align:right}",
        f" tfoot tr:first-child>*{{border-top:1px solid {both('line')}}}",
        " .grid{display:inline-grid;gap:1px}",
        " .grid i{padding:1px 5px;text-align:right;font-style:normal}",
        f" .won{{outline:2px solid {both('accent')};outline-offset:-2px}}",
        f" .pad{{color:{both('muted')};text-align:center!important}}",
        " .legend{margin-right:24px;white-space:nowrap}",
        " .bar{display:inline-flex;vertical-align:middle}",
        " .bar i{width:9px;height:9px}",
        " .hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}",
    ]
    for level in range(-LEVELS, LEVELS + 1):
        place = middle + level * middle // LEVELS
        paper = f"light-dark({palettes[0][place]},{palettes[1][place]})"
        ink = f"light-dark({','.join(ink_on(place - middle, scale, name) for name in THEMES)})"
        rules.append(f" .{_class_of(level)}{{background:{paper};color:{ink}}}")
    hosts = {
        "dark": ('[data-jp-theme-light="false"]', ".vscode-dark", 'html[theme="dark"]'),
        "light": ('[data-jp-theme-light="true"]', ".vscode-light", 'html[theme="light"]'),
    }
    return "".join(f".cnnviz-receipt{rule}" for rule in rules) + "".join(
        f"{','.join(f'{host} .cnnviz-receipt' for host in names)}{{color-scheme:{scheme}}}"
        for scheme, names in hosts.items()
    )
