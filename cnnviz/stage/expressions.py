"""Live numbers in sentences: expressions over the values of a stage, written once, evaluated in two places.

An expression is a text such as `value('conv2d', 3, 4, 0) > 0`; Python evaluates it here, the page in
expressions.js, and a test holds the two together. There are numbers (float64), texts, truth values, and
functions that the place offers in which it is evaluated. The grammar, loosest first:

    choice      = either ["if" either "else" choice]
    either      = both {"or" both}
    both        = negation {"and" negation}
    negation    = "not" negation | comparison
    comparison  = sum [("==" | "!=" | "<=" | ">=" | "<" | ">") sum]
    sum         = product {("+" | "-") product}
    product     = signed {("*" | "/" | "%") signed}
    signed      = "-" signed | atom
    atom        = number | 'text' | name ["(" [choice {"," choice}] ")"] | "(" choice ")"

Numbers divide as IEEE 754 has it, 1/0 is infinite; a % b has the sign of b. Nothing else is known: no
attributes, no indices, no assignments. So an expression that comes from a file cannot do anything but count.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from cnnviz import numbers

Value = float | str | bool
Scope = Mapping[str, Value | Callable[..., Value]]
"""What names mean: values, and functions of values."""

Tree = tuple[Any, ...]
"""A parsed expression: what it is, then its parts."""

MOST_LETTERS = 2000
"""No expression or sentence is longer."""
MOST_LEVELS = 40
"""Of parentheses, calls, signs and choices within each other."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<text>'[^']*')|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>==|!=|<=|>=|[-+*/%<>(),]))",
    re.ASCII,
)
_WORDS = ("if", "else", "or", "and", "not")


class ExpressionError(ValueError):
    """A text that is no expression, or one that means nothing where it is evaluated."""


def evaluate(text: str, scope: Scope) -> Value:
    """What an expression comes to.

    >>> evaluate("2 * x + 1 if x > 0 else 'none'", {"x": 3.0})
    7.0

    Raises
    ------
    ExpressionError
        for a text that is no expression, an unknown name, a function that does not take what it is given.
    """
    return _value(parse(text), {**_FUNCTIONS, **scope}, text)


@lru_cache(maxsize=1024)
def parse(text: str) -> Tree:
    """The expression as a tree; ExpressionError if it is none."""
    return _Parser(text).whole()


# Sentences ----------------------------------------------------------------------------------------

_HOLE = re.compile(r"\{([^{}]*)\}")


LARGE = 1e15
"""From here on numbers are written with a power of ten."""


