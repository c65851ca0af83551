"""Formulas, written once as Python expressions, and shown as text or LaTeX, with names or numbers.

Knows sums, differences, products, quotients, powers, minus signs and calls: what the steps of a receipt
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
    ast.Pow: operator.pow,
}
_CALLED: dict[str, Callable[..., float]] = {
    **{
        name: getattr(math, name)
        for name in (
            *("exp", "expm1", "sqrt", "pow", "log", "log2", "log10", "log1p", "erf", "erfc", "tanh", "sinh"),
            *("cosh", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "floor", "ceil", "trunc"),
        )
    },
    **{each.__name__: each for each in (abs, max, min, round)},
    "mod": operator.mod,
    "sign": lambda z: (z > 0) - (z < 0),
}

_LATEX = {
    "gamma": r"\gamma",
    "beta": r"\beta",
    "mean": r"\mu",
    "variance": r"\sigma^2",
    "epsilon": r"\varepsilon",
    "alpha": r"\alpha",
    "pi": r"\pi",
    "beta_1": r"\beta_1",
    "beta_2": r"\beta_2",
    "learning_rate": r"\eta",
    "weight_decay": r"\lambda",
    "v_hat": r"\hat{v}",
}


def text(formula: str, values: Mapping[str, Any] | None = None, digits: int = 4) -> str:
    """A formula as text; `values` puts numbers, with `digits` significant digits, in place of names.

    >>> text("z / (1 + exp(-z))", {"z": -2.0})
    '(-2) / (1 + exp(-(-2)))'
    """
    return _written(_parsed(formula), values or {}, digits, tex=False)[0]


def latex(formula: str, values: Mapping[str, Any] | None = None, digits: int = 4) -> str:
    """A formula as LaTeX.

    >>> print(latex("gamma / sqrt(variance + epsilon)"))
    \\frac{\\gamma}{\\sqrt{\\sigma^2 + \\varepsilon}}
    """
    return _written(_parsed(formula), values or {}, digits, tex=True)[0]


def digits_for(formula: str, values: Mapping[str, Any], result: Any) -> int:
    """How many digits the numbers need for the formula to give the result as it is written.

    >>> digits_for("a - b", {"a": 10.014, "b": 10.0121}, 0.0019)
    6
    """
    for digits in range(4, MOST_DIGITS + 1):
        try:
            value = _value(_parsed(formula), values, digits)
        except (ArithmeticError, ValueError):
            # Infinite, or not a number: more digits would change nothing.
            return 4
        if short(value) == short(result):
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


def _written(node: ast.expr, values: Mapping[str, Any], digits: int, tex: bool) -> tuple[str, int]:
    """A node as text or LaTeX, and how strongly it holds together."""

    def part(inner: ast.expr, wanted: int = 0) -> str:
        words, level = _written(inner, values, digits, tex)
        if level >= wanted:
            return words
        return rf"\left({words}\right)" if tex else f"({words})"

    match node:
        case ast.Name(id=name) if tex and name not in values:
            escaped = name.replace("_", r"\_")
            return _LATEX.get(name, name if len(name) == 1 else rf"\mathrm{{{escaped}}}"), _HIGHEST
        case ast.Constant() | ast.Name():
            word = _word(node, values, digits)
            # A negative number is no better than a sum; a power of ten is a product.
            level = 1 if word.startswith("-") else 2 if tex and "e" in word else _HIGHEST
            return tex_number(word) if tex else word, level
        case ast.UnaryOp(operand=operand):
            return f"-{part(operand, 3)}", 3
        case ast.BinOp(left=left, op=ast.Div(), right=right) if tex:
            return rf"\frac{{{part(left)}}}{{{part(right)}}}", _HIGHEST
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base = part(left, _HIGHEST)
            return rf"{base}^{{{part(right)}}}" if tex else f"{base}**{part(right, _HIGHEST)}", 3
        case ast.BinOp(left=left, op=op, right=right):
            level = _LEVEL[type(op)]
            # What follows a minus sign or a slash must hold together more strongly.
            after = level + 1 if isinstance(op, ast.Sub | ast.Div) else level
            sign = r"\cdot" if tex and isinstance(op, ast.Mult) else _SIGN[type(op)]
            return f"{part(left, level)} {sign} {part(right, after)}", level
        case ast.Call(func=ast.Name(id=name), args=args):
            inner = ", ".join(map(part, args))
            return _tex_call(name, inner) if tex else f"{name}({inner})", _HIGHEST
    raise ValueError(f"a formula cannot hold {ast.unparse(node)}")


def _tex_call(name: str, inner: str) -> str:
    match name:
        case "sqrt":
            return rf"\sqrt{{{inner}}}"
        case "exp":
            return rf"e^{{{inner}}}"
        case "pow":
            base, power = inner.rsplit(", ", 1)
            return rf"\left({base}\right)^{{{power}}}"
        case "abs":
            return rf"\left|{inner}\right|"
        case "max" | "min" | "log" | "tanh" | "sinh" | "cosh" | "sin" | "cos" | "tan":
            return rf"\{name}\left({inner}\right)"
    return rf"\operatorname{{{name}}}\left({inner}\right)"


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
    """The value of a node, from its numbers as they are written."""
    match node:
        case ast.Name(id="pi") if "pi" not in values:
            return math.pi
        case ast.Constant() | ast.Name():
            return float(_word(node, values, digits))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, values, digits)
        case ast.BinOp(left=left, op=op, right=right):
            return _JOINED[type(op)](_value(left, values, digits), _value(right, values, digits))
        case ast.Call(func=ast.Name(id=name), args=args) if name in _CALLED:
            return _CALLED[name](*(_value(arg, values, digits) for arg in args))
    raise ValueError(f"a formula cannot hold {ast.unparse(node)}")
