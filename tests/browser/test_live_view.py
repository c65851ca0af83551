"""The live view in a file from disk, network off: pointing, walking down and back, keys, touch."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnviz
from browser.waiting import copied, expect
from harness.networks import conv, image, layer, merges, normal

CELL_AT = """([stage, row, col, channel]) => {
  const view = document.querySelector("[id^=cnnviz-]").view;
  const box = view.overview.placeOf({ stage, row, col, channel });
  return [box.x + box.width / 2, box.y + box.height / 2];
}"""
MARKS = """() => {
  const view = document.querySelector("[id^=cnnviz-]").view;
  return view.marksOf(view.active).map(({ stage, channels, box, style }) => ({
    layer: view.scene.stages[stage].layer, stage, style, box,
    channels: channels ? [...channels].reduce((a, b) => a + b, 0) : null }));
}"""
INKED = """(selector) => {
  const root = document.querySelector("[id^=cnnviz-]").shadowRoot;
  const canvas = root.querySelector(selector);
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let inked = 0;
  for (let n = 3; n < pixels.length; n += 4) inked += pixels[n] > 0;
  return inked;
}"""
LINK = """() => {
  const { view } = document.querySelector("[id^=cnnviz-]");
  return view.host.link(view.state());
}"""
STAGE = {"input": 0, "conv2d": 1, "conv2d_1": 4, "conv2d_1 ReLU": 5, "max_pooling2d": 10, "conv2d_3": 11}


@pytest.fixture(scope="module")
def run():
    return cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])


def hover(page, *cell) -> None:
    page.mouse.move(*page.evaluate(CELL_AT, list(cell)))


def expect_crumbs(page, *names: str | re.Pattern) -> None:
    expect(page.locator(".cv-crumbs li")).to_have_text(list(names))


def until_marked(page, selector: str, more_than: int) -> None:
    """So many dots of a canvas are inked, and more."""
    page.wait_for_function(f"([selector, count]) => ({INKED})(selector) > count", arg=[selector, more_than])


def test_it_says_what_it_shows(live, run):
    page = live()
    expect(page.locator(".cv-title")).to_have_text(re.compile("^test digit 0 predicted 7 with"))
    expect(page.locator(".cv-head")).to_have_count(9)
    expect(page.locator(".cv-col")).to_have_count(25)
    heads = page.locator(".cv-head").first.inner_text().split("\n")
    assert heads[:3] == ["conv2d", "26×26×16 · RF 3", "160 + 64 params"]
    shares = page.locator(".cv-share").all_inner_texts()
    assert len(shares) == 10
    assert shares[7].endswith("%")
    assert page.locator(".cv-legend").inner_text()


def test_hover_outlines_the_cone_and_what_is_fed(live, run):
    page = live()
    hover(page, STAGE["conv2d_1"], 6, 9, 3)
    expect(page.locator(".cv-tip")).to_contain_text("row 6, column 9, channel 3")
    tip = page.locator(".cv-tip").inner_text()
    value = run.pre_activation("conv2d_1")[0, 6, 9, 3]
    assert f"{abs(value):.4g}"[:4] in tip.replace(",", "")
    marks = page.evaluate(MARKS)
    table = cnnviz.receptive_field(run.network)
    seen = {mark["layer"]: mark for mark in marks if mark["style"] in ("seen", "read")}
    for name in ("input", "conv2d", "batch_normalization"):
        (top, bottom), (left, right) = table.between("conv2d_1", name).box(6, 9)
        assert seen[name]["box"] == {"top": top, "bottom": bottom, "left": left, "right": right}
    (fed,) = [mark for mark in marks if mark["style"] == "fed"]
    assert (fed["stage"], fed["channels"]) == (STAGE["conv2d_1 ReLU"], 1)
    until_marked(page, ".cv-in .cv-over", 20)
    until_marked(page, ".cv-strip .cv-over", 200)
    page.mouse.move(5, 5)
    page.wait_for_function(f"({INKED})('.cv-strip .cv-over') === 0")
    expect(page.locator(".cv-tip")).to_be_hidden()


def test_what_a_cell_feeds_is_the_projection(live, run):
    page = live()
    table = cnnviz.receptive_field(run.network)
    hover(page, STAGE["input"], 0, 5, 0)
    expect(page.locator(".cv-tip")).to_contain_text("row 0, column 5")
    (fed,) = [mark for mark in page.evaluate(MARKS) if mark["style"] == "fed"]
    (top, bottom), (left, right) = table["conv2d"].projective_box(0, 5)
    assert fed["box"] == {"top": top, "bottom": bottom, "left": left, "right": right}
    assert fed["channels"] == 16


def test_from_the_prediction_down_to_a_pixel_and_back_one_level_at_a_time(live):
    page = live()
    page.locator(".cv-start").click()
    expect_crumbs(page, "probability of 7")
    page.locator(".cv-own button").click()
    expect_crumbs(page, "probability of 7", "logit 7")
    crumbs = page.locator(".cv-crumbs li")
    for depth in range(3, 40):
        page.locator('button[data-role="x"]').nth(4 if depth % 2 else 0).click()
        expect(crumbs).to_have_count(depth)
        if "pixel" in page.locator(".cv-steps").inner_text():
            break
    trail = crumbs.all_inner_texts()
    assert trail[-1].startswith("input (")
    expect(page.locator('button[data-role="x"]')).to_have_count(0)
    while len(trail) > 2:
        trail.pop()
        page.keyboard.press("Escape")
        expect_crumbs(page, *trail)
    page.mouse.click(*_empty(page))
    expect_crumbs(page, "probability of 7")
    page.keyboard.press("Escape")
    expect(page.locator(".cv-invite")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".cv-invite")).to_be_visible()


def _empty(page) -> tuple[float, float]:
    box = page.locator(".cv-rhead").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_last_lines_are_true_as_they_are_written(live):
    page = live()
    page.locator(".cv-start").click()
    line = page.locator(".cv-line")
    above, below, result = numbers_of(line.inner_text())
    assert above / below == pytest.approx(result, abs=0.5e-6)
    assert result == 0.999987
    page.locator(".cv-own button").click()
    *_, together, bias, result = numbers_of(line.inner_text())
    assert together + bias == pytest.approx(result, abs=0.5e-2)
    page = live("#trail=conv2d_2~11~12~4")
    for card in page.locator(".cv-card").all_inner_texts():
        _, factor, weight, product = numbers_of(card)
        decimals = len(f"{product:.9g}".partition(".")[2])
        assert factor * weight == pytest.approx(product, abs=10.0**-decimals)


def numbers_of(text: str) -> list[float]:
    plain = text.replace("\N{MINUS SIGN}", "-").replace(",", "")
    return [float(word) for word in re.findall(r"[-+]?\d+(?:\.\d+)?(?:e-?\d+)?", plain)]


def test_the_next_receipt_begins_at_its_head_which_has_the_focus(live):
    page = live("#trail=conv2d_6~1~1~3", height=600)
    cards = page.locator(".cv-card")
    first, second = cards.first.bounding_box(), cards.nth(1).bounding_box()
    assert second["y"] == first["y"]
    assert second["x"] > first["x"] + first["width"]
    page.locator('button[data-term="0.15.8"]').click()
    expect_crumbs(page, re.compile("^conv2d_6"), re.compile("^batch_normalization_5"))
    expect(page.locator("h2")).to_be_focused()
    page.wait_for_function("""() => {
      const head = document.querySelector("[id^=cnnviz-]").shadowRoot.querySelector(".cv-rhead");
      const box = head.getBoundingClientRect();
      return box.top >= 0 && box.bottom <= innerHeight;
    }""")
    page.keyboard.press("ArrowDown")
    expect(page.locator("button[data-term]").first).to_be_focused()


def test_a_button_says_how_many_layers_are_to_the_right_until_the_end(live):
    page = live(reduced_motion="reduce")
    more = page.locator(".cv-more")
    expect(more).to_have_text(re.compile(r"^\d more layers? →$"))
    counts = []
    while more.is_visible():
        counts.append(int(more.inner_text().split()[0]))
        more.focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(50)
    assert counts == sorted(counts, reverse=True)
    assert 2 <= len(counts) <= 5
    expect(page.locator(".cv-col").nth(-2)).to_be_focused()
    expect(page.locator(".cv-head abbr").first).to_have_attribute("title", re.compile("^Receptive field 3:"))


def test_a_crumb_goes_back_to_itself(live):
    page = live()
    page.locator(".cv-start").click()
    page.locator(".cv-own button").click()
    page.locator('button[data-role="x"]').first.click()
    page.locator("[data-crumb='0']").click()
    expect_crumbs(page, "probability of 7")


def test_a_factor_lights_up_its_partners_and_its_cell(live):
    page = live("#trail=conv2d_3~4~5~7")
    page.locator('[data-term="0.3.5"][data-role="w"]').hover()
    expect(page.locator(".cv-hot")).to_have_count(4)
    lit = page.locator(".cv-hot").evaluate_all("all => all.map(e => e.dataset.role ?? 'sum')")
    assert sorted(lit) == ["p", "sum", "w", "x"]
    readout = re.compile(r"row 5, column 7, channel 3: .* × .* = ")
    expect(page.locator(".cv-readout")).to_have_text(readout)
    cells = [mark for mark in page.evaluate(MARKS) if mark["style"] == "cell"]
    assert cells[0]["layer"] == "max_pooling2d"


def test_receipts_of_every_kind_read_right(live, run):
    page = live("#trail=batch_normalization_3~4~5~7")
    for words in ("a patch of 3×3 in each of 10 channels", "bias", "ReLU", "scale = γ", "rounding left over"):
        expect(page.locator(".cv-steps")).to_contain_text(words)
    page.evaluate("location.hash = '#trail=max_pooling2d~4~5~7'")
    page.reload()
    expect(page.locator(".cv-steps")).to_contain_text("the largest of 4 cells")
    expect(page.locator(".cv-won")).to_have_count(1)
    expect(page.locator('.cv-won[tabindex="0"]'), "the keyboard comes to the winner first").to_have_count(1)
    page.evaluate("location.hash = '#trail=softmax~0~0~7'")
    page.reload()
    expect(page.locator('button[data-term][tabindex="0"]')).to_have_accessible_name(re.compile("^logit 7: "))


def test_keys_alone(live, run):
    page = live()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.shadowRoot.activeElement?.dataset.stage") == "1":
            break
    page.keyboard.press("Home")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "PageDown"):
        page.keyboard.press(key)
    expect(page.locator(".cv-tip")).to_contain_text("row 1, column 2, channel 1")
    said = page.locator(".cv-live", has_text="conv2d, row 1, column 2, channel 1: ")
    said.wait_for(state="attached")
    assert "sees 3×3 pixels, rows 1–3, columns 2–4" in said.text_content()
    page.keyboard.press("Enter")
    expect_crumbs(page, "conv2d (1, 2) channel 1")
    page.locator("button[data-term]").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect_crumbs(page, "conv2d (1, 2) channel 1", "input (2, 3)")
    page.wait_for_function(
        "getComputedStyle(document.activeElement.shadowRoot.activeElement).outlineStyle === 'solid'"
    )
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator(".cv-invite")).to_be_visible()


def test_touch(live):
    page = live(width=390, height=800, has_touch=True, is_mobile=True)
    page.touchscreen.tap(*page.evaluate(CELL_AT, [STAGE["conv2d"], 5, 6, 2]))
    first = re.compile(r"^conv2d \(")
    expect_crumbs(page, first)
    until_marked(page, ".cv-in .cv-over", 20)
    page.locator('button[data-role="x"]').first.tap()
    expect_crumbs(page, first, re.compile(r"^input \("))
    page.locator("[data-back]").tap()
    expect_crumbs(page, first)
    page.locator("[data-back]").tap()
    expect(page.locator(".cv-invite")).to_be_visible()


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
    page.wait_for_function("document.querySelector('[id^=cnnviz-]').view.root.dataset.theme === 'dark'")


def test_scales_and_their_legend(live):
    page = live()
    legend = page.locator(".cv-legend")
    hover(page, STAGE["conv2d"], 3, 3, 0)
    expect(legend).to_contain_text("conv2d, one scale for this layer")
    layer = legend.locator("span").first.inner_text()
    page.locator(".cv-range").select_option("network")
    hover(page, STAGE["conv2d"], 3, 3, 0)
    expect(legend).to_contain_text("conv2d, one scale for the whole network")
    assert legend.locator("span").first.inner_text() != layer
    page.locator(".cv-range").select_option("map")
    hover(page, STAGE["conv2d"], 3, 3, 1)
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
    link = page.evaluate(LINK)
    page.goto("about:blank")
    page.goto(link)
    expect_crumbs(page, "probability of 9", "logit 9")
    expect(page.locator(".cv-range")).to_have_value("network")


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
    compile(keras, "keras", "exec")


def test_a_file_says_what_it_leaves_out(live):
    page = live()
    expect(page.locator(".cv-hint")).to_contain_text("need Python")
    expect(page.locator(".cv-opendraw")).to_have_count(0)


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
        hover(page, STAGE["conv2d"], 8, col, 2)
    expect(page.locator(".cv-tip")).to_contain_text("row 8, column 19, channel 2")
    assert page.evaluate("window.drawn") == 0


def test_a_graph_of_every_merge_is_shown(open_page, tmp_path):
    net = merges()
    view = cnnviz.view(net, normal(*net.input_shape).astype(np.float32))
    page = open_page(view.save(tmp_path / "merges.html").as_uri(), offline=True)
    page.wait_for_selector(".cv-col")
    stages = view.scene.plan.part.header["stages"]
    expect(page.locator(".cv-col")).to_have_count(len(stages))
    for number, stage in enumerate(stages):
        height, width, channels = stage["shape"]
        cell = {"stage": number, "row": height - 1, "col": width - 1, "channel": channels - 1}
        page.evaluate("(cell) => document.querySelector('[id^=cnnviz-]').view.pin(cell)", cell)
        expect(page.locator(".cv-rvalue")).to_have_text(re.compile(r"\d"))


def test_a_part_of_a_network_opens_at_a_cell_and_plays(open_page, run, tmp_path):
    options = {"last": "conv2d_1", "pinned": ("conv2d_1", 6, 9, 3), "play": True}
    view = cnnviz.view(run.network, cnnviz.load_mnist()[1][0][0], **options)
    page = open_page(view.save(tmp_path / "part.html").as_uri(), offline=True)
    expect_crumbs(page, "conv2d_1 ReLU (6, 9) channel 3")
    expect(page.locator(".cv-head b")).to_have_text(["conv2d", "conv2d_1"])
    expect(page.locator(".cv-outs")).to_be_hidden()
    expect(page.locator(".cv-play .count")).to_have_text(re.compile("of 576$"))
    expect(page.locator("[data-pick=channel]")).to_have_value("3")
    shown = float(page.locator(".cv-rvalue").inner_text().replace("−", "-"))
    assert shown == pytest.approx(float(run["conv2d_1"][0, 6, 9, 3]), rel=1e-3)
    page.locator('button[data-role="x"]').first.click()
    expect(page.locator(".cv-crumbs li").last).to_have_text(re.compile(r"^batch_normalization \("))


def test_two_views_live_beside_each_other_in_a_notebook(open_page, tmp_path):
    net = cnnviz.load_model("mnist_14k")
    digits = cnnviz.load_mnist()[1][0]
    cells = "".join(cnnviz.view(net, digits[i])._repr_html_() for i in (0, 1))
    path = tmp_path / "notebook.html"
    path.write_text(
        f"<!doctype html><title>notebook</title><link rel=icon href='data:,'>{cells}", encoding="utf-8"
    )
    page = open_page(path.as_uri(), offline=True)
    expect(page.locator(".cv-title")).to_contain_text(["predicted 7", "predicted 2"])


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
    order = np.argsort(-net.predict(x)[0], kind="stable")[:10]
    file = cnnviz.view(net, x, classes=names).save(tmp_path / "many.html")
    page = open_page(file.as_uri(), offline=True)
    rows = page.locator(".cv-barrow")
    expect(rows.locator(".cv-class")).to_have_text([names[k] for k in order])
    expect(page.locator(".cv-few")).to_have_text("the 10 likeliest of 40")
    rows.nth(3).click()
    expect(page.locator(".cv-crumbs li").first).to_have_text(f"probability of {names[order[3]]}")
    expect(rows.nth(3)).to_have_attribute("data-mark", "cell")
