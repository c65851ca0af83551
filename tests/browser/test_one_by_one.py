"""The 1x1 page: the numbers under the pointer are the network's, by mouse, keyboard and touch."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnviz
from browser.axe import violations
from browser.waiting import expect, until_address, until_fits, until_settled

LAYER = "conv2d_2"


@pytest.fixture
def mixing(open_page, explorer):
    """mixing(query, width=..., dark=...): the page with its component, and all that it sends to Python."""

    def visit(query: str, **options):
        page, sent = open_page("about:blank", **options), []
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
        page.goto(f"{explorer}/one_by_one{query}")
        page.locator(".pad").wait_for()
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
    box = page.locator(".pad").bounding_box()
    return {"x": (col + 0.5) * box["width"] / 24, "y": (row + 0.5) * box["height"] / 24}


def test_mouse_and_keyboard(mixing, run):
    page, sent = mixing("?digit=18&row=3&column=4&channel=2")
    expect_pixel(page, run, 3, 4, 2)
    before = len(sent)
    page.locator(".pad").hover(position=over(page, 12, 9))
    expect_pixel(page, run, 12, 9, 2)
    page.mouse.move(0, 0)
    expect_pixel(page, run, 3, 4, 2)
    page.wait_for_timeout(500)
    assert len(sent) == before, "pointing asks Python nothing"
    page.locator(".pad").click(position=over(page, 15, 10))
    expect_pixel(page, run, 15, 10, 2)
    until_address(page, "row", "15")
    until_address(page, "column", "10")
    assert len(sent) > before
    page.mouse.move(0, 0)
    expect_pixel(page, run, 15, 10, 2)
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    expect_pixel(page, run, 17, 9, 2)
    expect(page.locator(".said")).to_contain_text("Row 17, column 9: output 2 is")
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
    page.locator(".pad").tap(position=over(page, 10, 11))
    expect_pixel(page, run, 10, 11, 2)
    weights = run.network[LAYER].weights["kernel"][0, 0, :, 2]
    np.testing.assert_allclose(numbers(page, "tbody td.chosen-weight"), weights, atol=0.0051)
    until_address(page, "row", "10")
    until_settled(page)
    until_fits(page)
    assert violations(page) == []
