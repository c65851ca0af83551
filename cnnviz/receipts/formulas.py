"""Formulas, written once as Python expressions, and shown as text or LaTeX, with names or numbers.

Knows sums, differences, products, quotients, minus signs and calls: what the steps of a receipt
are made of. Nothing is evaluated here.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cnnviz.receipts.numbers import short

_LEVEL: dict[type, int] = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2}
_SIGN = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_HIGHEST = 4

_LATEX = {
    "gamma": r"\gamma",
    "beta": r"\beta",
    "mean": r"\mu",
    "variance": r"\sigma^2",
    "epsilon": r"\varepsilon",
    "alpha": r"\alpha",
    "pi": r"\pi",
}


def text(formula: str, values: Mapping[str, Any] | None = None) -> str:
    """A formula as text; `values` puts numbers in place of names.

    >>> text("z / (1 + exp(-z))", {"z": -2.0})
    '(-2) / (1 + exp(-(-2)))'
    """
    return _text(_parsed(formula), values or {})[0]


def latex(formula: str, values: Mapping[str, Any] | None = None) -> str:
    """A formula as LaTeX.

    >>> print(latex("gamma / sqrt(variance + epsilon)"))
    \\frac{\\gamma}{\\sqrt{\\sigma^2 + \\varepsilon}}
    """
    return _tex(_parsed(formula), values or {})[0]


def names(formula: str) -> frozenset[str]:
    """The variables of a formula.

    >>> sorted(names("max(z, 0) * scale"))
    ['scale', 'z']
    """
    nodes = list(ast.walk(_parsed(formula)))
    called = {
        node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name)) - called


@lru_cache(maxsize=256)
def _parsed(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


def _text(node: ast.expr, values: Mapping[str, Any]) -> tuple[str, int]:
    """A node's text, and how strongly it holds together."""
    match node:
        case ast.Constant() | ast.Name():
            word = _word(node, values)
            return word, 1 if word.startswith("-") else _HIGHEST
        case ast.UnaryOp(operand=operand):
            return f"-{_bound(*_text(operand, values), 3)}", 3
        case ast.BinOp(left=left, op=op, right=right):
            level = _LEVEL[type(op)]
            # What follows a minus sign or a slash must hold together more strongly.
            after = level + 1 if isinstance(op, ast.Sub | ast.Div) else level
            first, second = _bound(*_text(left, values), level), _bound(*_text(right, values), after)
            return f"{first} {_SIGN[type(op)]} {second}", level
        case ast.Call(func=ast.Name(id=name), args=args):
            return f"{name}({', '.join(_text(arg, values)[0] for arg in args)})", _HIGHEST
    raise ValueError(f"a formula cannot hold {ast.unparse(node)}")


def _tex(node: ast.expr, values: Mapping[str, Any]) -> tuple[str, int]:
    match node:
        case ast.Constant() | ast.Name():
            word = _word(node, values)
            named = isinstance(node, ast.Name) and node.id not in values
            shown = _LATEX.get(word, word if len(word) == 1 else rf"\mathrm{{{word}}}") if named else word
            # A power of ten is a product, and a negative number no better than a sum.
            level = 1 if word.startswith("-") else 2 if not named and "e" in word else _HIGHEST
            return shown if named else tex_number(word), level
        case ast.UnaryOp(operand=operand):
            return f"-{_tex_bound(*_tex(operand, values), 3)}", 3
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return rf"\frac{{{_tex(left, values)[0]}}}{{{_tex(right, values)[0]}}}", _HIGHEST
        case ast.BinOp(left=left, op=op, right=right):
            level = _LEVEL[type(op)]
            after = level + 1 if isinstance(op, ast.Sub) else level
            first = _tex_bound(*_tex(left, values), level)
            second = _tex_bound(*_tex(right, values), after)
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: r"\cdot"}[type(op)]
            return f"{first} {sign} {second}", level
        case ast.Call(func=ast.Name(id=name), args=args):
            inner = ", ".join(_tex(arg, values)[0] for arg in args)
            match name:
                case "sqrt":
                    return rf"\sqrt{{{inner}}}", _HIGHEST
                case "exp":
                    return rf"e^{{{inner}}}", _HIGHEST
                case "abs":
                    return rf"\left|{inner}\right|", _HIGHEST
                case "max" | "min" | "log" | "tanh":
                    return rf"\{name}\left({inner}\right)", _HIGHEST
            return rf"\operatorname{{{name}}}\left({inner}\right)", _HIGHEST
    raise ValueError(f"a formula cannot hold {ast.unparse(node)}")


def tex_number(word: str) -> str:
    """A printed number as LaTeX.

    >>> print(tex_number("-6.0e-08"))
    -6.0 \\cdot 10^{-8}
    """
    mantissa, e, exponent = word.partition("e")
    if not e:
        return {"nan": r"\mathrm{NaN}", "inf": r"\infty", "-inf": r"-\infty"}.get(word, word)
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


def _word(node: ast.Constant | ast.Name, values: Mapping[str, Any]) -> str:
    if isinstance(node, ast.Name):
        return short(values[node.id]) if node.id in values else node.id
    return short(node.value)


def _bound(words: str, level: int, wanted: int) -> str:
    return f"({words})" if level < wanted else words


def _tex_bound(words: str, level: int, wanted: int) -> str:
    return rf"\left({words}\right)" if level < wanted else words
