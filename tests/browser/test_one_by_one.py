"""The 1x1 page: the numbers under the pointer are the network's, by mouse, keyboard and touch."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnviz
from browser.axe import violations
from browser.waiting import expect, until_address, until_fits, until_settled
from cnnviz import kernels
from cnnviz.ops import conv2d

LAYER = "conv2d_2"


@pytest.fixture
def mixing(open_page, explorer):
    """mixing(query, width=..., dark=...): the page with its component, and all that it sends to Python."""

    def visit(query: str, **options):
        page, sent = open_page("about:blank", **options), []
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
        page.goto(f"{explorer}/one_by_one{query}&closer=layer")
        page.locator(".side .pad").wait_for()
        page.get_by_text("Show the code").wait_for()
        until_settled(page)
        return page, sent

    return visit


@pytest.fixture(scope="module")
def run():
    return cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][18])


def numbers(page, selector: str) -> list[float]:
    texts = page.locator(f".layout {selector}").all_inner_texts()
    return [float(text.replace("−", "-")) for text in texts]


def expect_pixel(page, run, row: int, col: int, out: int) -> None:
    """The table shows what the engine computed at that pixel, for that output."""
    x, layer = run.inputs(LAYER)[0][0, row, col], run.network[LAYER]
    products = x * layer.weights["kernel"][0, 0, :, out]
    expect(page.locator(".shown")).to_have_text(re.compile(f"row {row}, column {col}$"))
    expect(page.locator(".times")).to_have_text(f"× column {out}")
    np.testing.assert_allclose(numbers(page, "tbody td.x"), x, atol=0.0051)
    np.testing.assert_allclose(numbers(page, "tbody td.product"), products, atol=0.00051)
    bias, total, network, difference, after = numbers(page, "tfoot td.product")
    value = float(run.pre_activation(LAYER)[0, row, col, out])
    assert bias == pytest.approx(float(layer.weights["bias"][out]), abs=5.1e-6)
    assert network == pytest.approx(value, abs=5.1e-6)
    exact = float(x.astype(float) @ layer.weights["kernel"][0, 0, :, out].astype(float)) + float(
        layer.weights["bias"][out]
    )
    assert total == pytest.approx(exact, abs=5.1e-6)
    assert difference == pytest.approx(abs(exact - value), rel=0.51, abs=1e-12)
    assert after == pytest.approx(max(value, 0), abs=5.1e-6)


def over(page, row: int, col: int) -> dict:
    """Where on the map a pixel is, for `position=`."""
    box = page.locator(".side .pad").bounding_box()
    return {"x": (col + 0.5) * box["width"] / 24, "y": (row + 0.5) * box["height"] / 24}


def test_mouse_and_keyboard(mixing, run):
    page, sent = mixing("?digit=18&row=3&column=4&channel=2")
    expect_pixel(page, run, 3, 4, 2)
    before = len(sent)
    page.locator(".side .pad").hover(position=over(page, 12, 9))
    expect_pixel(page, run, 12, 9, 2)
    page.mouse.move(0, 0)
    expect_pixel(page, run, 3, 4, 2)
    page.wait_for_timeout(500)
    assert len(sent) == before, "pointing asks Python nothing"
    page.locator(".side .pad").click(position=over(page, 15, 10))
    expect_pixel(page, run, 15, 10, 2)
    until_address(page, "row", "15")
    until_address(page, "column", "10")
    assert len(sent) > before
    page.mouse.move(0, 0)
    expect_pixel(page, run, 15, 10, 2)
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    expect_pixel(page, run, 17, 9, 2)
    expect(page.get_by_text("Row 17, column 9: output 2 is")).to_be_attached()
    until_address(page, "row", "17")
    until_address(page, "column", "9")
    page.get_by_role("button", name="output 7").focus()
    page.keyboard.press("Enter")
    expect_pixel(page, run, 17, 9, 7)
    until_address(page, "channel", "7")
    until_address(page, "row", "17")
    page.go_back()
    until_address(page, "channel", "2")
    expect_pixel(page, run, 17, 9, 2)


def test_touch_on_a_narrow_page(mixing, run):
    page, _ = mixing("?digit=18&row=3&column=4&channel=2", width=360, dark=True, has_touch=True)
    page.locator(".side .pad").tap(position=over(page, 10, 11))
    expect_pixel(page, run, 10, 11, 2)
    weights = run.network[LAYER].weights["kernel"][0, 0, :, 2]
    np.testing.assert_allclose(numbers(page, "tbody td.chosen-weight"), weights, atol=0.0051)
    until_address(page, "row", "10")
    until_settled(page)
    until_fits(page)
    assert violations(page) == []


def test_a_photograph_becomes_one_map_by_weights_that_are_dragged(open_page, explorer):
    """Three weights by pointer and keyboard: the sum that is written is the engine's, and nothing is sent."""
    page, sent = open_page("about:blank"), []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.goto(f"{explorer}/one_by_one")
    page.locator(".result canvas").wait_for()
    page.get_by_text("Show the code").wait_for()
    until_settled(page)
    planes = kernels.colour_photograph() / 255
    result = page.locator(".sum b").first

    def value() -> float:
        return float(result.inner_text().replace("−", "-"))

    def expected(row: int, col: int, weights: list[float]) -> float:
        kernel = np.reshape(weights, (1, 1, 3, 1))
        return float(conv2d(planes, kernel)[row, col, 0])

    place = re.search(r"row (\d+), column (\d+)", page.locator(".sum").inner_text())
    row, col = int(place[1]), int(place[2])
    assert value() == pytest.approx(expected(row, col, [0.299, 0.587, 0.114]), rel=5e-3)
    before = len(sent)
    box = page.locator(".result .pad").bounding_box()
    page.mouse.move(box["x"] + 40.5 * box["width"] / 82, box["y"] + 20.5 * box["height"] / 96)
    expect(page.locator(".sum")).to_contain_text("row 20, column 40:")
    assert value() == pytest.approx(expected(20, 40, [0.299, 0.587, 0.114]), rel=5e-3)
    assert len(sent) == before, "pointing asks Python nothing"
    slider = page.get_by_role("slider", name="weight of red")
    bounds = slider.bounding_box()
    assert bounds["y"] + bounds["height"] < 720, "in sight as the page opens"
    old = result.inner_text()
    page.mouse.move(bounds["x"] + bounds["width"] * 0.65, bounds["y"] + bounds["height"] / 2)
    page.mouse.down()
    page.mouse.move(bounds["x"] + bounds["width"] * 0.1, bounds["y"] + bounds["height"] / 2, steps=4)
    expect(result).not_to_have_text(old)
    page.mouse.up()
    red = float(page.locator(".planes output").first.inner_text().replace("−", "-"))
    assert red < -0.5
    place = re.search(r"row (\d+), column (\d+)", page.locator(".sum").inner_text())
    assert value() == pytest.approx(expected(int(place[1]), int(place[2]), [red, 0.587, 0.114]), rel=6e-3)
    expect(page.locator(".result .ends span").first).to_contain_text("−")
    page.get_by_label("ReLU").check()
    expect(page.locator(".result .ends span").first).to_have_text("0")
    page.wait_for_url(re.compile(r"relu=1"))
    page.get_by_role("button", name="blue alone").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"mix=0(%2C|,)0(%2C|,)1"))
    page.reload()
    expect(page.locator(".planes output").nth(2)).to_have_text("1.00")
    expect(page.get_by_label("ReLU")).to_be_checked()


@pytest.mark.parametrize(("width", "height", "dark"), [(390, 844, True), (360, 640, False)])
def test_the_photograph_by_finger_on_a_narrow_page(open_page, explorer, width, height, dark):
    page = open_page(f"{explorer}/one_by_one", width=width, height=height, dark=dark, has_touch=True)
    page.get_by_text("Show the code").wait_for()
    page.locator(".result canvas").wait_for()
    until_settled(page)
    box = page.locator(".whole .pad").bounding_box()
    page.touchscreen.tap(box["x"] + 10.5 * box["width"] / 82, box["y"] + 30.5 * box["height"] / 96)
    expect(page.locator(".sum")).to_contain_text("row 30, column 10:")
    until_address(page, "y", "30")
    until_fits(page)
    assert violations(page) == []
