"""The live view in a file from disk, network off: pointing, walking down and back, keys, touch."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw

import cnnviz
from browser.stage_page import (
    click,
    expect_crumbs,
    expect_zoom,
    hover,
    link,
    marks,
    numbers_of,
    of_view,
    place,
    saved_files,
    show,
    until,
    until_marked,
    until_unmarked,
)
from browser.waiting import copied, expect
from harness.networks import conv, image, layer, merges, normal

INPUT, CONV, NORM, CONV_1, NORM_1, CONV_2, NORM_3 = 0, 1, 3, 4, 6, 7, 13
"""Stages; from afar a column shows the last that finishes its layer."""


@pytest.fixture(scope="module")
def run():
    return cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])


def test_it_says_what_it_shows(live, run):
    page = live()
    expect(page.locator(".cv-title")).to_have_text(re.compile("^test digit 0 predicted 7 with"))
    # A column for the image, for each layer with what finishes it, and for the prediction.
    names = ["input", "conv2d", "conv2d_1", "conv2d_2", "max_pooling2d"]
    names += [f"conv2d_{k}" for k in range(3, 8)]
    columns = page.locator(".cv-col")
    expect(columns.locator("b")).to_have_text(names)
    assert columns.nth(1).inner_text().split("\n") == ["conv2d", "conv, ReLU, norm", "26×26×16"]
    told = columns.nth(1).get_attribute("title")
    assert "one cell sees 3 pixels of the input along each side (its receptive field)" in told
    assert "160 parameters in conv2d, 64 parameters in batch_normalization" in told
    expect(columns.nth(1)).to_have_accessible_name(re.compile("26×26×16, receptive field 3$"))
    shares = page.locator(".cv-share").all_inner_texts()
    assert len(shares) == 10
    assert shares[7].endswith("%")
    assert page.locator(".cv-legend").inner_text()


@pytest.mark.parametrize("zoom", ["network", "layer"])
def test_hover_outlines_the_cone_and_what_is_fed(live, run, zoom):
    page = live()
    stage, layer, fed_by = (NORM_1, "batch_normalization_1", (CONV_2, 10))
    if zoom == "layer":
        stage, layer, fed_by = (CONV_1, "conv2d_1", (CONV_1 + 1, 1))
        show(page, {"layer": layer, "zoom": "layer"})
    hover(page, stage, 6, 9, 3)
    expect(page.locator(".cv-tip")).to_contain_text("row 6, column 9, channel 3")
    tip = page.locator(".cv-tip").inner_text()
    value = run.pre_activation(layer)[0, 6, 9, 3]
    assert f"{abs(value):.4g}"[:4] in tip.replace(",", "")
    found = marks(page)
    table = cnnviz.receptive_field(run.network)
    seen = {mark["layer"]: mark for mark in found if mark["style"] in ("seen", "read")}
    for name in ("input", "conv2d", "batch_normalization"):
        (top, bottom), (left, right) = table.between("conv2d_1", name).box(6, 9)
        assert seen[name]["box"] == {"top": top, "bottom": bottom, "left": left, "right": right}
    (fed,) = [mark for mark in found if mark["style"] == "fed"]
    assert (fed["stage"], fed["channels"]) == fed_by
    over = f'[data-level="{zoom}"] .cv-over'
    until_marked(page, over, 100)
    if zoom == "layer":
        until_marked(page, ".cv-strip .cv-over", 20)
    page.mouse.move(5, 5)
    until_unmarked(page, over)
    expect(page.locator(".cv-tip")).to_be_hidden()


def test_what_a_cell_feeds_is_the_projection(live, run):
    page = live()
    table = cnnviz.receptive_field(run.network)
    hover(page, INPUT, 0, 5, 0)
    expect(page.locator(".cv-tip")).to_contain_text("row 0, column 5")
    (fed,) = [mark for mark in marks(page) if mark["style"] == "fed"]
    (top, bottom), (left, right) = table["conv2d"].projective_box(0, 5)
    assert fed["box"] == {"top": top, "bottom": bottom, "left": left, "right": right}
    assert fed["channels"] == 16


def test_from_the_prediction_down_to_a_pixel_and_back_one_level_at_a_time(live):
    page = live()
    page.locator(".cv-start").click()
    expect_crumbs(page, "probability of 7")
    page.locator(".cv-row.cv-won").click()
    expect_crumbs(page, "probability of 7", "logit 7")
    crumbs = page.locator(".cv-crumbs [data-crumb]")
    names = crumbs.all_inner_texts()
    for depth in range(3, 40):
        page.locator(".cv-receipt button.cv-row").nth(1 if depth % 2 else 0).click()
        until(page, "({ trail }, depth) => trail.length === depth", depth)
        names.append(crumbs.last.inner_text())
        # Of a long way the ends, as far as they have room.
        shown = crumbs.all_inner_texts()
        assert 2 <= len(shown) <= 5
        assert shown == [names[0], *names[1 - len(shown) :]]
        assert page.locator(".cv-crumbs ol").evaluate("(list) => list.scrollHeight <= list.clientHeight + 1")
        if "pixel" in page.locator(".cv-steps").inner_text():
            break
    assert names[-1].startswith("input (")
    expect(page.locator(".cv-crumbs")).to_contain_text(f"… {len(names) - len(shown)}")
    expect(page.locator('.cv-receipt button[data-role="x"]')).to_have_count(0)
    while len(names) > 2:
        names.pop()
        page.keyboard.press("Escape")
        until(page, "({ trail }, depth) => trail.length === depth", len(names))
        expect(crumbs.last).to_have_text(names[-1])
    page.mouse.click(*_empty(page))
    expect_crumbs(page, "probability of 7")
    page.keyboard.press("Escape")
    expect(page.locator(".cv-invite")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".cv-invite")).to_be_visible()


def _empty(page) -> tuple[float, float]:
    """A place of the network with nothing on it."""
    box = page.locator(".cv-room").bounding_box()
    return box["x"] + 30, box["y"] + box["height"] - 8


def test_the_last_lines_are_true_as_they_are_written(live):
    page = live()
    page.locator(".cv-start").click()
    line = page.locator(".cv-receipt .cv-line")
    above, below, result = numbers_of(line.inner_text())
    assert above / below == pytest.approx(result, abs=0.5e-6)
    assert result == 0.999987
    page.locator(".cv-row.cv-won").click()
    *_, together, bias, result = numbers_of(line.inner_text())
    assert together + bias == pytest.approx(result, abs=0.5e-2)


CELLS = ["conv2d_2~11~12~4", "conv2d_3~4~5~7", "conv2d_6~1~1~3", "conv2d~6~13~8", "conv2d_7~0~0~7"]


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_listed_and_the_rest_and_the_bias_are_the_number_that_is_shown(live, cell):
    """As exactly as they are written: half of the last decimal of each."""
    page = live(f"#path={cell}")
    rows = page.locator(".cv-ranked .cv-row")
    listed = rows.locator(".cv-rowsum").all_inner_texts()
    products, sizes = [], []
    for text in listed:
        *factors, product = numbers_of(text)
        half = 0.5 * 10.0 ** -len(text.rpartition(".")[2])
        if factors:
            assert factors[0] * factors[1] == pytest.approx(product, abs=2 * half), text
            sizes.append(abs(product))
        products.append((product, half))
    assert sizes == sorted(sizes, reverse=True), "those that add most stand first"
    line = page.locator(".cv-receipt .cv-line").first.inner_text().partition("sum")[2]
    together, bias, result = numbers_of(line)
    assert sum(product for product, _ in products) == pytest.approx(
        together, abs=sum(half for _, half in products) + 0.5 * 10.0**-3 * max(1, abs(together))
    )
    assert together + bias == pytest.approx(result, rel=1e-3)
    groups = of_view(
        page, "({ receipt }) => receipt.steps[0].groups.map(({ terms }) => terms.map((t) => !!t.from))"
    )
    read = sum(map(sum, groups))
    last = rows.last
    if "other" in last.inner_text():
        assert int(numbers_of(last.inner_text())[0]) == read - (len(listed) - 1)
    else:
        assert len(listed) == read


def test_where_only_zeros_go_in_the_list_says_so(live):
    page = live("#path=conv2d~13~13~8")
    expect(page.locator(".cv-ranked")).to_have_text("nothing goes in but zeros")
    assert numbers_of(page.locator(".cv-receipt .cv-line").inner_text())[0] == 0


@pytest.mark.parametrize("cell", ["conv2d_3~4~5~7", "max_pooling2d~4~5~7", "softmax~0~0~7"])
def test_every_row_leads_to_its_cell(live, cell):
    page = live(f"#path={cell}")
    rows = page.locator(".cv-receipt button.cv-row")
    names = rows.evaluate_all("rows => rows.map((row) => row.getAttribute('aria-label'))")
    for n, name in enumerate(names):
        value = numbers_of(name.rpartition(": ")[2])[0]
        rows.nth(n).click()
        expect(page.locator(".cv-crumbs li")).to_have_count(2)
        place = re.search(r"\((\d+), ?(\d+)\)$|logit (\d)", name.rpartition(": ")[0])
        head = page.locator(".cv-receipt h2").inner_text()
        row, col, logit = place.groups()
        assert f"row {row}, column {col}" in head if logit is None else head == f"logit {logit}"
        shown = numbers_of(page.locator(".cv-rvalue").inner_text())[0]
        assert shown == pytest.approx(value, rel=6e-3, abs=0.006)
        page.keyboard.press("Escape")
        expect(page.locator(".cv-crumbs li")).to_have_count(1)
    if cell.startswith("conv"):
        expect(page.locator(".cv-ranked .cv-row").last).to_contain_text("others")


def test_the_next_receipt_begins_at_its_head_which_has_the_focus(live):
    page = live("#path=conv2d_6~1~1~3&zoom=cell", height=720)
    cards = page.locator(".cv-card")
    first, second = cards.first.bounding_box(), cards.nth(1).bounding_box()
    assert second["y"] == first["y"]
    assert second["x"] >= first["x"] + first["width"]
    page.locator('.cv-card [data-term="0.15.8"][data-role="x"]').click()
    expect_crumbs(page, re.compile("^conv2d_6"), re.compile("^batch_normalization_5"))
    expect_zoom(page, "cell")
    expect(page.locator("h2")).to_be_focused()
    expect(page.locator(".cv-rhead")).to_be_in_viewport(ratio=1)
    page.keyboard.press("ArrowDown")
    expect(page.locator(".cv-receipt button[data-term]").first).to_be_focused()


def test_a_crumb_goes_back_to_itself(live):
    page = live()
    page.locator(".cv-start").click()
    page.locator(".cv-row.cv-won").click()
    page.locator(".cv-receipt button.cv-row").first.click()
    page.locator("[data-crumb='0']").click()
    expect_crumbs(page, "probability of 7")


def test_a_factor_lights_up_its_partners_and_its_cell(live):
    page = live("#path=conv2d_3~4~5~7&zoom=cell")
    term = page.locator(".cv-receipt button.cv-row").first.get_attribute("data-term")
    page.locator(f'.cv-card [data-term="{term}"][data-role="w"]').hover()
    lit = page.locator(".cv-laid .cv-hot").evaluate_all("all => all.map(e => e.dataset.role ?? 'sum')")
    assert sorted(lit) == ["p", "sum", "w", "x"]
    expect(page.locator(f'.cv-row.cv-hot[data-term="{term}"]'), "in the list too").to_have_count(1)
    readout = re.compile(r"row \d, column \d, channel \d: .* × .* = ")
    expect(page.locator(".cv-readout")).to_have_text(readout)
    cells = [mark for mark in marks(page) if mark["style"] == "cell"]
    assert cells[0]["layer"] == "max_pooling2d"


def test_receipts_of_every_kind_read_right(live, run):
    page = live("#path=batch_normalization_3~4~5~7")
    for words in ("a patch of 3×3 in each of 10 channels", "bias", "ReLU", "scale", "shift"):
        expect(page.locator(".cv-steps")).to_contain_text(words)
    expect(page.locator(".cv-proof")).to_contain_text("rounding left over")
    page = live("#path=max_pooling2d~4~5~7")
    expect(page.locator(".cv-steps")).to_contain_text("the largest of 4 cells")
    won = page.locator(".cv-receipt .cv-row.cv-won")
    expect(won).to_have_count(1)
    expect(won, "the keyboard comes to the winner first").to_have_attribute("tabindex", "0")
    page = live("#path=softmax~0~0~7")
    first = page.locator('.cv-receipt button[data-term][tabindex="0"]')
    expect(first).to_have_accessible_name(re.compile("^logit 7: "))
    show(page, {"path": [["softmax", 0, 0, 7]], "zoom": "cell"})
    expect(page.locator(".cv-table tbody tr")).to_have_count(10)
    expect(page.locator(".cv-own")).to_contain_text("> 99.99 %")


def test_keys_alone(live, run):
    page = live()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.shadowRoot.activeElement?.dataset.stage") == str(NORM):
            break
    page.keyboard.press("Home")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "PageDown"):
        page.keyboard.press(key)
    expect(page.locator(".cv-tip")).to_contain_text("row 1, column 2, channel 1")
    said = page.locator(".cv-live", has_text="batch_normalization, row 1, column 2, channel 1: ")
    said.wait_for(state="attached")
    assert "sees 3×3 pixels, rows 1–3, columns 2–4" in said.text_content()
    page.keyboard.press("Enter")
    expect_crumbs(page, "batch_normalization (1, 2) channel 1")
    page.keyboard.press("+")
    page.keyboard.press("+")
    expect_zoom(page, "cell")
    page.locator(".cv-card button[data-term]").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect_crumbs(page, re.compile(r"^batch_normalization \(1, 2\) channel 1$"), "input (2, 3)")
    page.wait_for_function(
        "getComputedStyle(document.activeElement.shadowRoot.activeElement).outlineStyle === 'solid'"
    )
    for _ in range(4):
        page.keyboard.press("Escape")
    expect_zoom(page, "network")
    expect(page.locator(".cv-invite")).to_be_visible()


LAYERS = """({ scene }) => {
  const shown = scene.stages.filter((stage) => scene.shows(stage));
  return [...new Map(shown.map(({ layer, shape }) => [layer, shape[2]]))];
}"""
HOVERED = "({ hover }) => hover && [hover.row, hover.col, hover.channel]"


def test_the_largest_cell_of_any_map_is_ten_keys_away_and_every_map_is_announced(live, run):
    """From nowhere, in every layer; those that end in another's column are shown large."""
    page = live()
    for number, (name, channels) in enumerate(of_view(page, LAYERS)):
        numbers = np.abs(run[name][0])
        vector = numbers.size == channels
        chosen = int(numbers.argmax()) if vector else channels - 1
        row, col = (0, 0)
        if not vector:
            row, col = map(int, np.unravel_index(numbers[..., chosen].argmax(), numbers.shape[:2]))
        keys = ["g", *str(number), "Enter", *str(chosen), "l"]
        assert len(keys) <= 10
        for key in keys:
            page.keyboard.press(key)
        assert of_view(page, HOVERED) == [row, col, chosen], name
        where = ": " if vector else f", row {row}, column {col}{f', channel {chosen}' * (channels > 1)}: "
        page.locator(".cv-live", has_text=where).wait_for(state="attached")
    for _ in range(3):
        page.keyboard.press("Escape")
    expect_zoom(page, "network")


