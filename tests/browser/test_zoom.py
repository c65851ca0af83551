"""From the network to a layer to a cell and back, by a click, keys, a pinch; the strip marks the place."""

from __future__ import annotations

import pytest

from browser.stage_page import (
    click,
    expect_crumbs,
    expect_zoom,
    hover,
    marks,
    of_view,
    place,
    show,
    unseen,
    until_marked,
)
from browser.waiting import expect

CONV, LAST = 11, 13
"""Stages of the column of conv2d_3: the sums, and what the column shows."""
CELL = (LAST, 4, 5, 7)
PINCH = """([x, y, delta]) => {
  const at = document.querySelector("[id^=cnnviz-]").shadowRoot.elementFromPoint(x, y);
  const wheel = { deltaY: delta, ctrlKey: true, clientX: x, clientY: y };
  const heard = { bubbles: true, composed: true, cancelable: true };
  return [1, 2, 3].map(() => at.dispatchEvent(new WheelEvent("wheel", { ...wheel, ...heard })));
}"""
"""What a touchpad sends of one pinch: several wheels; whether each zooms the page itself."""


def zoomed(page, *, to: str) -> None:
    """On the layer that the cell is of, or on the cell, whose receipt is open."""
    show(page, {"path": [["batch_normalization_3", 4, 5, 7]], "zoom": to})
    expect_zoom(page, to)


