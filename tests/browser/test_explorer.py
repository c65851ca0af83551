"""The live view in the explorer: drawing, changing numbers, another digit, TensorFlow's number."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnviz


@pytest.fixture
def overview(open_page, explorer):
    def visit(query: str = "?digit=0", **options):
        page = open_page(f"{explorer}/{query}", **options)
        page.wait_for_selector(".cv-barrow", timeout=60_000)
        return page

    return visit


def title(page) -> str:
    return page.locator(".cv-title").inner_text()


def draw_seven(page) -> None:
    page.locator(".cv-pad").scroll_into_view_if_needed()
    box = page.locator(".cv-pad").bounding_box()

    def to(x: float, y: float) -> None:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])

    to(0.3, 0.25)
    page.mouse.down()
    for i in range(8):
        to(0.3 + 0.4 * i / 7, 0.25)
    for i in range(10):
        to(0.7 - 0.25 * i / 9, 0.25 + 0.55 * i / 9)


def test_a_drawing_is_answered_while_it_is_made_and_then_by_numpy(overview):
    page = overview()
    page.locator(".cv-opendraw").click()
    draw_seven(page)
    page.wait_for_timeout(100)
    assert title(page).startswith("your drawing predicted 7")
    assert "Computed in this browser" in page.locator(".cv-engine").inner_text()
    page.mouse.up()
    page.locator(".cv-engine", has_text="Computed by NumPy.").wait_for()
    assert title(page).startswith("your drawing predicted 7")
    page.locator("[data-do=undo]").click()
    page.locator(".cv-engine", has_text="Draw a digit").wait_for()
    page.locator("[data-do=close]").click()
    page.locator(".cv-what", has_text="Test digit 0").wait_for()
    assert title(page).startswith("Test digit 0 predicted 7")


def test_a_changed_weight_is_computed_again_marked_and_reset(overview):
    page = overview()
    page.locator(".cv-start").click()
    page.locator(".cv-own button").click()
    before = page.locator(".cv-rvalue").inner_text()
    page.locator('[data-term="0.3.5"][data-role="w"]').click()
    page.locator(".cv-form input").fill("-30")
    page.keyboard.press("Enter")
    edits = page.locator(".cv-edits")
    edits.get_by_text("change by hand").wait_for()
    page.locator(".cv-edits:not([data-busy])").wait_for()
    assert re.search(r"before 7, .*, now [0-68-9]", edits.inner_text().replace("\n", " "))
    assert "2 columns changed" in edits.inner_text()
    net = cnnviz.load_model("mnist_14k")
    kernel = np.array(net["conv2d_7"].weights["kernel"])
    kernel[1, 1, 3, 7] = -30
    expected = net.with_weights({"conv2d_7/kernel": kernel}).run(cnnviz.load_mnist()[1][0][0])
    shown = float(page.locator(".cv-rvalue").inner_text().replace("−", "-"))
    assert shown == pytest.approx(float(expected["conv2d_7"][0, 0, 0, 7]), rel=1e-3)
    page.locator(".cv-reset").click()
    page.locator(".cv-edits:empty").wait_for(state="attached")
    assert page.locator(".cv-rvalue").inner_text() == before


def test_a_silenced_channel_and_a_changed_pixel(overview):
    page = overview("?digit=0&view=trail%3Dconv2d_3~4~5~7%21max_pooling2d~4~5~2")
    assert page.locator(".cv-crumbs li").count() == 2
    page.get_by_role("button", name="Zero channel 2").click()
    page.locator(".cv-edits", has_text="max_pooling2d channel 2 = 0").wait_for()
    page.locator(".cv-edits:not([data-busy])").wait_for()
    page.locator(".cv-proof", has_text="set to 0 by hand").wait_for()
    assert page.locator(".cv-rvalue").inner_text() == "0"


def test_another_digit_is_repainted(overview):
    page = overview()
    page.get_by_role("button", name="Next mistake").click()
    page.locator(".cv-verdict", has_text="it is a").wait_for()
    assert "✗" in title(page)


def test_tensorflow_s_number_stands_beside_the_receipt(overview):
    page = overview("?digit=0&view=trail%3Dconv2d_3~4~5~7")
    # Nobody is asked about a receipt that nobody looks at.
    page.locator(".cv-rhead").scroll_into_view_if_needed()
    line = page.locator(".cv-authority", has_text=re.compile("TensorFlow .* difference"))
    line.wait_for(timeout=120_000)
    theirs = float(re.search(r"TensorFlow ([−\d.e]+)", line.inner_text())[1].replace("−", "-"))
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])
    assert theirs == pytest.approx(float(run.pre_activation("conv2d_3")[0, 4, 5, 7]), abs=1e-4)


def test_dark_and_narrow(overview):
    page = overview(width=360, height=780, dark=True)
    assert page.locator(".cv").get_attribute("data-theme") == "dark"
    assert page.locator(".cv").evaluate("e => e.scrollWidth <= e.clientWidth")