def test_a_layer_is_found_by_its_name_too_and_what_is_none_is_said(live):
    page = live()
    page.keyboard.press("g")
    field = page.get_by_label("Go to layer")
    field.fill("99")
    page.keyboard.press("Enter")
    expect(page.locator(".cv-goto [role=status]")).to_have_text(re.compile(r"^There are layers 0 to \d+$"))
    field.fill("POOL")
    page.keyboard.press("Enter")
    expect(field).to_be_hidden()
    page.locator(".cv-live", has_text=re.compile("^max_pooling2d")).wait_for(state="attached")
    page.keyboard.press("g")
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()


def test_touch(live):
    page = live(width=390, height=844, has_touch=True, is_mobile=True)
    page.touchscreen.tap(*place(page, NORM, 5, 6, 2))
    first = re.compile(r"^batch_normalization \(")
    expect_crumbs(page, first)
    until_marked(page, ".cv-network .cv-over", 20)
    page.locator(".cv-receipt button.cv-row").first.tap()
    expect_crumbs(page, first, re.compile(r"^input \("))
    page.locator("[data-back]").tap()
    expect_crumbs(page, first)
    page.locator("[data-back]").tap()
    expect_crumbs(page)
    expect_zoom(page, "network")


STROKE = """(steps) => {
  const { root } = document.querySelector("main > div").view;
  const [first] = steps;
  const target = root.getRootNode().elementFromPoint(...first);
  const touch = (kind, [clientX, clientY], to = window) => to.dispatchEvent(new PointerEvent(kind, {
    clientX, clientY, pointerId: 7, pointerType: "touch", isPrimary: true, bubbles: true, composed: true,
    button: kind === "pointermove" ? -1 : 0, buttons: kind === "pointerup" ? 0 : 1, cancelable: true,
  }));
  touch("pointerdown", first, target);
  for (const step of steps) touch("pointermove", step);
  touch("pointerup", steps.at(-1));
}"""
"""What a finger's stroke tells a page."""


