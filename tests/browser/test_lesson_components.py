"""A curve's point, the ladder of receptive fields, the digit to be dragged: by mouse, finger and keys."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnviz
from browser.axe import violations
from browser.stage_page import numbers_of, of_view, place, until
from browser.waiting import expect, standing, until_address, until_fits, until_settled
from cnnviz.concepts.saturation import places_around

INPUT = 0
VALUE = """({ values, scene, pinned: { stage, row, col, channel } }) => {
  const [, width, channels] = scene.stages[stage].shape;
  return values[stage][(row * width + col) * channels + channel];
}"""
"""The number whose receipt is open."""


@pytest.fixture
def visit(open_page, explorer):
    def go(query: str, **options):
        page = open_page(f"{explorer}/{query}", **options)
        page.get_by_text("Show the code").wait_for()
        until_settled(page)
        return page

    return go


def dragged(page, plot, share: float) -> None:
    """Drag from where the pointer went down, in the plot's middle, to a share of its width."""
    box = standing(plot)
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(box["x"] + share * box["width"], y, steps=4)


def test_the_point_on_the_curve_is_dragged_and_says_value_and_slope(visit):
    page = visit("activation_functions?digit=3")
    plot, shown = page.locator(".plot"), page.locator(".shown")
    assert standing(plot)["y"] + 100 < 900, "above the fold"
    expect(shown).to_contain_text("→ 0, slope 0")
    expect(page.locator(".words")).to_contain_text("Nothing comes back through it")
    dragged(page, plot, 0.9)
    expect(shown).to_contain_text("slope 1")
    z, value, slope = numbers_of(shown.inner_text())
    assert z == value > 0
    assert slope == 1
    page.mouse.up()
    numbers = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][3]).pre_activation("conv2d")
    places = places_around(numbers)
    nearest = int(np.abs(places - z).argmin())
    until_address(page, "at", str(nearest))
    plot.press("ArrowRight")
    expect(shown).to_contain_text(f"+{places[nearest + 1]:.3g}"[:4])
    until_address(page, "at", str(nearest + 1))
    page.reload()
    expect(shown).to_contain_text("slope 1")


def test_a_finger_moves_the_point_in_the_dark_on_a_narrow_page(visit):
    page = visit(
        "activation_functions?digit=3&function=tanh", width=390, height=844, dark=True, has_touch=True
    )
    plot = page.locator(".plot")
    box = standing(plot)
    plot.tap(position={"x": box["width"] - 2, "y": 60})
    expect(page.locator(".words")).to_contain_text("almost flat here: it is saturated")
    until_settled(page)
    until_fits(page)
    assert violations(page) == []


def test_a_unit_is_chosen_on_the_ladder_and_its_map_keeps_its_channel(visit):
    page = visit("receptive_field?digit=3&closer=unit&layer=conv2d_3&row=5&column=5")
    ladder, shown = page.locator(".ladder"), page.locator(".shown")
    channel = page.locator(".map + figcaption")
    said = channel.inner_text()
    expect(shown).to_have_text(
        "Row 5, column 5 of conv2d_3 sees 10 × 10 pixels: rows 10 to 19, columns 10 to 19."
    )
    cells = page.locator("rect.cell.on")
    assert cells.count() == 1 + 3 + 6 + 6 + 8 + 10
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        ladder.press(key)
    expect(shown).to_contain_text("columns 12 to 21")
    until_address(page, "column", "6")
    page.locator(".map").click(position={"x": 3, "y": 3})
    expect(shown).to_contain_text("Row 0, column 0 of conv2d_3 sees 10 × 10 pixels: rows 0 to 9")
    until_address(page, "row", "0")
    assert channel.inner_text() == said, "another unit is no other channel"
    ladder.press("ArrowUp")
    expect(shown).to_contain_text("of conv2d_4 sees 14 × 14 pixels")
    until_address(page, "layer", "conv2d_4")
    # On the image: the unit of this layer whose field lies around the pixel.
    box = standing(page.locator(".image"))
    page.locator(".image").click(position={"x": box["width"] - 2, "y": box["height"] - 2})
    expect(shown).to_contain_text("Row 7, column 7 of conv2d_4 sees 14 × 14 pixels: rows 14 to 27")
    until_address(page, "column", "7")
    until_settled(page)
    assert violations(page) == []


