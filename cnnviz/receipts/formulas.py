"""Formulas, written once as Python expressions, and shown as text or LaTeX, with names or numbers.

Knows sums, differences, products, quotients, minus signs and calls: what the steps of a receipt
are made of. They are worked out from the numbers as written only to see whether those have digits enough.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from cnnviz.numbers import MOST_DIGITS, short

_LEVEL: dict[type, int] = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2}
_SIGN = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_HIGHEST = 4

_JOINED: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CALLED: dict[str, Callable[..., float]] = {
    **{name: getattr(math, name) for name in ("exp", "sqrt", "log", "tanh", "erfc")},
    "abs": abs,
    "max": max,
    "min": min,
}

_LATEX = {
    "gamma": r"\gamma",
    "beta": r"\beta",
    "mean": r"\mu",
    "variance": r"\sigma^2",
    "epsilon": r"\varepsilon",
    "alpha": r"\alpha",
    "pi": r"\pi",
}


def text(formula: str, values: Mapping[str, Any] | None = None, digits: int = 4) -> str:
    """A formula as text; `values` puts numbers in place of names, with so many significant digits.

    >>> text("z / (1 + exp(-z))", {"z": -2.0})
    '(-2) / (1 + exp(-(-2)))'
    """
    return _text(_parsed(formula), values or {}, digits)[0]


def latex(formula: str, values: Mapping[str, Any] | None = None, digits: int = 4) -> str:
    """A formula as LaTeX.

    >>> print(latex("gamma / sqrt(variance + epsilon)"))
    \\frac{\\gamma}{\\sqrt{\\sigma^2 + \\varepsilon}}
    """
    return _tex(_parsed(formula), values or {}, digits)[0]


def digits_for(formula: str, values: Mapping[str, Any], result: Any) -> int:
    """How many digits the numbers need for the formula to give the result as it is written.

    >>> digits_for("a - b", {"a": 10.014, "b": 10.0121}, 0.0019)
    6
    """
    for digits in range(4, MOST_DIGITS + 1):
        try:
            found = _value(_parsed(formula), values, digits)
        except (ArithmeticError, ValueError):
            # Infinite, or not a number: more digits would change nothing.
            return 4
        if short(found) == short(result):
            return digits
    return MOST_DIGITS


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


def _text(node: ast.expr, values: Mapping[str, Any], digits: int) -> tuple[str, int]:
    """A node's text, and how strongly it holds together."""
    match node:
        case ast.Constant() | ast.Name():
            word = _word(node, values, digits)
            return word, 1 if word.startswith("-") else _HIGHEST
        case ast.UnaryOp(operand=operand):
            return f"-{_bound(*_text(operand, values, digits), 3)}", 3
        case ast.BinOp(left=left, op=op, right=right):
            level = _LEVEL[type(op)]
            # What follows a minus sign or a slash must hold together more strongly.
            after = level + 1 if isinstance(op, ast.Sub | ast.Div) else level
            first, second = (
                _bound(*_text(left, values, digits), level),
                _bound(*_text(right, values, digits), after),
            )
            return f"{first} {_SIGN[type(op)]} {second}", level
        case ast.Call(func=ast.Name(id=name), args=args):
            return f"{name}({', '.join(_text(arg, values, digits)[0] for arg in args)})", _HIGHEST
    raise ValueError(f"a formula cannot hold {ast.unparse(node)}")


def _tex(node: ast.expr, values: Mapping[str, Any], digits: int) -> tuple[str, int]:
    match node:
        case ast.Constant() | ast.Name():
            word = _word(node, values, digits)
            named = isinstance(node, ast.Name) and node.id not in values
            shown = _LATEX.get(word, word if len(word) == 1 else rf"\mathrm{{{word}}}") if named else word
            # A power of ten is a product, and a negative number no better than a sum.
            level = 1 if word.startswith("-") else 2 if not named and "e" in word else _HIGHEST
            return shown if named else tex_number(word), level
        case ast.UnaryOp(operand=operand):
            return f"-{_tex_bound(*_tex(operand, values, digits), 3)}", 3
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return rf"\frac{{{_tex(left, values, digits)[0]}}}{{{_tex(right, values, digits)[0]}}}", _HIGHEST
        case ast.BinOp(left=left, op=op, right=right):
            level = _LEVEL[type(op)]
            after = level + 1 if isinstance(op, ast.Sub) else level
            first = _tex_bound(*_tex(left, values, digits), level)
            second = _tex_bound(*_tex(right, values, digits), after)
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: r"\cdot"}[type(op)]
            return f"{first} {sign} {second}", level
        case ast.Call(func=ast.Name(id=name), args=args):
            inner = ", ".join(_tex(arg, values, digits)[0] for arg in args)
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


def _word(node: ast.Constant | ast.Name, values: Mapping[str, Any], digits: int) -> str:
    if isinstance(node, ast.Name):
        return short(values[node.id], digits) if node.id in values else node.id
    return short(node.value, digits)


def _value(node: ast.expr, values: Mapping[str, Any], digits: int) -> float:
    """What comes of a node's numbers as they are written."""
    match node:
        case ast.Name(id="pi") if "pi" not in values:
            return math.pi
        case ast.Constant() | ast.Name():
            return float(_word(node, values, digits))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, values, digits)
        case ast.BinOp(left=left, op=op, right=right):
            return _JOINED[type(op)](_value(left, values, digits), _value(right, values, digits))
        case ast.Call(func=ast.Name(id=name), args=args):
            return _CALLED[name](*(_value(arg, values, digits) for arg in args))
    raise ValueError(f"a formula cannot hold {ast.unparse(node)}")


def _bound(words: str, level: int, wanted: int) -> str:
    return f"({words})" if level < wanted else words


def _tex_bound(words: str, level: int, wanted: int) -> str:
    return rf"\left({words}\right)" if level < wanted else words