def test_after_a_finger_s_stroke_the_next_tap_counts(live):
    """A stroke of a finger ends without a click, unlike a mouse's."""
    page = live(width=390, height=844, has_touch=True, is_mobile=True)
    page.locator("[data-tool=paint]").tap()
    (x1, y1), (x2, y2) = place(page, 0, 4, 4, 0), place(page, 0, 22, 20, 0)
    # Its events one by one: a browser makes a tap right behind a real stroke a part of it at times.
    steps = [[x1 + (x2 - x1) * n / 8, y1 + (y2 - y1) * n / 8] for n in range(9)]
    page.evaluate(STROKE, steps)
    until(page, "({ changes }) => changes.length === 1")
    # What was changed is listed then, which moves the tools.
    expect(page.locator(".cv-edits [data-reset]")).to_be_visible()
    page.locator("[data-tool=erase]").tap()
    expect(page.locator("button[data-tool=erase]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".cv-edits [data-reset]")).to_be_in_viewport(ratio=1)
    page.locator(".cv-edits [data-undo]").tap()
    until(page, "({ changes }) => changes.length === 0")


@pytest.mark.parametrize("width", [360, 1280, 2560])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_page(live, width, dark):
    page = live("#trail=softmax~0~0~7!conv2d_7~0~0~7", width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    root = page.locator(".cv")
    expect(root).to_have_attribute("data-theme", "dark" if dark else "light")
    ink = root.evaluate("e => getComputedStyle(e).color").replace(" ", "")
    assert (int(ink[4:].split(",")[0]) > 128) == dark


def test_the_theme_follows_the_host(live):
    page = live()
    page.emulate_media(color_scheme="dark")
    until(page, "({ root }) => root.dataset.theme === 'dark'")
    page.emulate_media(color_scheme="light")
    until(page, "({ root }) => root.dataset.theme === 'light'")


def test_scales_and_their_legend(live):
    page = live()
    legend = page.locator(".cv-legend")
    hover(page, NORM, 3, 3, 0)
    expect(legend).to_contain_text("batch_normalization, one scale for this layer")
    layer = legend.locator("span").first.inner_text()
    page.locator(".cv-range").select_option("network")
    hover(page, NORM, 3, 3, 0)
    expect(legend).to_contain_text("batch_normalization, one scale for the whole network")
    assert legend.locator("span").first.inner_text() != layer
    page.locator(".cv-range").select_option("map")
    hover(page, NORM, 3, 3, 1)
    expect(legend).to_contain_text("one scale for this map")


def test_another_digit_is_another_prediction(live):
    page = live()
    page.locator(".cv-items select").select_option(label="test digit 42")
    expect(page.locator(".cv-title")).to_have_text(re.compile("^test digit 42 predicted 4"))
    page.wait_for_function("performance.getEntriesByName('cnnviz:pick-digit').length === 1")


def test_a_link_reopens_what_its_sender_saw(live):
    address = "#item=7&range=network&trail=softmax~0~0~9!conv2d_7~0~0~9"
    page = live(address)
    expect(page.locator(".cv-what")).to_have_text("test digit 7")
    expect_crumbs(page, "probability of 9", "logit 9")
    address = link(page)
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator(".cv-what")).to_have_text("test digit 7")
    expect_crumbs(page, "probability of 9", "logit 9")
    expect(page.locator(".cv-range")).to_have_value("network")


@pytest.mark.parametrize(
    ("address", "level", "crumbs"),
    [
        ("#path=conv2d_3~4~5~7&zoom=cell", "cell", ["conv2d_3 (4, 5) channel 7"]),
        ("#path=conv2d_3~4~5~7&zoom=layer", "layer", ["conv2d_3 (4, 5) channel 7"]),
        ("#layer=conv2d_3&zoom=layer", "layer", []),
        (
            "#trail=conv2d_3~4~5~7!max_pooling2d~4~5~2",
            "network",
            ["conv2d_3 (4", "max_pooling2d (4, 5) channel 2"],
        ),
    ],
)
def test_a_link_of_any_time_says_how_near_and_where_and_the_receipt_is_in_sight(live, address, level, crumbs):
    page = live(address, height=720)
    for _ in range(2):
        expect_zoom(page, level)
        expect(page.locator(".cv-crumbs li")).to_contain_text(crumbs)
        if crumbs:
            expect(page.locator(".cv-rvalue")).to_be_in_viewport(ratio=1)
        address = link(page)
        page.goto("about:blank")
        page.goto(address)
        page.wait_for_selector(".cv-receipt")


def test_a_link_from_another_network_or_a_newer_cnnviz_says_so(live):
    page = live("#version=99&model=elsewhere&path=nothing~0~0~0&item=none")
    said = page.locator(".cv-said")
    for words in (
        "newer cnnviz",
        "the network elsewhere; here is mnist_14k",
        "is not in this network",
        "image none",
    ):
        expect(said).to_contain_text(words)
    said.get_by_role("button", name="Close").click()
    expect(said).to_be_hidden()
    expect(page.locator(".cv-invite")).to_be_visible()


@pytest.mark.parametrize(
    "address", ["#trail=nothing~1~2~3", "#trail=conv2d~99~0~0", "#item=x&trail=!!&range=?"]
)
def test_a_damaged_link_shows_what_it_can(live, address):
    expect(live(address).locator(".cv-invite")).to_be_visible()


def test_copies_are_text_latex_and_code_that_runs(live, run, capsys):
    page = live("#trail=conv2d_3~4~5~7")
    text, latex, numpy, keras = (
        copied(page, page.locator(f"[data-copy={kind}]")) for kind in ("text", "latex", "numpy", "keras")
    )
    assert text.count("channel") >= 10
    assert latex.startswith("\\begin{align*}")
    assert latex.count("\\begin{bmatrix}") == 20
    exec(numpy, {})
    printed = capsys.readouterr().out
    value = float(run.pre_activation("conv2d_3")[0, 4, 5, 7])
    assert printed.startswith(str(np.float32(value))[:7])
    assert "print((patch * kernel).sum() + bias)" in numpy
    # The sum itself, of 90 products and a bias in float32, added in another order.
    assert float(printed.splitlines()[-1]) == pytest.approx(value, abs=91 * 2.0**-24 * 50)
    compile(keras, "keras", "exec")


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("softmax", (7,)),
        ("conv2d_7", (0, 0, 7)),
        ("max_pooling2d", (4, 5, 7)),
        ("batch_normalization", (4, 5, 7)),
    ],
)
def test_the_arithmetic_of_a_copy_gives_the_number(live, run, capsys, name, at):
    cell = "~".join(map(str, at if len(at) > 1 else (0, 0, *at)))
    numpy = copied(live(f"#trail={name}~{cell}"), live(f"#trail={name}~{cell}").locator("[data-copy=numpy]"))
    exec(numpy, {})
    printed = capsys.readouterr().out.split()
    assert float(printed[-1]) == pytest.approx(float(run[name][0][at]), abs=1e-4)