def test_holes_and_ways_that_meet_can_be_pointed_at_with_a_finger(visit):
    query = "receptive_field?digit=3&closer=growth&grows=holes&holes=two"
    page = visit(query, width=390, height=844, has_touch=True)
    shown = page.locator(".shown")
    expect(shown).to_have_text(re.compile(r"sees 13 columns of input, 4 to 16\. It reads 7 of them"))
    assert page.locator("rect.cell.passed").count() == 2 + 4 + 6
    page.locator(".ladder").press("ArrowDown")
    expect(shown).to_contain_text("sees 9 columns of input")
    until_fits(page)


def test_painted_outside_its_field_a_unit_does_not_care_and_inside_it_does(visit):
    """The page leads there: the image is painted on as it opens, and the receipt is beside it."""
    page = visit("receptive_field?digit=247")
    until(page, "({ pinned }) => Boolean(pinned)")
    row, col = of_view(page, "({ pinned: { row, col } }) => [row, col]")
    before = of_view(page, VALUE)

    def stroke(top: int, left: int) -> None:
        page.mouse.move(*place(page, INPUT, top, left, 0))
        page.mouse.down()
        page.mouse.move(*place(page, INPUT, top + 2, left + 2, 0), steps=3)
        page.mouse.up()

    stroke((row + 14) % 26, (col + 14) % 26)
    expect(page.locator(".cv-edits")).to_contain_text("1 change")
    assert of_view(page, VALUE) == before
    stroke(row, col)
    expect(page.locator(".cv-edits")).to_contain_text("2 changes")
    assert of_view(page, VALUE) != before


def test_the_digit_is_dragged_and_all_that_follows_from_its_move_follows(visit):
    page = visit("why_convolution?digit=3&closer=moved&columns=0")
    pad, shown = page.locator(".moving .pad"), page.locator(".moving .shown")
    expect(shown).to_have_text("Drag it")
    box = standing(pad)
    pixel = box["width"] / 28
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 4.2 * pixel, y + 2.2 * pixel, steps=4)
    # The browser answers by itself; Python hears of it when the digit is let go.
    expect(shown).to_have_text("2 down, 4 to the left")
    page.mouse.up()
    until_address(page, "rows", "2")
    until_address(page, "columns", "-4")
    caption = page.locator("figcaption .caption", has_text="The move is 2 down and −4 right")
    caption.wait_for()
    pad.press("ArrowUp")
    expect(shown).to_have_text("1 down, 4 to the left")
    until_address(page, "rows", "1")
    # Never farther than the map of all moves goes.
    for _ in range(9):
        pad.press("ArrowLeft")
    expect(shown).to_have_text("1 down, 8 to the left")
    until_address(page, "columns", "-8")
    page.get_by_role("button", name="Put it back").click()
    expect(shown).to_have_text("Drag it")
    until_address(page, "columns", "0")
    until_address(page, "rows", None)
    # What is chosen on the map of all moves moves the digit too.
    page.get_by_role("radio", name="The answer").click()
    page.get_by_role("button", name=re.compile("^−?2 down, 5 right")).click()
    expect(shown).to_have_text("2 down, 5 to the right")
    until_settled(page)
    assert violations(page) == []


def test_a_finger_drags_the_digit_and_the_page_stays_where_it_is(visit):
    page = visit("why_convolution?digit=3&closer=moved&columns=0", width=390, height=844, has_touch=True)
    pad = page.locator(".moving .pad")
    box = standing(pad)
    pixel, x, y = box["width"] / 28, box["x"] + 100, box["y"] + 100
    hand = page.context.new_cdp_session(page)
    for kind, across in (("touchStart", 0), ("touchMove", 1), ("touchMove", 3.2), ("touchEnd", None)):
        points = [] if across is None else [{"x": x + across * pixel, "y": y}]
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(page.locator(".moving .shown")).to_have_text("3 to the right")
    until_address(page, "columns", None)
    until_fits(page)