def test_a_click_opens_the_receipt_in_sight_and_moves_nothing(live):
    page = live(height=720)
    before = [page.locator(part).bounding_box() for part in (".cv-room", ".cv-bars", ".cv-bar")]
    click(page, *CELL)
    expect_crumbs(page, "batch_normalization_3 (4, 5) channel 7")
    expect_zoom(page, "network")
    for part in (".cv-rvalue", ".cv-ranked"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    assert [page.locator(part).bounding_box() for part in (".cv-room", ".cv-bars", ".cv-bar")] == before
    assert unseen(page) == []


def test_a_layer_s_name_leads_to_the_layer_a_cell_there_to_the_cell_and_escape_back(live):
    page = live()
    page.locator(".cv-col", has_text="conv2d_3").click()
    expect_zoom(page, "layer")
    expect(page.locator(".cv-way li")).to_have_text(["Network", "batch_normalization_3"])
    click(page, *CELL)
    expect_zoom(page, "cell")
    expect_crumbs(page, "batch_normalization_3 (4, 5) channel 7")
    expect(page.locator(".cv-way li")).to_have_text(["Network", "batch_normalization_3", "one cell"])
    for level in ("layer", "network"):
        page.keyboard.press("Escape")
        expect_zoom(page, level)
        expect_crumbs(page, "batch_normalization_3 (4, 5) channel 7")
    page.keyboard.press("Escape")
    expect(page.locator(".cv-invite")).to_be_visible()
    page.keyboard.press("Escape")
    expect_zoom(page, "network")


def test_a_second_click_on_a_map_goes_in_and_one_beside_it_out(live):
    page = live()
    click(page, *CELL)
    expect_zoom(page, "network")
    click(page, *CELL)
    expect_zoom(page, "layer")
    canvas = page.locator('[data-level="layer"] .cv-over').bounding_box()
    page.mouse.click(canvas["x"] + canvas["width"] - 2, canvas["y"] + canvas["height"] - 2)
    expect_zoom(page, "network")


def test_the_way_and_its_button_lead_back(live):
    page = live()
    zoomed(page, to="cell")
    page.locator(".cv-way button", has_text="batch_normalization_3").click()
    expect_zoom(page, "layer")
    page.locator("[data-out]").click()
    expect_zoom(page, "network")
    zoomed(page, to="cell")
    page.locator(".cv-way button", has_text="Network").click()
    expect_zoom(page, "network")
    expect(page.locator(".cv-way")).to_be_hidden()


def test_plus_goes_nearer_and_minus_steps_back(live):
    page = live()
    click(page, *CELL)
    for level in ("layer", "cell", "cell"):
        page.keyboard.press("+")
        expect_zoom(page, level)
    for level in ("layer", "network"):
        page.keyboard.press("-")
        expect_zoom(page, level)


def test_a_pinch_goes_to_what_is_under_it(live):
    page = live()
    x, y = place(page, *CELL)
    hover(page, *CELL)
    assert not any(page.evaluate(PINCH, [x, y, -5]))
    expect_zoom(page, "layer")
    expect(page.locator(".cv-way li")).to_have_text(["Network", "batch_normalization_3"])
    page.wait_for_timeout(420)
    hover(page, *CELL)
    page.evaluate(PINCH, [*place(page, *CELL), -5])
    expect_zoom(page, "cell")
    expect_crumbs(page, "batch_normalization_3 (4, 5) channel 7")
    page.wait_for_timeout(420)
    page.evaluate(PINCH, [x, y, 5])
    expect_zoom(page, "layer")


FINGERS = """([x, y, from, to]) => {
  const root = document.querySelector("[id^=cnnviz-]").shadowRoot;
  const at = root.elementFromPoint(x, y);
  const finger = (kind, id, dx) => at.dispatchEvent(new PointerEvent(kind, {
    pointerId: id, pointerType: "touch", clientX: x + dx, clientY: y, bubbles: true, composed: true }));
  finger("pointerdown", 1, -from);
  finger("pointerdown", 2, from);
  for (const share of [0.25, 0.5, 0.75, 1]) {
    finger("pointermove", 1, -from - share * (to - from));
    finger("pointermove", 2, from + share * (to - from));
  }
  finger("pointerup", 1, -to);
  finger("pointerup", 2, to);
}"""


def test_two_fingers_go_in_and_out(live):
    page = live(width=390, height=844, has_touch=True, is_mobile=True)
    page.touchscreen.tap(*place(page, 3, 12, 12, 2))
    box = page.locator(".cv-room").bounding_box()
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    page.evaluate(FINGERS, [*middle, 30, 80])
    expect_zoom(page, "layer")
    page.evaluate(FINGERS, [*middle, 80, 30])
    expect_zoom(page, "network")


def test_the_strip_keeps_the_whole_network_with_the_place_and_the_way(live):
    page = live()
    strip = page.locator(".cv-strip")
    expect(strip).to_be_hidden()
    columns = page.locator(".cv-col").count()
    page.locator(".cv-start").click()
    page.locator(".cv-row").first.click()
    for _ in range(4):
        page.locator("button.cv-row").first.click()
    trail = of_view(page, "({ trail, network }) => trail.map(({ stage }) => network.seenAs.get(stage))")
    assert len(set(trail)) >= 4
    page.keyboard.press("+")
    expect_zoom(page, "layer")
    expect(strip).to_be_visible()
    # The last column is the prediction, which the strip says in words.
    expect(page.locator("[data-place]")).to_have_count(columns - 1)
    expect(page.locator("[data-place][aria-current]")).to_have_attribute("data-place", str(trail[-1]))
    expect(page.locator(".cv-stripend")).to_have_text("7 > 99.99 %")
    drawn = of_view(page, "({ strip }) => strip.maps.rects.map(({ stage, channel }) => [stage, channel])")
    cells = of_view(
        page,
        "({ trail, network }) => trail.map(({ stage, channel }) => [network.seenAs.get(stage), channel])",
    )
    end = of_view(page, "({ scene }) => scene.output.index")
    assert all(cell in drawn for cell in cells if cell[0] != end), (
        "the maps on the way are those in the strip"
    )
    until_marked(page, ".cv-strip .cv-over", 50)
    page.keyboard.press("+")
    expect(strip).to_be_visible()
    page.locator("[data-place]").nth(2).click()
    expect_zoom(page, "layer")
    expect(page.locator("[data-place]").nth(2)).to_have_attribute("aria-current", "true")


def test_a_layer_shows_what_goes_in_its_kernels_and_what_comes_out(live):
    page = live()
    show(page, {"path": [["conv2d_3", 4, 5, 7]], "zoom": "layer"})
    expect(page.locator(".cv-maptitle")).to_have_text(
        ["in: max_pooling2d, 12×12×10", "out: conv2d_3, 10×10×16"]
    )
    expect(page.locator(".cv-kerneltitle")).to_have_text("channel 7: 10 kernels 3×3")
    maps = of_view(page, "({ level }) => level.maps.rects.map(({ stage }) => stage)")
    assert [maps.count(stage) for stage in (CONV - 1, CONV)] == [10, 16]
    smaller = of_view(
        page,
        "({ network, level }) => Math.min(...level.maps.rects.map(({ stage, width }) => "
        "width / (network.maps.byStage.get(network.seenAs.get(stage))?.[0].width ?? 1)))",
    )
    assert smaller > 1.5, "a layer from near is larger"
    hover(page, CONV, 2, 2, 3)
    expect(page.locator(".cv-kerneltitle")).to_have_text("channel 3: 10 kernels 3×3")
    read = next(mark for mark in marks(page) if mark["style"] == "read")
    assert (read["stage"], read["box"]) == (CONV - 1, {"top": 2, "left": 2, "bottom": 4, "right": 4})
    show(page, {"path": [["max_pooling2d", 4, 5, 7]], "zoom": "layer"})
    expect(page.locator(".cv-kernels")).to_be_hidden()


TIMES = """() => {
  window.times = [];
  const { animate } = Element.prototype;
  Element.prototype.animate = function (frames, options) {
    window.times.push(options.duration);
    return animate.call(this, frames, options);
  };
}"""


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_eye_is_led_for_under_300_ms_and_not_at_all_where_motion_is_unwanted(live, motion):
    page = live(reduced_motion=motion)
    click(page, *CELL)
    page.keyboard.press("+")
    expect_zoom(page, "layer")
    if motion == "reduce":
        assert of_view(page, "({ root }) => root.getAnimations({ subtree: true }).length") == 0
    page.evaluate(TIMES)
    page.keyboard.press("-")
    page.keyboard.press("+")
    times = page.evaluate("window.times")
    assert len(times) == (0 if motion == "reduce" else 2)
    assert max(times, default=0) < 300


def test_a_receipt_is_as_full_after_the_pad_as_before(live):
    page = live()
    show(page, {"path": [["conv2d_3", 4, 5, 7]]})
    rows = page.locator(".cv-ranked .cv-row")
    before = rows.count()
    assert before > 5
    page.locator(".cv-opendraw").click()
    expect(page.locator(".cv-pad")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".cv-receipt")).to_be_visible()
    assert rows.count() == before


@pytest.mark.parametrize("width", [390, 1280])
def test_the_focus_stays_on_a_column_whose_receipt_opens_and_that_is_zoomed_to(live, width):
    page = live(width=width, height=800)
    focused = "document.querySelector('[id^=cnnviz]').shadowRoot.activeElement?.dataset.stage"
    column = page.locator(".cv-col[data-stage]").nth(1)
    column.focus()
    page.keyboard.press("ArrowRight")
    stage = page.evaluate(focused)
    page.keyboard.press("Enter")
    expect(page.locator(".cv-rvalue")).to_be_visible()
    assert page.evaluate(focused) == stage
    page.keyboard.press("+")
    expect_zoom(page, "layer")
    assert page.evaluate(focused) is not None
