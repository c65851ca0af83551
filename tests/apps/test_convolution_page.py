"""The convolution page: the playground's numbers are the library's, and its choices are in the address."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import cnnviz
from apps.conftest import cells, drawn, given, tables, widget
from cnnviz import animate, kernels, ops
from cnnviz.concepts import playground
from cnnviz.numbers import number
from cnnviz.ops.padding import window

DIGIT = cnnviz.load_mnist()[1][0][4]
SOBEL = kernels.named("sobel x").kernel.astype(np.float32)


def walks(at) -> list[dict]:
    """The scenes that the page gave its players."""
    return [data["scene"] for data in given(at, "cnnviz.walk")]


def result(scene: dict) -> list[str]:
    return [step["result"] for step in scene["steps"]]


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ({}, {"padding": "same"}),
        ({"stride": 2, "dilation": 2}, {"strides": 2, "dilation_rate": 2, "padding": "same"}),
        ({"padding": "valid"}, {}),
        ({"padding": "explicit", "pad_top": 3, "pad_right": 0}, {"padding": ((3, 1), (1, 0))}),
    ],
)
def test_the_playground_slides_as_the_engine_does(visit, query, options):
    at = visit("convolution", digit=4, top=6, left=5, **query)
    assert not at.warning
    x = playground.patch(DIGIT, 6, 5, 8)
    expected = animate.conv2d(x, SOBEL, pixels=True, **options)
    assert walks(at)[0]["steps"] == expected.scene()["steps"]
    rows, cols = ops.conv2d(x, SOBEL[:, :, None, None], **options).shape
    assert f"⌋ + 1 = {rows}|" in cells(at)
    assert f"⌋ + 1 = {cols}|" in cells(at)


def test_an_edited_kernel_slides_and_turns(visit):
    text = "0,1,0.5;0,0,0;-2,0,0"
    x = playground.patch(DIGIT, *playground.liveliest(DIGIT, 8), 8)
    kernel = np.array([[0, 1, 0.5], [0, 0, 0], [-2, 0, 0]], np.float32)
    at = visit("convolution", digit=4, kernel=text)
    assert result(walks(at)[0]) == result(animate.conv2d(x, kernel, padding="same").scene())
    widget(at.toggle, "flip").set_value(True).run()
    turned = animate.conv2d(x, kernel[::-1, ::-1], padding="same").scene()
    assert result(walks(at)[0]) == result(turned)
    assert given(at, "cnnviz.cells")[0]["text"] == text
    # Another kernel to start from forgets what was typed.
    widget(at.selectbox, "start").set_value("box").run()
    assert given(at, "cnnviz.cells")[0]["text"].startswith("0.1111111")
    assert not at.exception


def test_backwards_it_is_the_transposed_convolution(visit):
    at = visit("convolution", digit=4, transposed=1, stride=2, top=0, left=0)
    scene = walks(at)[0]
    assert scene["backwards"]
    x = playground.patch(DIGIT, 0, 0, 8)
    y = ops.conv2d(x, SOBEL[:, :, None, None], strides=2, padding="same")
    grad = ops.conv2d_input_grad(
        y[None, ..., None], SOBEL[:, :, None, None], (1, 8, 8, 1), strides=2, padding="same"
    )
    assert (scene["outputs"][0]["rows"], scene["outputs"][0]["cols"]) == grad.shape[1:3]
    last = {(row, col): text for step in scene["steps"] for row, col, text, *_ in step["written"]}
    for (row, col), text in last.items():
        shown = float(text.replace("−", "-"))
        decimals = len(text.partition(".")[2])
        assert shown == pytest.approx(grad[0, row, col, 0], abs=0.51 * 10**-decimals)
    assert "(4 − 1) · 2 + 3 − 0 − 1 + 0 = 8" in cells(at)


def test_typed_cells_are_the_input(visit):
    at = visit("convolution", source="cells", cells_a_side=3, typed="1,2,3;4,5,6;7,8,9", padding="valid")
    assert walks(at)[0]["steps"][0]["words"].startswith("(−1)·1 + 0·2 + 1·3 + (−2)·4")
    assert result(walks(at)[0]) == ["= 8"]


def test_letters_stand_in_for_numbers(visit):
    at = visit("convolution", letters=1, padding="valid")
    first = walks(at)[0]["steps"][0]
    assert first["words"].startswith("w11·a + w12·b + w13·c + w21·i")
    assert first["result"] == "= y11"


def test_what_does_not_fit_is_said_and_the_page_goes_on(visit):
    at = visit("convolution", kernel_rows=5, dilation=4, cells_a_side=3, padding="valid")
    assert "This does not fit: kernel of height 5 dilated by 4 covers 17 cells" in at.warning[0].value
    assert not walks(at)
    assert "Show the code" in [expander.label for expander in at.expander]


def test_uneven_same_padding_is_marked(visit):
    at = visit("convolution", stride=2)
    for same in playground.same_padding(range(6, 12), 3, 2):
        words = "uneven" if same.uneven else "equal"
        assert f"{same.size} cells|{same.out}|{same.before}|{same.after}|{words}" in cells(at)
    scene = walks(at)[0]["inputs"][0]
    padding = window((8, 8), (3, 3), (2, 2), "same").padding
    assert [list(side) for side in zip(scene["before"], scene["after"], strict=True)] == [
        list(side) for side in padding
    ]


@pytest.mark.parametrize(
    ("kind", "channels", "outputs"), [("plain", 4, 2), ("grouped", 2, 2), ("depthwise", 1, 4)]
)
def test_kinds_read_their_own_channels(visit, kind, channels, outputs):
    scene = walks(visit("convolution", kind=kind))[-1]
    assert len(scene["inputs"]) == 4
    assert len(scene["outputs"]) == outputs
    assert {len(step["sources"]) for step in scene["steps"]} == {channels}


@pytest.mark.parametrize("query", [{}, {"padding": "valid", "stride": 2}])
def test_a_walk_opens_at_its_largest_result(visit, query):
    for data in given(visit("convolution", digit=4, **query), "cnnviz.walk"):
        sizes = [abs(float(text.lstrip("= ").replace("−", "-"))) for text in result(data["scene"])]
        assert data["step"] is None
        assert sizes[data["start"]] == max(sizes) > 0


def test_the_chosen_step_is_in_the_address(visit):
    at = visit("convolution", step=5)
    assert given(at, "cnnviz.walk")[0]["step"] == 5
    assert not at.warning
    at = visit("convolution", step=999)
    assert given(at, "cnnviz.walk")[0]["step"] is None
    assert re.search("step “999”", at.warning[0].value)
    json.dumps(given(at, "cnnviz.walk"))


def kernel_of(at) -> np.ndarray:
    return np.array([row.split(",") for row in given(at, "cnnviz.cells")[0]["text"].split(";")], float)


def test_another_size_keeps_the_middle_of_what_was_there(visit):
    """Typed weights, and those of a named kernel that the new size does not have."""
    at = visit("convolution", digit=4, kernel="0,1,0.5;0,3,0;-2,0,0")
    start = widget(at.selectbox, "start")
    assert start.value == "custom"
    widget(at.number_input, "kernel_rows").set_value(2).run()
    np.testing.assert_array_equal(kernel_of(at), [[0, 3, 0], [-2, 0, 0]])
    widget(at.number_input, "kernel_columns").set_value(5).run()
    np.testing.assert_array_equal(kernel_of(at), [[0, 0, 3, 0, 0], [0, -2, 0, 0, 0]])
    assert widget(at.selectbox, "start").value == "custom"
    assert at.query_params["kernel"]
    assert not at.warning
    at = visit("convolution", digit=4)
    assert widget(at.selectbox, "start").value == "sobel x"
    widget(at.number_input, "kernel_rows").set_value(1).run()
    np.testing.assert_array_equal(kernel_of(at), [[-2, 0, 2]])
    assert widget(at.selectbox, "start").value == "custom"
    widget(at.number_input, "kernel_rows").set_value(3).run()
    np.testing.assert_array_equal(kernel_of(at), [[0, 0, 0], [-2, 0, 2], [0, 0, 0]])
    # A kernel that the size has too stays what it is called.
    widget(at.selectbox, "start").set_value("ones").run()
    widget(at.number_input, "kernel_rows").set_value(4).run()
    assert widget(at.selectbox, "start").value == "ones"
    np.testing.assert_array_equal(kernel_of(at), np.ones((4, 3)))
    assert not at.exception
    assert not at.warning


def test_a_link_decides_over_what_was_there(visit):
    visit("convolution", kernel="0,1,0.5;0,3,0;-2,0,0")
    at = visit("convolution", start="box", kernel_rows=2, kernel_columns=2)
    assert widget(at.selectbox, "start").value == "box"
    np.testing.assert_array_equal(kernel_of(at), np.full((2, 2), 0.25))
    at = visit("convolution", start="box", kernel="1,2,3;4,5,6;7,8,9")
    assert widget(at.selectbox, "start").value == "custom"
    np.testing.assert_array_equal(kernel_of(at), np.arange(1, 10).reshape(3, 3))


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_two_digits_added_show_that_it_is_linear_and_a_relu_is_not(visit, model):
    _, (images, _) = cnnviz.load_mnist()
    layer = cnnviz.load_model(model)["conv2d"]
    for query, words in (
        ({"a": 2, "b": -1}, "the same, but for rounding: a convolution is linear."),
        ({"a": -2, "with_relu": 1}, "differ: a ReLU of a sum is not the sum of two ReLUs."),
        ({"a": 2, "b": 0, "with_bias": 1}, "differ: the bias is in the one once, in the other 2 + 0 times."),
        (
            {"a": -1, "b": -2, "with_bias": 1},
            "differ: the bias is in the one once, in the other −1 + (−2) times.",
        ),
    ):
        at = visit("convolution", model=model, digit=4, other=7, **query)
        caption = drawn(at, "feature-maps")["caption"]
        assert words in caption
        channel = int(re.search(r"kernel (\d+)", caption)[1])
        kernel, bias = layer.weights["kernel"][..., channel : channel + 1], layer.weights["bias"][channel]
        a, b = query.get("a", 1), query.get("b", 1)
        one, two = images[4] / 255, images[7] / 255
        maps = [ops.conv2d(each, kernel.astype(float)) for each in (one, two, a * one + b * two)]
        maps = [each + bias if "with_bias" in query else each for each in maps]
        maps = [np.maximum(each, 0) if "with_relu" in query else each for each in maps]
        exact = maps[2] - a * maps[0] - b * maps[1]
        shown = float(re.search(r"difference is ([\d.e−]+\d)", caption)[1].replace("−", "-"))
        assert shown == pytest.approx(np.abs(exact).max(), rel=6e-3, abs=1e-5)


def test_every_window_is_a_row_and_its_product_is_in_the_map(visit):
    at = visit("convolution", digit=4, window=7)
    picture = drawn(at, "patch-matrix")
    assert picture["chosen"] == 7
    net = cnnviz.load_model("mnist_14k")
    channel = int(re.search(r"kernel (\d+)", picture["caption"])[1])
    x = playground.patch(DIGIT, *playground.liveliest(DIGIT, 5), 5)
    y = ops.conv2d(x, net["conv2d"].weights["kernel"][..., channel : channel + 1])
    value = number(float(y.ravel()[7]))
    assert picture["tiles"][7]["name"] == f"Window 7: {value}"
    assert picture["alt"].endswith(f" = {value}.")


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_four_methods_give_one_answer_within_what_rounding_can_do(visit, model):
    at = visit("convolution", model=model, digit=4, mathematics="methods")
    (table,) = [each for each in tables(at) if each["name"] == "cnnviz-methods"]
    rows = [line.split(",") for line in table["csv"].strip().splitlines()[1:]]
    assert [row[0] for row in rows] == ["direct", "im2col", "fft", "winograd"]
    for row in rows:
        difference, limit = (float(cell.strip('"').replace("−", "-")) for cell in row[-2:])
        assert 0 < difference < limit