def _number_text(value: float) -> str:
    """Three digits, small and large numbers two with a power of ten; just below 1 it is not written as 1."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite" if value > 0 else "−infinite"
    size = abs(value)
    if 0 < size < 1e-3 or size >= LARGE:
        mantissa, power = f"{value:.1e}".split("e")
        return numbers.minus(f"{mantissa}e{int(power)}")
    if size < 1 and float(f"{size:.3g}") == 1:
        return numbers.minus(f"{float(f'{value:.9g}'):.9g}" if size > 0.9999995 else f"{value:.6f}")
    return numbers.number(value)


def _signed_text(value: float) -> str:
    return f"+{_number_text(value)}" if value > 0 else _number_text(value)


def _count_text(value: float) -> str:
    text = f"{abs(value):,.0f}" if abs(value) < LARGE else _number_text(abs(value))
    return f"−{text}" if value < 0 and text != "0" else text


def _percent_text(share: float) -> str:
    if not abs(share) < LARGE:
        return _number_text(share)
    text = numbers.percent(share)
    return text.removeprefix("−") if text == "−0.00 %" else text


def _probability_text(share: float) -> str:
    return _percent_text(share) if math.isnan(share) else numbers.probability(share)


_FORMATS: Mapping[str, Callable[[float], str]] = {
    "number": _number_text,
    "signed": _signed_text,
    "percent": _percent_text,
    "probability": _probability_text,
    "count": _count_text,
    "whole": lambda value: f"{value:.0f}",
}
"""How a number is written, by the word behind the colon; `number` if there is none."""


def sentence(template: str, scope: Scope) -> str:
    """A text whose holes are filled: {expression}, {expression: format} and {expression: one|many}.

    >>> sentence("{n: count} {n: map|maps} of {of}", {"n": 1.0, "of": "conv2d"})
    '1 map of conv2d'

    A number is written in the format, one of `number`, `signed`, `percent`, `probability`, `count`, and for
    links `whole`; two words with | between them are for 1 and for every other number. Texts stay as they
    are.

    Raises
    ------
    ExpressionError
        as `evaluate`; for an unknown format, a number where a text is wanted or the other way round.
    """
    if len(template) > MOST_LETTERS:
        raise ExpressionError(f"a sentence may have {MOST_LETTERS} letters, this one has {len(template)}")
    return _HOLE.sub(lambda hole: _filled(hole[1], scope), template)


def _filled(hole: str, scope: Scope) -> str:
    text, colon, form = hole.partition(":")
    value, form = evaluate(text, scope), form.strip()
    if isinstance(value, bool):
        raise ExpressionError(f"{{{hole}}} is a truth value: write a choice of words, {text.strip()} if ...")
    if isinstance(value, str):
        if colon:
            raise ExpressionError(f"{{{hole}}} is a text, which has no format")
        return value
    if "|" in form:
        one, many = form.split("|", 1)
        return one if value == 1 else many
    if (form or "number") not in _FORMATS:
        raise ExpressionError(f"format must be one of {', '.join(_FORMATS)} or one|many, got {form!r}")
    return _FORMATS[form or "number"](value)


# Parsing ------------------------------------------------------------------------------------------


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > MOST_LETTERS:
            raise ExpressionError(f"an expression may have {MOST_LETTERS} letters, this one has {len(text)}")
        self.text, self.at, self.levels = text, 0, 0
        self.tokens: list[tuple[str, str]] = []
        while self.at < len(text.rstrip()):
            found = _TOKEN.match(text, self.at)
            if found is None:
                rest = text[self.at :].strip()
                raise ExpressionError(f"{text!r} is no expression: what is {numbers.shortened(rest, 20)!r}?")
            self.at = found.end()
            self.tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        self.next = 0

    def whole(self) -> Tree:
        tree = self.choice()
        if self.next < len(self.tokens):
            raise self.wrong("nothing more")
        return tree

    def wrong(self, wanted: str) -> ExpressionError:
        found = repr(self.tokens[self.next][1]) if self.next < len(self.tokens) else "its end"
        return ExpressionError(f"{self.text!r} is no expression: expected {wanted}, found {found}")

    def takes(self, *texts: str) -> str:
        """The next token if it is one of these signs or words, else ""."""
        if self.next < len(self.tokens):
            kind, text = self.tokens[self.next]
            if text in texts and kind in ("sign", "name"):
                self.next += 1
                return text
        return ""

    def needs(self, text: str) -> None:
        if not self.takes(text):
            raise self.wrong(repr(text))

    def deeper(self, read: Callable[[], Tree]) -> Tree:
        self.levels += 1
        if self.levels > MOST_LEVELS:
            raise ExpressionError(f"an expression may be {MOST_LEVELS} levels deep: {self.text!r}")
        tree = read()
        self.levels -= 1
        return tree

    def choice(self) -> Tree:
        then = self.either()
        if not self.takes("if"):
            return then
        condition = self.either()
        self.needs("else")
        return "choice", condition, then, self.deeper(self.choice)

    def either(self) -> Tree:
        tree = self.both()
        while self.takes("or"):
            tree = ("or", tree, self.both())
        return tree

    def both(self) -> Tree:
        tree = self.negation()
        while self.takes("and"):
            tree = ("and", tree, self.negation())
        return tree

    def negation(self) -> Tree:
        if self.takes("not"):
            return "not", self.deeper(self.negation)
        return self.comparison()

    def comparison(self) -> Tree:
        tree = self.sum()
        if sign := self.takes("==", "!=", "<=", ">=", "<", ">"):
            return sign, tree, self.sum()
        return tree

    def sum(self) -> Tree:
        tree = self.product()
        while sign := self.takes("+", "-"):
            tree = (sign, tree, self.product())
        return tree

    def product(self) -> Tree:
        tree = self.signed()
        while sign := self.takes("*", "/", "%"):
            tree = (sign, tree, self.signed())
        return tree

    def signed(self) -> Tree:
        if self.takes("-"):
            return "minus", self.deeper(self.signed)
        return self.atom()

    def atom(self) -> Tree:
        if self.takes("("):
            tree = self.deeper(self.choice)
            self.needs(")")
            return tree
        kind, text = self.tokens[self.next] if self.next < len(self.tokens) else ("", "")
        if kind == "number":
            self.next += 1
            return "number", float(text)
        if kind == "text":
            self.next += 1
            return "text", text[1:-1]
        if kind != "name" or text in _WORDS:
            raise self.wrong("a number, a text or a name")
        self.next += 1
        if not self.takes("("):
            return "name", text
        given: list[Tree] = []
        if not self.takes(")"):
            given.append(self.deeper(self.choice))
            while self.takes(","):
                given.append(self.deeper(self.choice))
            self.needs(")")
        return "call", text, tuple(given)


# Evaluating ---------------------------------------------------------------------------------------


def _half_up(value: float) -> float:
    return math.floor(value + 0.5) if math.isfinite(value) else value


_FUNCTIONS: Scope = {
    "abs": abs,
    "floor": lambda x: math.floor(x) if math.isfinite(x) else x,
    "round": _half_up,
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
    "exp": lambda x: float(np.exp(np.float64(x))),
    "log": lambda x: float(np.log(np.float64(x))) if x > 0 else -math.inf if x == 0 else math.nan,
    "min": lambda *x: math.nan if any(map(math.isnan, x)) else min(x),
    "max": lambda *x: math.nan if any(map(math.isnan, x)) else max(x),
}
"""What is known everywhere."""


def _value(tree: Tree, scope: Scope, text: str) -> Value:
    kind, *parts = tree
    match kind:
        case "number" | "text":
            return parts[0]  # type: ignore[no-any-return]
        case "name":
            found = _known(parts[0], scope, text)
            if callable(found):
                raise ExpressionError(f"{parts[0]} in {text!r} is a function: {parts[0]}(...)")
            return _plain(found)
        case "call":
            return _called(parts[0], [_value(part, scope, text) for part in parts[1]], scope, text)
        case "choice":
            condition, then, otherwise = parts
            return _value(then if _truth(condition, scope, text) else otherwise, scope, text)
        case "and":
            return all(_truth(part, scope, text) for part in parts)
        case "or":
            return any(_truth(part, scope, text) for part in parts)
        case "not":
            return not _truth(parts[0], scope, text)
        case "minus":
            return -_number(_value(parts[0], scope, text), text)
        case "==" | "!=":
            a, b = (_value(part, scope, text) for part in parts)
            if type(a) is not type(b):
                raise ExpressionError(f"{text!r} compares {_kind(a)} with {_kind(b)}")
            return (a == b) == (kind == "==")
    a, b = (_number(_value(part, scope, text), text) for part in parts)
    return _ARITHMETIC[kind](a, b)


def _divided(a: float, b: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.float64(a) / np.float64(b))


def _remainder(a: float, b: float) -> float:
    quotient = _divided(a, b)
    return a - b * math.floor(quotient) if math.isfinite(quotient) else math.nan


_ARITHMETIC: Mapping[str, Callable[[float, float], Value]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
    "%": _remainder,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _called(name: str, given: list[Value], scope: Scope, text: str) -> Value:
    function = _known(name, scope, text)
    if not callable(function):
        raise ExpressionError(f"{name} in {text!r} is no function")
    if scope[name] is _FUNCTIONS.get(name):
        if not given or (len(given) > 1 and name not in ("min", "max")):
            raise ExpressionError(f"{name} in {text!r} takes another number of arguments, got {len(given)}")
        given = [_number(each, text) for each in given]
    try:
        return _plain(function(*given))
    except ExpressionError:
        raise
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise ExpressionError(f"{name}({', '.join(map(repr, given))}) in {text!r}: {error}") from error


def _plain(value: Any) -> Value:
    """A number as a Python float, whatever it came as."""
    return value if isinstance(value, str | bool) else float(value)


def _known(name: str, scope: Scope, text: str) -> Any:
    if name not in scope:
        raise ExpressionError(f"{name} in {text!r} is not known; known are {', '.join(sorted(scope))}")
    return scope[name]


def _number(value: Value, text: str) -> float:
    if isinstance(value, str | bool):
        raise ExpressionError(f"{text!r} counts with {_kind(value)}")
    return value


def _truth(tree: Tree, scope: Scope, text: str) -> bool:
    value = _value(tree, scope, text)
    if not isinstance(value, bool):
        raise ExpressionError(f"{text!r} takes {_kind(value)} for a truth value")
    return value


def _kind(value: Value) -> str:
    return {bool: "a truth value", str: "a text"}.get(type(value), "a number")
