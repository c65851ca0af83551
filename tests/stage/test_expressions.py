"""Expressions and sentences: what they mean, what they refuse, and that the page's agree with Python's."""

import math
import string

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

from cnnviz.stage.expressions import MOST_LEVELS, ExpressionError, evaluate, parse, sentence
from harness.node import ask_node

SCOPE = {"x": 2.5, "n": 1.0, "big": -12345.678, "tiny": 4e-7, "name": "seven", "yes": True}
"""The same names in both places; `value` is a function of a text and two numbers in both."""


def value(layer, row, col):
    if isinstance(row, bool) or isinstance(col, bool):
        raise TypeError("value takes a text and two numbers")
    return len(layer) + 10 * row - col / 3


IN_PAGE = """({ expressions: { evaluate, sentence, ExpressionError } }, texts) => {
  const value = (layer, row, col) => {
    const fits = typeof layer === "string" && typeof row === "number" && typeof col === "number";
    if (!fits) throw new ExpressionError("value takes a text and two numbers");
    return layer.length + 10 * row - col / 3;
  };
  const scope = { x: 2.5, n: 1, big: -12345.678, tiny: 4e-7, name: "seven", yes: true, value };
  return texts.map(([kind, text]) => {
    try {
      const found = (kind === "sentence" ? sentence : evaluate)(text, scope);
      return typeof found === "number" ? `number ${found}` : found;
    } catch (error) {
      if (error.constructor.name !== "ExpressionError") throw error;
      return "error";
    }
  });
}"""


def in_python(kind, text):
    scope = {**SCOPE, "value": value}
    try:
        found = (sentence if kind == "sentence" else evaluate)(text, scope)
    except ExpressionError:
        return "error"
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("-(x - 1) * 2", -3),
        ("- -2", 2),
        ("7 % 3 - 10 % -3", 1 - -2),
        ("1 / 0", math.inf),
        ("-1 / 0 < 0 and not (x == n)", True),
        ("'a' if x > 3 else 'b' if x > 2 else 'c'", "b"),
        ("name == 'seven' or 1 / 'no'", True),
        ("value('conv2d', x, 3) + min(1, 2, n)", 31),
        ("round(2.5) + round(-2.5) + floor(-0.5)", 3 - 2 - 1),
        (".5e1", 5),
        ("yes", True),
    ],
)
def test_what_an_expression_comes_to(text, expected):
    assert evaluate(text, {**SCOPE, "value": value}) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a number, a text or a name, found its end"),
        ("1 +", "found its end"),
        ("x = 1", "what is '= 1'?"),
        ("x.real", "what is '.real'?"),
        ("x[0]", "what is"),
        ("__import__('os')", "__import__ in .* is not known; known are abs"),
        ("x y", "expected nothing more, found 'y'"),
        ("1 < 2 < 3", "expected nothing more, found '<'"),
        ("if", "expected a number, a text or a name, found 'if'"),
        ("name + 1", "counts with a text"),
        ("yes + 1", "counts with a truth value"),
        ("1 and yes", "takes a number for a truth value"),
        ("name == 1", "compares a text with a number"),
        ("x(1)", "x in .* is no function"),
        ("value", r"value in .* is a function: value\(...\)"),
        ("value(1)", r"value\(1.0\) in"),
        ("sqrt(1, 2)", "takes another number of arguments, got 2"),
        ("(" * 50 + "1" + ")" * 50, f"{MOST_LEVELS} levels deep"),
        ("1+" * 1000 + "1", "may have 2000 letters"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ExpressionError, match=message):
        evaluate(text, {**SCOPE, "value": value})


def test_sentences_write_numbers_words_and_plurals():
    scope = {**SCOPE, "zero": 0.0, "sure": 1.0, "share": 0.25}
    for template, expected in (
        ("{n: count} {n: map|maps}", "1 map"),
        ("{zero: count} {zero: map|maps}", "0 maps"),
        ("{big} {big: signed} {big: count}", "−12,346 −12,346 −12,346"),
        ("{x: signed} {tiny}", "+2.50 4.0e−7"),
        ("{share: percent} {sure: probability} {sure: percent}", "25.00 % > 99.99 % 100.00 %"),
        ("it is {name}, {'odd' if x % 2 == 1 else 'even or neither'}", "it is seven, even or neither"),
        ("{1 / 0} {0 / 0}", "infinite not a number"),
    ):
        assert sentence(template, scope) == expected
    for template in ("{yes}", "{name: count}", "{x: roman}", "{}", "{x: }" * 500):
        with pytest.raises(ExpressionError):
            sentence(template, scope)


# The page agrees ---------------------------------------------------------------------------------

numbers = some.one_of(
    some.integers(0, 1000).map(str),
    some.floats(0, 1e9, allow_nan=False).map(lambda x: f"{x:.6g}"),
    some.sampled_from(["0", "1", "0.5", "0.125", "2.5e-7", ".999", "0.9999996", "1e300"]),
)
atoms = some.one_of(numbers, some.sampled_from(["x", "n", "big", "tiny", "name", "yes", "'seven'", "other"]))


def larger(inner):
    signs = some.sampled_from(["+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", " and ", " or "])
    return some.one_of(
        some.tuples(inner, signs, inner).map("".join),
        some.tuples(some.sampled_from(["-", "not "]), inner).map("".join),
        inner.map("({})".format),
        some.tuples(inner, inner, inner).map(lambda parts: "{} if {} else {}".format(*parts)),
        some.tuples(some.sampled_from(["abs", "floor", "round", "sqrt", "min", "max", "x"]), inner).map(
            lambda parts: f"{parts[0]}({parts[1]})"
        ),
        some.tuples(inner, inner).map(lambda parts: f"value('ab', {parts[0]}, {parts[1]})"),
    )


expressions = some.one_of(
    some.recursive(atoms, larger, max_leaves=8), some.text(string.printable, max_size=20)
).filter(lambda text: "{" not in text and "}" not in text)
forms = some.sampled_from(["", ": number", ": signed", ": percent", ": probability", ": count", ": map|maps"])


@settings(max_examples=10, phases=[Phase.generate])  # a smaller example would take minutes
@given(some.data())
def test_the_page_evaluates_as_python_does(data):
    texts = data.draw(some.lists(expressions, min_size=60, max_size=60))
    holes = data.draw(some.lists(some.tuples(expressions, forms).map("".join), min_size=60, max_size=60))
    asked = [("value", text) for text in texts] + [("sentence", f"a {{{hole}}} b") for hole in holes]
    for (kind, text), theirs in zip(asked, ask_node(IN_PAGE, asked, "expressions"), strict=True):
        ours = in_python(kind, text)
        if isinstance(ours, float):
            assert theirs.startswith("number "), (text, ours, theirs)
            theirs = float(theirs.removeprefix("number ").replace("Infinity", "inf"))
            assert theirs == ours or (math.isnan(theirs) and math.isnan(ours)), text
        else:
            assert theirs == ours, (kind, text)


def test_a_parsed_expression_is_kept():
    assert parse("1 + x") is parse("1 + x")
