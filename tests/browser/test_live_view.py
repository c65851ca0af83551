"""The live view in a file from disk, network off: pointing, walking down and back, keys, touch, playing."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image, ImageSequence

import cnnviz
from harness.networks import merges, normal

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


def crumbs(page) -> list[str]:
    return page.locator(".cv-crumbs li").all_inner_texts()


def test_it_says_what_it_shows(live, run):
    page = live()
    assert page.locator(".cv-title").inner_text().startswith("test digit 0 predicted 7 with")
    assert page.locator(".cv-head").count() == 9
    assert page.locator(".cv-col").count() == 25
    heads = page.locator(".cv-head").first.inner_text().split("\n")
    assert heads[:3] == ["conv2d", "26×26×16 · RF 3", "160 + 64 params"]
    shares = page.locator(".cv-share").all_inner_texts()
    assert len(shares) == 10
    assert shares[7].endswith("%")
    assert page.locator(".cv-legend").inner_text()


def test_hover_outlines_the_cone_and_what_is_fed(live, run):
    page = live()
    hover(page, STAGE["conv2d_1"], 6, 9, 3)
    tip = page.locator(".cv-tip").inner_text()
    assert "row 6, column 9, channel 3" in tip
    value = run.pre_activation("conv2d_1")[0, 6, 9, 3]
    assert f"{abs(value):.4g}"[:4] in tip.replace(",", "")
    marks = page.evaluate(MARKS)
    table = cnnviz.receptive_field(run.network)
    seen = {mark["layer"]: mark for mark in marks if mark["style"] in ("seen", "read")}
    for layer in ("input", "conv2d", "batch_normalization"):
        (top, bottom), (left, right) = table.between("conv2d_1", layer).box(6, 9)
        assert seen[layer]["box"] == {"top": top, "bottom": bottom, "left": left, "right": right}
    (fed,) = [mark for mark in marks if mark["style"] == "fed"]
    assert (fed["stage"], fed["channels"]) == (STAGE["conv2d_1 ReLU"], 1)
    assert page.evaluate(INKED, ".cv-in .cv-over") > 20
    assert page.evaluate(INKED, ".cv-strip .cv-over") > 200
    page.mouse.move(5, 5)
    assert page.evaluate(INKED, ".cv-strip .cv-over") == 0
    assert page.locator(".cv-tip").is_hidden()


def test_what_a_cell_feeds_is_the_projection(live, run):
    page = live()
    table = cnnviz.receptive_field(run.network)
    hover(page, STAGE["input"], 0, 5, 0)
    (fed,) = [mark for mark in page.evaluate(MARKS) if mark["style"] == "fed"]
    (top, bottom), (left, right) = table["conv2d"].projective_box(0, 5)
    assert fed["box"] == {"top": top, "bottom": bottom, "left": left, "right": right}
    assert fed["channels"] == 16


def test_from_the_prediction_down_to_a_pixel_and_back_one_level_at_a_time(live):
    page = live()
    page.locator(".cv-start").click()
    assert crumbs(page) == ["probability of 7"]
    page.locator(".cv-own button").click()
    assert crumbs(page) == ["probability of 7", "logit 7"]
    for depth in range(3, 40):
        page.locator('button[data-role="x"]').nth(4 if depth % 2 else 0).click()
        assert len(crumbs(page)) == depth
        if "pixel" in page.locator(".cv-steps").inner_text():
            break
    assert crumbs(page)[-1].startswith("input (")
    assert not page.locator('button[data-role="x"]').count()
    while len(crumbs(page)) > 2:
        before = crumbs(page)
        page.keyboard.press("Escape")
        assert crumbs(page) == before[:-1]
    page.mouse.click(*_empty(page))
    assert crumbs(page) == ["probability of 7"]
    page.keyboard.press("Escape")
    assert page.locator(".cv-invite").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".cv-invite").is_visible()


def _empty(page) -> tuple[float, float]:
    box = page.locator(".cv-rhead").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_crumb_goes_back_to_itself(live):
    page = live()
    page.locator(".cv-start").click()
    page.locator(".cv-own button").click()
    page.locator('button[data-role="x"]').first.click()
    page.locator("[data-crumb='0']").click()
    assert crumbs(page) == ["probability of 7"]


def test_a_factor_lights_up_its_partners_and_its_cell(live):
    page = live("#trail=conv2d_3~4~5~7")
    page.locator('[data-term="0.3.5"][data-role="w"]').hover()
    lit = page.locator(".cv-hot").evaluate_all("all => all.map(e => e.dataset.role ?? 'sum')")
    assert sorted(lit) == ["p", "sum", "w", "x"]
    readout = page.locator(".cv-readout").inner_text()
    assert re.search(r"row 5, column 7, channel 3: .* × .* = ", readout)
    cells = [mark for mark in page.evaluate(MARKS) if mark["style"] == "cell"]
    assert cells[0]["layer"] == "max_pooling2d"


def test_receipts_of_every_kind_read_right(live, run):
    page = live("#trail=batch_normalization_3~4~5~7")
    text = page.locator(".cv-steps").inner_text()
    for words in ("a patch of 3×3 in each of 10 channels", "bias", "ReLU", "scale = γ", "rounding left over"):
        assert words in text
    page.evaluate("location.hash = '#trail=max_pooling2d~4~5~7'")
    page.reload()
    assert "the largest of 4 cells" in page.locator(".cv-steps").inner_text()
    assert page.locator(".cv-won").count() == 1


def test_keys_alone(live, run):
    page = live()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.shadowRoot.activeElement?.dataset.stage") == "1":
            break
    page.keyboard.press("Home")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "PageDown"):
        page.keyboard.press(key)
    assert "row 1, column 2, channel 1" in page.locator(".cv-tip").inner_text()
    said = page.locator(".cv-live", has_text="conv2d, row 1, column 2, channel 1: ")
    said.wait_for(state="attached")
    assert "sees 3×3 pixels, rows 1–3, columns 2–4" in said.text_content()
    page.keyboard.press("Enter")
    assert crumbs(page) == ["conv2d (1, 2) channel 1"]
    page.locator("button[data-term]").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert crumbs(page)[-1] == "input (2, 3)"
    outline = page.evaluate("getComputedStyle(document.activeElement.shadowRoot.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.locator(".cv-invite").is_visible()


def test_touch(live):
    page = live(width=390, height=800, has_touch=True, is_mobile=True)
    page.touchscreen.tap(*page.evaluate(CELL_AT, [STAGE["conv2d"], 5, 6, 2]))
    page.wait_for_selector(".cv-crumbs")
    (crumb,) = crumbs(page)
    assert crumb.startswith("conv2d (")
    assert page.evaluate(INKED, ".cv-in .cv-over") > 20
    page.locator('button[data-role="x"]').first.tap()
    assert crumbs(page)[-1].startswith("input (")
    page.locator("[data-back]").tap()
    page.locator("[data-back]").tap()
    assert page.locator(".cv-invite").is_visible()


@pytest.mark.parametrize("width", [360, 1280, 2560])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_page(live, width, dark):
    page = live("#trail=softmax~0~0~7!conv2d_7~0~0~7", width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    root = page.locator(".cv")
    assert root.get_attribute("data-theme") == ("dark" if dark else "light")
    ink = root.evaluate("e => getComputedStyle(e).color").replace(" ", "")
    assert (int(ink[4:].split(",")[0]) > 128) == dark


def test_the_theme_follows_the_host(live):
    page = live()
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.querySelector('[id^=cnnviz-]').view.root.dataset.theme === 'dark'")


def test_scales_and_their_legend(live):
    page = live()
    hover(page, STAGE["conv2d"], 3, 3, 0)
    layer = page.locator(".cv-legend").inner_text()
    page.locator(".cv-range").select_option("network")
    hover(page, STAGE["conv2d"], 3, 3, 0)
    network = page.locator(".cv-legend").inner_text()
    assert "one scale for the whole network" in network
    page.locator(".cv-range").select_option("map")
    hover(page, STAGE["conv2d"], 3, 3, 1)
    assert "one scale for this map" in page.locator(".cv-legend").inner_text()
    assert layer != network


def test_another_digit_is_another_prediction(live):
    page = live()
    page.locator(".cv-items select").select_option(label="test digit 42")
    assert page.locator(".cv-title").inner_text().startswith("test digit 42 predicted 4")
    page.wait_for_function("performance.getEntriesByName('cnnviz:pick-digit').length === 1")


def test_a_link_reopens_what_its_sender_saw(live):
    address = "#item=7&range=network&trail=softmax~0~0~9!conv2d_7~0~0~9"
    page = live(address)
    assert page.locator(".cv-what").inner_text() == "test digit 7"
    assert crumbs(page) == ["probability of 9", "logit 9"]
    link = page.evaluate(LINK)
    page.goto(link)
    page.reload()
    assert crumbs(page) == ["probability of 9", "logit 9"]
    assert page.locator(".cv-range").input_value() == "network"


@pytest.mark.parametrize(
    "address", ["#trail=nothing~1~2~3", "#trail=conv2d~99~0~0", "#item=x&trail=!!&range=?"]
)
def test_a_damaged_link_shows_what_it_can(live, address):
    assert live(address).locator(".cv-invite").is_visible()


def test_copies_are_text_latex_and_code_that_runs(live, run, capsys):
    page = live("#trail=conv2d_3~4~5~7")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copied = {}
    for kind in ("text", "latex", "numpy", "keras"):
        page.locator(f"[data-copy={kind}]").click()
        page.wait_for_timeout(50)
        copied[kind] = page.evaluate("navigator.clipboard.readText()")
    assert copied["text"].count("channel") >= 10
    assert copied["latex"].startswith("\\begin{align*}")
    assert copied["latex"].count("\\begin{bmatrix}") == 20
    exec(copied["numpy"], {})
    printed = capsys.readouterr().out
    value = float(run.pre_activation("conv2d_3")[0, 4, 5, 7])
    assert printed.startswith(str(np.float32(value))[:7])
    compile(copied["keras"], "keras", "exec")


def test_playing_fills_the_map_and_waits_under_the_pointer(live):
    page = live()
    page.locator(".cv-openplay").click()
    page.locator("[data-pick=stage]").select_option(label="conv2d")
    page.locator("[data-pick=speed]").select_option("60")
    step = page.locator(".cv-stepname")
    page.wait_for_function(
        "() => +document.querySelector('[id^=cnnviz-]').shadowRoot.querySelector('.cv-scrub input').value > 3"
    )
    page.locator(".cv-slide-in").hover()
    page.wait_for_timeout(60)
    waiting = step.inner_text()
    page.wait_for_timeout(300)
    assert step.inner_text() == waiting
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    assert step.inner_text() != waiting
    page.locator("[data-do=run]").click()
    page.locator(".cv-scrub input").fill("675")
    assert step.inner_text() == "step 676 of 676"
    assert "row 25, column 25" in page.locator(".cv-sliding").inner_text()
    page.locator("[data-pick=stage]").select_option(label="max_pooling2d")
    assert "the largest of 4 cells" in page.locator(".cv-sliding").inner_text()
    page.keyboard.press("Escape")
    assert not page.locator(".cv-play").count()


def test_what_is_played_is_saved_as_a_gif(live, run, tmp_path):
    page = live()
    page.locator(".cv-openplay").click()
    page.locator("[data-pick=stage]").select_option(label="conv2d_6")
    page.locator("[data-pick=speed]").select_option("16")
    with page.expect_download() as download:
        page.locator("[data-do=gif]").click()
    assert download.value.suggested_filename == "cnnviz-conv2d_6-channel-0.gif"
    download.value.save_as(tmp_path / "played.gif")
    with Image.open(tmp_path / "played.gif") as gif:
        rows, cols, _ = run.network["conv2d_6"].output_shape
        assert gif.n_frames == rows * cols
        pictures = [np.asarray(frame.convert("RGB"), int) for frame in ImageSequence.Iterator(gif)]
        assert gif.info["duration"] == 2000
        gif.seek(3)
        assert gif.info["duration"] == 60
    # The last step's picture is that on the page, within the five bits of a colour.
    box = page.evaluate("""() => {
      const player = document.querySelector("[id^=cnnviz-]").view.extensions[0];
      player.go(player.steps - 1);
      const canvas = player.find(".cv-slide-out");
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      return [canvas.width, canvas.height, [...pixels]];
    }""")
    width, height, pixels = box
    shown = np.reshape(pixels, (height, width, 4))[..., :3]
    windows = np.lib.stride_tricks.sliding_window_view(pictures[-1][16 : 16 + height], width, axis=1)
    assert min(np.abs(windows[:, x].transpose(0, 2, 1) - shown).max() for x in range(windows.shape[1])) <= 8
    assert not np.array_equal(pictures[0], pictures[-1])
    assert page.locator("[data-do=gif]").inner_text() == "Save as GIF"


def test_reduced_motion_stands_still(live):
    page = live(reduced_motion="reduce")
    page.locator(".cv-openplay").click()
    assert page.locator("[data-do=run]").inner_text() == "Run"
    before = page.locator(".cv-stepname").inner_text()
    page.wait_for_timeout(500)
    assert page.locator(".cv-stepname").inner_text() == before


def test_a_file_says_what_it_leaves_out(live):
    page = live()
    assert "need Python" in page.locator(".cv-hint").inner_text()
    assert not page.locator(".cv-opendraw").count()


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
    assert page.evaluate("window.drawn") == 0


def test_a_graph_of_every_merge_is_shown(open_page, tmp_path):
    net = merges()
    view = cnnviz.view(net, normal(*net.input_shape).astype(np.float32))
    page = open_page(view.save(tmp_path / "merges.html").as_uri(), offline=True)
    page.wait_for_selector(".cv-col")
    stages = view.scene.plan.part.header["stages"]
    assert page.locator(".cv-col").count() == len(stages)
    for number, stage in enumerate(stages):
        height, width, channels = stage["shape"]
        cell = {"stage": number, "row": height - 1, "col": width - 1, "channel": channels - 1}
        page.evaluate("(cell) => document.querySelector('[id^=cnnviz-]').view.pin(cell)", cell)
        assert page.locator(".cv-rvalue").inner_text()


def test_a_part_of_a_network_opens_at_a_cell_and_plays(open_page, run, tmp_path):
    options = {"last": "conv2d_1", "pinned": ("conv2d_1", 6, 9, 3), "play": True}
    view = cnnviz.view(run.network, cnnviz.load_mnist()[1][0][0], **options)
    page = open_page(view.save(tmp_path / "part.html").as_uri(), offline=True)
    page.wait_for_selector(".cv-crumbs")
    assert page.locator(".cv-head b").all_inner_texts() == ["conv2d", "conv2d_1"]
    assert page.locator(".cv-outs").is_hidden()
    assert crumbs(page) == ["conv2d_1 ReLU (6, 9) channel 3"]
    assert page.locator(".cv-stepname").inner_text().endswith("of 576")
    assert page.locator("[data-pick=to]").input_value() == "3"
    shown = float(page.locator(".cv-rvalue").inner_text().replace("−", "-"))
    assert shown == pytest.approx(float(run["conv2d_1"][0, 6, 9, 3]), rel=1e-3)
    page.locator('button[data-role="x"]').first.click()
    assert crumbs(page)[-1].startswith("batch_normalization (")


def test_two_views_live_beside_each_other_in_a_notebook(open_page, tmp_path):
    net = cnnviz.load_model("mnist_14k")
    digits = cnnviz.load_mnist()[1][0]
    cells = "".join(cnnviz.view(net, digits[i])._repr_html_() for i in (0, 1))
    path = tmp_path / "notebook.html"
    path.write_text(
        f"<!doctype html><title>notebook</title><link rel=icon href='data:,'>{cells}", encoding="utf-8"
    )
    page = open_page(path.as_uri(), offline=True)
    titles = page.locator(".cv-title").all_inner_texts()
    assert ["predicted 7" in titles[0], "predicted 2" in titles[1]] == [True, True]
