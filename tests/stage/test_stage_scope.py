"""What expressions may speak of: against NumPy, and the page's functions against Python's."""

import math
from base64 import b64encode
from itertools import pairwise

import numpy as np
import pytest

import cnnviz
from cnnviz.layers.rounding import allowance
from cnnviz.network import Run
from cnnviz.stage.expressions import ExpressionError, evaluate
from cnnviz.stage.scene import build_scene
from cnnviz.stage.stage_scope import FUNCTIONS, MOST_SIDE, StageScope
from cnnviz.stage.stage_state import entry_of
from cnnviz.stage.stages import activity_of
from harness.node import ask_node

MODELS = "mnist_14k", "mnist_maxpool"
DIGITS = 0, 247, 4224


@pytest.fixture(scope="module", params=MODELS)
def net(request):
    return cnnviz.load_model(request.param)


@pytest.fixture(scope="module")
def digits():
    images = cnnviz.load_mnist()[1][0][list(DIGITS)]
    return np.concatenate([images, np.zeros((1, 28, 28), np.uint8)])


def scopes(net, digits):
    return [StageScope(net.run(digit)) for digit in digits]


def test_counts_are_those_of_the_layers(net, digits):
    scope = scopes(net, digits[:1])[0]
    x = digits[0].astype(np.float32) / np.float32(255)
    for text, expected in (
        ("cells('input')", 784),
        ("nonzero('input')", np.count_nonzero(x)),
        ("row(largest('input')) * 28 + column(largest('input'))", x.argmax()),
        ("channels('conv2d')", net["conv2d"].output_shape[-1]),
        ("rows('conv2d')", net["conv2d"].output_shape[0]),
        ("parameters('conv2d_1')", net["conv2d_1"].params),
        ("parameters()", net.count_params()[0]),
        ("products('conv2d_1')", np.prod(net["conv2d_1"].weights["kernel"].shape[:3])),
        ("products(source(last()))", net.layers[-1 if net.name == "mnist_maxpool" else -3].params / 10 - 1),
        ("stage('conv', 99) == '' and order('nothing') < 0 and kind(last()) == 'softmax'", True),
        ("source(reader('conv2d')) == 'conv2d' and rectifies(reader('conv2d'))", True),
    ):
        assert evaluate(text, scope) == expected, text


def test_fields_are_those_of_receptive_fields(net, digits):
    scope = scopes(net, digits[:1])[0]
    table = cnnviz.receptive_field(net)
    for layer in net:
        if scope["order"](layer.name) > 0:
            assert (scope["field_rows"](layer.name), scope["field_columns"](layer.name)) == table[
                layer.name
            ].size
    assert scope["fields"]() == (
        "3, 5, 6, 10, 14, 18, 22, 28" if net.name == "mnist_14k" else "3, 4, 8, 10, 26"
    )


def test_numbers_are_the_run_s(net, digits):
    for digit in digits:
        run = net.run(digit)
        scope = StageScope(run)
        before = run.pre_activation("conv2d")[0]
        assert scope["negative"]("conv2d") == (before < 0).sum()
        row, column, channel = np.unravel_index(before.argmax(), before.shape)
        spot = scope["largest"]("conv2d")
        assert spot == f"conv2d~{row}~{column}~{channel}" == scope["cell"]("conv2d", row, column, channel)
        assert scope["value"](spot) == before.max()
        assert scope["value"](scope["smallest"]("conv2d")) == before.min()
        assert scope["liveliest"]("conv2d") == np.unravel_index(np.abs(before).argmax(), before.shape)[2]
        # The sum, its bias and its largest factor are the receipt's.
        receipt = cnnviz.explain(run, "conv2d", row=row, col=column, channel=channel)
        assert scope["sum"](spot) + scope["bias"](spot) == pytest.approx(
            float(before.max()), abs=receipt.bound
        )
        product = receipt.terms.product.ravel()
        assert scope["product"](spot, 1) == product[np.abs(product).argmax()]
        factor, weight = scope["value"](scope["factor"](spot, 1)), scope["weight"](spot, 1)
        assert np.float32(factor) * np.float32(weight) == np.float32(scope["product"](spot, 1))