def test_a_file_computes_what_is_painted_and_its_link_carries_it(live):
    page = live()
    page.get_by_role("button", name="Erase").click()
    x, y = place(page, INPUT, 4, 4, 0)
    page.mouse.move(x, y)
    page.mouse.down()
    for row in range(4, 13, 2):
        for col in (4, 24):
            page.mouse.move(*place(page, INPUT, row, col, 0))
    page.mouse.up()
    verdict = page.locator(".cv-verdict")
    expect(verdict).to_have_text(re.compile("before"))
    expect(page.locator(".cv-edits")).to_contain_text("1 change")
    assert of_view(page, "({ changes }) => changes.length") == 1, "a stroke is one change"
    said = verdict.inner_text()
    values = "({ values, scene }) => [...values[scene.output.index]]"
    shown = of_view(page, values)
    pixels = np.array(of_view(page, "({ values }) => [...values[0]]"), np.float32).reshape(28, 28)
    expected = cnnviz.load_model("mnist_14k").predict(pixels)[0]
    np.testing.assert_allclose(shown, expected, atol=1e-6)
    address = link(page)
    page.keyboard.press("Control+z")
    expect(verdict).to_have_text(re.compile("^predicted 7"))
    page.goto("about:blank")
    page.goto(address)
    expect(verdict).to_have_text(said)
    assert of_view(page, values) == shown