def test_the_prediction_is_the_run_s(net, digits):
    for digit in digits:
        run = net.run(digit)
        scope = StageScope(run, classes=tuple("abcdefghij"))
        order = np.argsort(-run.output[0])
        assert [scope["predicted"](rank) for rank in (1, 2)] == ["abcdefghij"[n] for n in order[:2]]
        assert scope["probability"](2) == run.output[0][order[1]]
        lead = scope["score"](1) - scope["score"](2)
        assert math.exp(lead) == pytest.approx(run.output[0][order[0]] / run.output[0][order[1]], rel=1e-4)


def test_a_path_leads_down_to_ink_that_makes_a_difference(net, digits):
    for digit, scope in zip(digits, scopes(net, digits), strict=True):
        winner = scope["scored"](1)
        path = entry_of("path", scope["path"](winner))
        assert len(path) - 1 == scope["path_length"](winner)
        blank = net.run(np.zeros((28, 28), np.float32))
        assert scope["on_blank"](winner) == StageScope(blank)["value"](winner)
        assert scope["ends_on_ink"](winner) == bool(digit.any())
        if not digit.any():
            continue
        plan = scope._plan.part.header["stages"]
        for (name, *_), (below, *_) in pairwise(path):
            assert scope["source"](name) == below
        name, row, column, _ = path[-1]
        assert name == plan[0]["name"]
        assert digit[row, column] > 0
        # Each cell on the way is another one than on blank paper.
        blank = StageScope(blank)
        for name, *place in path:
            cell = scope["cell"](name, *place)
            assert scope["value"](cell) != blank["value"](cell)


def test_what_is_wiped_is_run_anew(net, digits):
    scope = StageScope(net.run(digits[0]))
    change = scope["wiped"]("input~9~1~0", 2)
    wiped = digits[0].copy()
    wiped[7:12, 0:4] = 0
    assert scope["probability_after"](change) == pytest.approx(net.predict(wiped)[0].max(), rel=1e-5)
    assert scope["same_after"](change) == (
        net.predict(wiped)[0].argmax() == net.predict(digits[0])[0].argmax()
    )


def test_the_change_of_mind_is_one(net, digits):
    for digit, scope in zip(digits, scopes(net, digits), strict=True):
        if not scope["flip"]():
            assert scope["flip_side"]() == 0
            continue
        row, column, side = scope["flip_row"](), scope["flip_column"](), scope["flip_side"]()
        assert 1 <= side <= MOST_SIDE
        assert scope["tried"]() <= 16 * side
        changed = digit.copy()
        changed[row : row + side, column : column + side] = 255 * scope["flip_inks"]()
        before, after = net.predict(digit)[0], net.predict(changed)[0]
        assert after.argmax() != before.argmax()
        assert scope["predicted_after"](scope["flip"]()) == str(after.argmax())
        assert scope["probability_after"](scope["flip"]()) == pytest.approx(after.max(), rel=1e-4)


def test_what_does_not_fit_is_refused(net, digits):
    scope = StageScope(net.run(digits[0]))
    for text in (
        "value('input~28~0~0')",
        "value('nothing~0~0~0')",
        "value('input')",
        "rows('nothing')",
        "factor(largest('conv2d'), 10)",
        "predicted(11)",
        "_values('input')",
    ):
        with pytest.raises(ExpressionError):
            evaluate(text, scope)


# The page agrees ----------------------------------------------------------------------------------