def drawn(*points: tuple[int, int]) -> bytes:
    """Ink on light paper along some points, as PNG."""
    paper, file = Image.new("L", (120, 120), 255), io.BytesIO()
    ImageDraw.Draw(paper).line(points, fill=0, width=10)
    paper.save(file, "PNG")
    return file.getvalue()


BROUGHT = """(view, [how, text]) => {
  const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], `${how}.png`, { type: "image/png" }));
  const said = { bubbles: true, composed: true, cancelable: true };
  view.use();
  if (how === "paste") document.dispatchEvent(new ClipboardEvent(how, { ...said, clipboardData: data }));
  else view.network.maps.over.dispatchEvent(new DragEvent(how, { ...said, dataTransfer: data }));
}"""


def test_a_picture_is_pasted_and_dropped_a_kernel_swapped_and_all_is_saved_and_reopens(live, tmp_path):
    page = live()
    title, verdict = page.locator(".cv-what"), page.locator(".cv-verdict")
    pictures = {"paste": [(60, 20), (60, 100)], "drop": [(30, 30), (90, 30), (50, 100)]}
    for (how, points), digit in zip(pictures.items(), (1, 7), strict=True):
        of_view(page, BROUGHT, [how, base64.b64encode(drawn(*points)).decode()])
        expect(title).to_have_text(f"{how}.png")
        expect(verdict).to_have_text(re.compile(f"^predicted {digit} with"))
    show(page, {**of_view(page, "(view) => view.state()"), "layer": "conv2d_1", "zoom": "layer"})
    page.get_by_label("Kernels of channel 0").select_option("sobel x")
    expect(verdict).to_contain_text("before")
    page.locator("[data-list]").click()
    expect(page.locator(".cv-changes li")).to_contain_text(["conv2d_1/kernel: channel 0 is sobel x"])
    made = verdict.inner_text(), of_view(page, "({ values }) => [...values[0]]")
    names = saved_files(page, tmp_path)
    assert names == {"cnnviz-mnist_14k.png", "cnnviz-mnist_14k.json"}
    with Image.open(tmp_path / "cnnviz-mnist_14k.png") as saved:
        assert saved.size == (28, 28)
    page = live()
    page.locator("input[type=file]").set_input_files(tmp_path / "cnnviz-mnist_14k.json")
    expect(title).to_have_text("drop.png")
    expect(verdict).to_have_text(made[0])
    assert of_view(page, "({ values }) => [...values[0]]") == made[1]
    expect_zoom(page, "layer")