ASKED = [
    *(
        f"{name}('conv2d')"
        for name in ("rows", "columns", "channels", "cells", "window_rows", "window_columns")
    ),
    *(f"{name}('conv2d_1')" for name in ("stride", "products", "channels_read", "parameters", "field_rows")),
    *(
        f"{name}('conv2d')"
        for name in ("kind", "source", "reader", "order", "field_columns", "nonzero", "negative")
    ),
    *(
        "parameters()",
        "fields()",
        "pointwise()",
        "traceable()",
        "last()",
        "stage('pool', 1)",
        "stage('pool', 9)",
    ),
    *("largest('conv2d')", "smallest('conv2d')", "liveliest('conv2d_1')", "rectifies(reader('conv2d'))"),
    *("takes_largest(stage('pool', 1))", "most_side()", "most_places()", "cell('conv2d', 1, 2.5, 3)"),
    *(
        f"{name}(largest('conv2d_1'))"
        for name in ("value", "row", "column", "channel", "on_blank", "bias", "sum")
    ),
    *(f"{name}(largest('conv2d_1'), 1)" for name in ("factor", "weight", "product")),
    *(
        f"{name}({rank})"
        for name in ("predicted", "score", "probability", "scored", "answer")
        for rank in (1, 2)
    ),
    *(f"{name}(scored(1))" for name in ("path", "path_length", "path_end", "ends_on_ink")),
    "wiped(path_end(scored(1)), 2) if ends_on_ink(scored(1)) else ''",
    *(
        f"{name}(wiped('input~12~13~0', 3))"
        for name in ("predicted_after", "probability_after", "same_after")
    ),
    *(
        f"{name}({change})"
        for name in ("predicted_after", "probability_after", "same_after")
        for change in ("shifted(0, 3)", "shifted(28, 0)", "off(reader('conv2d'), 2)")
    ),
    *(
        "swapped('conv2d', 4, 'sobel x')",
        "swapped('conv2d', 4, 'nothing')",
        "swapped('conv2d_1', 4, 'sobel x')",
        "off('conv2d', 99)",
        "silent(reader('conv2d'))",
        "value_after(largest('conv2d'), shifted(0, 3))",
        "value_after(scored(1), swapped('conv2d', 4, 'sobel x'))",
        "log(probability(1))",
        "shifted(-2, 3)",
    ),
    *("flip()", "flip_row()", "flip_column()", "flip_side()", "flip_inks()", "tried()"),
    *("predicted_after(flip()) if flip() != '' else ''", "probability_after(flip()) if flip() != '' else 0"),
    *("scale(largest(stage('affine', 1)))", "shift(largest(stage('affine', 1)))"),
    *(
        "value('input~28~0~0')",
        "rows('nothing')",
        "predicted(11)",
        "value('x')",
        "factor(largest('conv2d'), 10)",
    ),
]

IN_PAGE = """({ scene, stage_scope, expressions }, given) => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const shown = scene.sceneOf(bytes(given.scene));
  return shown.items.map((_, item) => {
    const values = shown.valuesOf(item);
    const scope = new stage_scope.StageScope(shown, [values[0]], [], values).functions;
    const found = given.asked.map((text) => {
      try {
        return expressions.evaluate(text, scope);
      } catch (error) {
        if (error.constructor.name !== "ExpressionError") throw error;
        return "refused";
      }
    });
    return [found, Object.keys(scope)];
  });
}"""


def in_python(text, scope):
    try:
        return evaluate(text, scope)
    except ExpressionError:
        return "refused"


def test_the_page_says_the_same(net, digits):
    run = net.run(digits)
    given = {"scene": b64encode(bytes(build_scene(run))).decode(), "asked": ASKED}
    answers = ask_node(IN_PAGE, given, "scene", "stage_scope", "expressions")
    slack = rounding(run)
    asked_of = {text.partition("(")[0] for text in ASKED}
    assert set(FUNCTIONS) <= asked_of | {"product", "weight"}
    for index, (found, names) in enumerate(answers):
        assert set(names) == set(FUNCTIONS)
        scope = StageScope(run, index)
        for text, answer in zip(ASKED, found, strict=True):
            expected = in_python(text, scope)
            if isinstance(expected, float):
                assert answer == pytest.approx(expected, rel=1e-4, abs=slack), text
            else:
                assert answer == expected, text


def rounding(run: Run) -> float:
    """What a number of the last layers may differ by: the largest bound of a layer for one addition order."""
    net = run.network
    return max(float(allowance(layer, *run.inputs(layer.name)).max()) for layer in net if layer.inputs)


def test_activity_is_the_same_in_python_and_in_the_page():
    """With channels that are alike, blank or NaN."""
    maps = np.random.default_rng(5).normal(size=(4, 3, 9)).astype(np.float32)
    maps[..., 2] = 0
    maps[..., 4] = -maps[..., 3]
    maps[1, 1, 7] = np.nan
    program = """({ channels }, numbers) =>
      channels.activityOf({ index: 0, shape: [4, 3, 9] }, [Float32Array.from(numbers, Number)]).map(String)"""
    numbers = [str(float(x)).replace("nan", "NaN") for x in maps.ravel()]
    found = [float(x.replace("Infinity", "inf")) for x in ask_node(program, numbers, "channels")]
    assert found == activity_of(maps).tolist()