MAP = """({ level }, channel) => {
  const drawn = level.maps.rects.filter(({ stage }) => stage === 0);
  const { x, y, width, height } = drawn.find((rect) => rect.channel === channel);
  const { left, top } = level.maps.base.getBoundingClientRect();
  return [left + x, top + y, width, height];
}"""


def test_one_stroke_changes_the_mind_of_a_network_that_sees_colours(open_page, tmp_path):
    hue = {"kernel": np.array([[1, -1], [0, 0], [-1, 1]], np.float32).reshape(1, 1, 3, 2)}
    score = {"kernel": 20 * np.eye(2)}
    net = cnnviz.Network(
        [
            image(20, 20, 3),
            layer("hue", "Conv2D", "image", weights=hue, filters=2, kernel_size=1, use_bias=False),
            layer("most", "GlobalMaxPooling2D", "hue"),
            layer("score", "Dense", "most", weights=score, units=2, use_bias=False),
            layer("class", "Softmax", "score"),
        ]
    )
    given = np.full((20, 20, 3), 0.9, np.float32)
    given[5:15, 6:14] = 0.9, 0.1, 0.1
    page = open_page(cnnviz.view(net, given, classes=["red", "blue"]).save(tmp_path / "x.html").as_uri())
    page.get_by_role("button", name="Paint").click()
    ink = page.get_by_label("The colour to paint in")
    verdict = page.locator(".cv-verdict")
    # On the picture, and on one of its planes; a colour that it does not have is suggested.
    for channel in (3, 1):
        x, y, width, height = of_view(page, MAP, channel)
        expect(ink).to_have_value("#0000ff")
        page.mouse.move(x + 0.2 * width, y + height / 2)
        page.mouse.down()
        page.mouse.move(x + 0.8 * width, y + height / 2, steps=8)
        page.mouse.up()
        expect(verdict).to_have_text(re.compile("^now blue with .*; before red with"))
        page.keyboard.press("Control+z")
        expect(verdict).to_have_text(re.compile("^predicted red"))
    ink.fill("#00ff00")
    x, y, width, height = of_view(page, MAP, 3)
    page.mouse.click(x + 0.5 * width, y + 0.5 * height)
    expect(verdict).to_have_text(re.compile("^still red"))
    page.get_by_role("button", name="Look").click()
    page.mouse.move(x + 0.51 * width, y + 0.51 * height)
    # All that the pixel is, and was.
    tip = page.locator(".cv-tip")
    expect(tip).to_contain_text("row 10, column 10")
    expect(tip.locator(".cv-value")).to_have_text("red 0.900 0.000green 0.100 1.000blue 0.100 0.000")


def test_one_history_holds_what_is_picked_painted_drawn_and_opened(live, tmp_path):
    page = live()
    title = page.locator(".cv-what")
    page.locator(".cv-items select").select_option(index=1)
    expect(title).to_have_text("test digit 7")
    page.get_by_role("button", name="Erase").click()
    click(page, INPUT, 10, 14, 0)
    page.get_by_role("button", name="Look").click()
    off = {"kind": "channel", "stage": "conv2d relu", "channel": 3}
    of_view(page, "(view, off) => view.history.commit([...view.changes, off], '')", off)
    kinds = "({ changes }) => changes.map(({ kind }) => kind)"
    assert of_view(page, kinds) == ["values", "channel"]
    page.locator(".cv-opendraw").click()
    page.locator(".cv-pad").focus()
    keys = ["Space", *["Shift+ArrowDown"] * 5, "Space"]
    for key in keys:
        page.keyboard.press(key)
    expect(title).to_have_text("your drawing")
    assert of_view(page, kinds) == ["channel"], "what was painted goes with its image"
    # While it is drawn, a step is a stroke; once it is done, the drawing is one.
    page.locator(".cv-edits [data-undo]").click()
    expect(title).to_have_text("test digit 7")
    assert of_view(page, kinds) == ["values", "channel"]
    page.locator(".cv-edits [data-redo]").click()
    expect(title).to_have_text("your drawing")
    page.locator(".cv-panel [data-do=keep]").click()
    picture = tmp_path / "seven.png"
    picture.write_bytes(drawn((30, 30), (90, 30), (50, 100)))
    page.locator("input[type=file]").set_input_files(picture)
    expect(title).to_have_text("seven.png")
    steps = [("test digit 0", []), ("test digit 7", []), ("test digit 7", ["values"])]
    steps += [
        ("test digit 7", ["values", "channel"]),
        ("your drawing", ["channel"]),
        ("seven.png", ["channel"]),
    ]
    for name, made in steps[-2::-1]:
        page.keyboard.press("Control+z")
        expect(title).to_have_text(name)
        assert of_view(page, kinds) == made
    assert not of_view(page, "({ history }) => history.undoable")
    for name, made in steps[1:]:
        page.keyboard.press("Control+Shift+z")
        expect(title).to_have_text(name)
        assert of_view(page, kinds) == made
    assert not of_view(page, "({ history }) => history.redoable")
    page.get_by_role("button", name="Erase").click()
    click(page, INPUT, 10, 14, 0)
    assert of_view(page, kinds) == ["channel", "values"]
    page.locator(".cv-items select").select_option(index=2)
    assert of_view(page, kinds) == ["channel"]


def test_hovering_redraws_no_map(live):
    page = live()
    page.evaluate("""() => {
      const { view } = document.querySelector("[id^=cnnviz-]");
      window.drawn = 0;
      const { drawImage } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.drawImage = function (...given) {
        if (this.canvas.className === "cv-base") window.drawn += 1;
        return drawImage.apply(this, given);
      };
    }""")
    for col in range(3, 20):
        hover(page, NORM, 8, col, 2)
    expect(page.locator(".cv-tip")).to_contain_text("row 8, column 19, channel 2")
    assert page.evaluate("window.drawn") == 0


def test_a_graph_of_every_merge_is_shown(open_page, tmp_path):
    net = merges()
    view = cnnviz.view(net, normal(*net.input_shape).astype(np.float32))
    page = open_page(view.save(tmp_path / "merges.html").as_uri(), offline=True)
    page.wait_for_selector(".cv-col")
    stages = view.scene.plan.part.header["stages"]
    columns = of_view(page, "({ network }) => network.columns.flatMap(({ stages }) => stages)")
    assert sorted(columns) == list(range(len(stages))), "each has its column, alone or folded into one"
    # Two arms that go over other columns are lines above them.
    expect(page.locator(".cv-skip").first).to_be_attached()
    for number, stage in enumerate(stages):
        height, width, channels = stage["shape"]
        cell = {"stage": number, "row": height - 1, "col": width - 1, "channel": channels - 1}
        of_view(page, "(view, cell) => view.pin(cell)", cell)
        expect(page.locator(".cv-rvalue")).to_have_text(re.compile(r"\d"))


def test_a_part_of_a_network_opens_at_a_cell_and_plays(open_page, run, tmp_path):
    options = {"last": "conv2d_1", "pinned": ("conv2d_1", 6, 9, 3), "play": True}
    view = cnnviz.view(run.network, cnnviz.load_mnist()[1][0][0], **options)
    page = open_page(view.save(tmp_path / "part.html").as_uri(), offline=True)
    expect_crumbs(page, "conv2d_1 ReLU (6, 9) channel 3")
    expect(page.locator(".cv-col b")).to_have_text(["input", "conv2d", "conv2d_1"])
    expect(page.locator(".cv-outs")).to_be_hidden()
    expect(page.locator(".cv-play .count")).to_have_text(re.compile("of 576$"))
    expect(page.locator("[data-pick=channel]")).to_have_value("3")
    page.locator("[data-do=close]").click()
    shown = float(page.locator(".cv-rvalue").inner_text().replace("−", "-"))
    assert shown == pytest.approx(float(run["conv2d_1"][0, 6, 9, 3]), rel=1e-3)
    page.locator(".cv-receipt button.cv-row").first.click()
    expect(page.locator(".cv-crumbs li").last).to_have_text(re.compile(r"^batch_normalization \("))


def test_two_views_live_beside_each_other_in_a_notebook(open_page, tmp_path):
    net = cnnviz.load_model("mnist_14k")
    digits = cnnviz.load_mnist()[1][0]
    cells = "".join(cnnviz.view(net, digits[i])._repr_html_() for i in (0, 1))
    path = tmp_path / "notebook.html"
    path.write_text(
        f"<!doctype html><title>notebook</title><link rel=icon href='data:,'>{cells}", encoding="utf-8"
    )
    page = open_page(path.as_uri(), offline=True, width=900)
    expect(page.locator(".cv-title")).to_contain_text(["predicted 7", "predicted 2"])
    # As high as its width asks for, and higher while a receipt stands below the network.
    views = page.locator(".cv")
    heights = "(views) => views.map(({ clientHeight }) => clientHeight)"
    first, second = views.evaluate_all(heights)
    assert first == second == round(0.56 * views.first.evaluate("({ clientWidth }) => clientWidth"))
    page.locator(".cv-start").first.click()
    page.locator(".cv-rvalue").first.wait_for()
    assert views.evaluate_all(heights) == [first + 190, second]
    assert (
        page.locator(".cv").first.evaluate("({ scrollHeight, clientHeight }) => scrollHeight - clientHeight")
        <= 0
    )


def test_of_many_classes_the_likeliest_have_bars(open_page, tmp_path):
    weights = {"kernel": normal(2, 40), "bias": normal(40)}
    net = cnnviz.Network(
        [
            image(6, 6, 1),
            conv("conv", "image", 1, 2),
            layer("means", "GlobalAveragePooling2D", "conv"),
            layer("scores", "Dense", "means", weights=weights, units=40, activation="softmax"),
        ]
    )
    x = normal(6, 6)
    names = [f"class <{k}>" for k in range(40)]
    probabilities = net.predict(x)[0]
    order = np.argsort(-probabilities, kind="stable")[:10]
    rest = 100 * np.delete(probabilities, order).astype(np.float64).sum()
    file = cnnviz.view(net, x, classes=names).save(tmp_path / "many.html")
    page = open_page(file.as_uri(), offline=True)
    rows = page.locator(".cv-barrow")
    expect(rows.locator(".cv-class")).to_have_text([names[k] for k in order])
    expect(page.locator(".cv-few")).to_have_text(f"30 others: {rest:.2f} % together")
    rows.nth(3).click()
    expect(page.locator(".cv-crumbs li").first).to_have_text(f"probability of {names[order[3]]}")
    expect(rows.nth(3)).to_have_attribute("data-mark", "cell")


LAYOUT = "({ network: { layout } }) => [layout.columns, layout.rects, layout.width, layout.height]"
OFF = """async (view, hide) => {
  const { root } = view;
  const [around, next] = [root.parentNode, root.nextSibling];
  const frame = () => new Promise(requestAnimationFrame);
  if (hide) root.style.display = "none";
  else root.remove();
  await frame();
  await frame();
  view.restore({ path: [["conv2d_3", 4, 5, 7]] });
  view.show();
  const laidOut = JSON.stringify(view.network.layout, (_, value) => (Number.isNaN(value) ? "NaN" : value));
  root.style.display = "";
  if (!hide) around.insertBefore(root, next);
  await frame();
  await frame();
  return laidOut;
}"""


def test_off_the_page_or_hidden_it_takes_what_comes_and_is_laid_out_when_it_is_seen(live):
    page = live(width=360, height=640)
    before = of_view(page, LAYOUT)
    for hide in (False, True):
        assert "NaN" not in of_view(page, OFF, hide)
        expect(page.locator(".cv-receipt h2")).to_contain_text("conv2d_3")
        assert of_view(page, LAYOUT) == before
        show(page, {})
