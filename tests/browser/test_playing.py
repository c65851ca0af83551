"""The window that slides over all maps of a layer: by pointer, keys and touch, in both hosts, as a GIF."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageSequence

import cnnviz
from browser.axe import violations
from browser.stage_page import expect_zoom, hover, unseen
from browser.waiting import expect, until_settled
from harness.generated_networks import image
from harness.networks import conv, normal

VIEW = "document.querySelector('[id^=cnnviz-]').view"


@pytest.fixture(scope="module")
def first():
    """The digit of the file that opens first."""
    return cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])


def player(page, what: str):
    return page.evaluate(f"{VIEW}.player?.{what}")


def press_play(page) -> None:
    page.locator(".cv-openplay").click()
    expect(page.locator(".cv-play")).to_be_visible()


def go_to(page, stage: str) -> None:
    """Click the strip's map of the column that a stage is in."""
    shown = page.evaluate(
        f"""(stage) => {{
      const {{ network, scene }} = {VIEW};
      return network.seenAs.get(scene.stages.find(({{ name }}) => name === stage).index);
    }}""",
        stage,
    )
    page.locator(f'[data-place="{shown}"]').click()


def sums(words: str) -> list[float]:
    """The numbers behind "sum", "bias" and "="."""
    found = re.search(r"sum (\S+) \+ bias (\S+) = (\S+)$", words)
    return [float(number.replace("−", "-").replace(",", "")) for number in found.groups()]


def test_it_fills_a_map_waits_under_the_pointer_and_leaves_the_network_in_sight(live):
    page = live()
    press_play(page)
    expect_zoom(page, "layer")
    expect(page.locator(".cv-strip")).to_be_visible()
    assert unseen(page) == []
    # All of its windows from the first on: it does not come to the end meanwhile.
    page.locator("[data-pick=most]").select_option("676")
    page.evaluate(f"{VIEW}.player.playback.choose(0)")
    page.locator(".cv-play .play").click()
    page.wait_for_function(f"{VIEW}.player.playback.at > 2")
    box = page.locator('[data-level="layer"] .cv-over').bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 40)
    page.wait_for_function(f"{VIEW}.hover !== null")
    waiting = player(page, "window")
    page.wait_for_timeout(400)
    assert player(page, "window") == waiting
    page.mouse.move(2, 2)
    page.wait_for_function(f"(waiting) => {VIEW}.player.window > waiting", arg=waiting)
    page.locator(".cv-play .play").click()
    painted = page.evaluate(f"""() => {{
      const {{ player, levels, colours }} = {VIEW};
      const maps = levels.layer.maps;
      const rect = maps.byStage.get(player.stage.index)[player.channel];
      const at = (row, col) => [...maps.base.getContext("2d").getImageData(
        Math.floor((rect.x + (col + 0.5) * rect.width / rect.cols) * maps.ratio),
        Math.floor((rect.y + (row + 0.5) * rect.height / rect.rows) * maps.ratio), 1, 1).data].slice(0, 3);
      const paper = colours.around.panel.match(/[0-9a-f]{{2}}/gi).map((part) => parseInt(part, 16));
      const blank = [];
      for (let n = 0; n < rect.rows * rect.cols; n++) {{
        blank.push(String(at(Math.floor(n / rect.cols), n % rect.cols)) === String(paper));
      }}
      return [player.window, blank];
    }}""")
    window, blank = painted
    assert blank == [n > window for n in range(len(blank))]
    page.keyboard.press("Escape")
    expect(page.locator(".cv-play")).to_be_hidden()
    assert page.evaluate(f"{VIEW}.zoom") == "layer"
    page.keyboard.press("Escape")
    assert page.evaluate(f"{VIEW}.zoom") == "network"


def test_whoever_starts_it_sees_it_run_wherever_the_pointer_rests(live):
    page = live("#zoom=layer&layer=conv2d")
    hover(page, 1, 3, 3, 0)
    hover(page, 1, 4, 4, 0)
    page.wait_for_function(f"{VIEW}.hover !== null")
    page.locator(".cv-openplay").press("Enter")
    page.locator("[data-pick=most]").select_option("676")
    # As browsers tell of a pointer under which something else comes.
    page.locator('[data-level="layer"] .cv-over').evaluate("""(canvas) => {
      const { left, top } = canvas.getBoundingClientRect();
      const at = { clientX: left + 20, clientY: top + 40, bubbles: true, composed: true };
      canvas.dispatchEvent(new PointerEvent("pointermove", at));
    }""")
    began = player(page, "playback.at")
    page.wait_for_function(f"(began) => {VIEW}.player.playback.at > began + 2", arg=began)
    assert page.evaluate(f"{VIEW}.hover") is None
    hover(page, 1, 6, 6, 0)
    page.wait_for_function(f"{VIEW}.hover !== null")


def test_it_begins_where_something_happens(live, first):
    page = live()
    press_play(page)
    page.locator(".cv-play .play").click()
    before = first.pre_activation("conv2d")[0]
    row, col, channel = np.unravel_index(before.argmax(), before.shape)
    assert player(page, "channel") == channel
    assert player(page, "windows").index(row * 26 + col) <= player(page, "playback.at")
    page = live("#path=conv2d_3~4~5~7")
    press_play(page)
    page.locator(".cv-play .play").click()
    assert player(page, "named")[:2] == ["conv2d_3", 7]
    assert player(page, "window") >= 45


def test_about_a_hundred_windows_are_played_unless_all_are_wanted(live):
    page = live(reduced_motion="reduce")
    press_play(page)
    expect(page.locator("[data-pick=most]")).to_have_value("100")
    assert 90 <= len(player(page, "windows")) <= 100
    page.locator("[data-pick=most]").select_option("676")
    assert player(page, "windows") == list(range(676))
    expect(page.locator(".cv-play .count")).to_have_text(re.compile("^window .* of 676$"))
    go_to(page, "max_pooling2d")
    expect(page.locator(".cv-sliding")).to_contain_text("the largest of 4 cells of one map = ")
    assert len(player(page, "windows")) == 144
    go_to(page, "conv2d_6")
    expect(page.locator("[data-pick=most]")).to_be_hidden()
    assert player(page, "windows") == list(range(16))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("conv2d", "1 map × 9 cells = 9 products"),
        ("conv2d_2", "16 maps × 1 cell = 16 products"),
        ("conv2d_3", "10 maps × 9 cells = 90 products"),
    ],
)
def test_the_whole_depth_is_read_and_the_sum_is_the_networks(live, first, layer, words):
    page = live(f"#zoom=layer&layer={layer}", reduced_motion="reduce")
    press_play(page)
    sliding = page.locator(".cv-sliding")
    expect(sliding).to_contain_text(words)
    for _ in range(3):
        name, channel, window = player(page, "named")
        assert name == layer
        values = first.pre_activation(layer)[0]
        total, bias, value = sums(sliding.inner_text())
        expected = float(values[..., channel].flat[window])
        decimals = len(re.search(r"= \S*?(\.\d+)?$", sliding.inner_text())[1] or ".") - 1
        # As it is written, and what is written adds up.
        assert abs(value - expected) <= 0.5 * 10**-decimals + 1e-5 * abs(expected)
        assert abs(total + bias - value) <= 0.51 * 10**-decimals
        page.locator(".cv-play .on").click()
    # Every map that goes in carries the window; of those that come out only one carries the cell.
    marks = page.evaluate(f"""() => {{
      const view = {VIEW};
      const [source] = view.player.stage.reads;
      return view.marksOf(view.active).filter(({{ stage, style }}) => style === "read" && stage === source)
        .map(({{ channels, box }}) => [channels ? [...channels].every(Boolean) : true, box]);
    }}""")
    assert [whole for whole, _ in marks] == [True]


def test_keys_play_step_and_close(live):
    page = live()
    page.locator(".cv-openplay").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".cv-play .play")).to_be_focused()
    expect(page.locator(".cv-play .play")).to_have_text("Pause")
    page.keyboard.press("Space")
    expect(page.locator(".cv-play .play")).to_have_text("Play")
    page.keyboard.press("Home")
    assert player(page, "window") == 0
    page.keyboard.press("ArrowRight")
    on = player(page, "window")
    assert on > 0
    page.keyboard.press("ArrowDown")
    assert player(page, "window") > on
    page.keyboard.press("ArrowUp")
    assert player(page, "window") == on
    expect(page.locator(".cv-live")).to_contain_text("1 map × 9 cells = 9 products")
    page.keyboard.press("End")
    assert player(page, "window") == 675
    expect(page.locator(".cv-play .on")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(page.locator(".cv-play")).to_be_hidden()
    expect(page.locator(".cv-openplay")).to_be_focused()


def test_nothing_moves_by_itself_where_motion_is_not_wanted(live):
    page = live(reduced_motion="reduce")
    press_play(page)
    expect(page.locator(".cv-play .play")).to_be_disabled()
    before = player(page, "window")
    page.wait_for_timeout(500)
    assert player(page, "window") == before
    page.locator(".cv-play .on").click()
    assert player(page, "window") == before + 1


def test_a_link_reopens_the_window_that_was_played(live):
    page = live("#play=conv2d_3~7~45")
    expect(page.locator(".cv-play .count")).to_have_text("window 46 of 100")
    expect(page.locator(".cv-play .play")).to_have_text("Play")
    expect(page.locator("[data-pick=channel]")).to_have_value("7")
    assert page.evaluate(f"{VIEW}.state().play") == ["conv2d_3", 7, 45]
    page.evaluate(f"{VIEW}.restore({{ ...{VIEW}.state(), play: null }})")
    expect(page.locator(".cv-play")).to_be_hidden()
    assert page.evaluate(f"{VIEW}.state().play") is None
    page = live("#play=conv2d_99~7~45")
    expect(page.locator(".cv-play")).to_be_hidden()


def test_a_tap_on_a_map_that_comes_out_plays_it_there(live):
    page = live(width=390, height=844, has_touch=True)
    press_play(page)
    expect_zoom(page, "layer")
    page.locator(".cv-play .play").tap()
    place = page.evaluate(f"""() => {{
      const {{ maps }} = {VIEW}.levels.layer;
      const rect = maps.byStage.get({VIEW}.player.stage.index)[2];
      const box = maps.base.getBoundingClientRect();
      return [box.left + rect.x + 5.5 * rect.width / 26, box.top + rect.y + 3.5 * rect.height / 26];
    }}""")
    page.touchscreen.tap(*place)
    expect(page.locator("[data-pick=channel]")).to_have_value("2")
    assert player(page, "named") == ["conv2d", 2, 3 * 26 + 5]
    assert unseen(page) == []
    assert page.locator(".cv-playbar").bounding_box()["height"] < 80
    assert violations(page, moderate=True) == []


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_window_is_seen_to_reach_over_the_edge(open_page, tmp_path, padding):
    net = cnnviz.Network(
        [image(9, 7, 2), conv("conv", "image", 2, 3, size=3, padding=padding, dilation_rate=2)]
    )
    x = normal(9, 7, 2).astype(np.float32)
    page = open_page(cnnviz.view(net, x, play=True).save(tmp_path / "p.html").as_uri(), offline=True)
    expect(page.locator(".cv-play")).to_be_visible()
    page.locator(".cv-play .place").press("Home")
    around, boxes = page.evaluate(f"""() => {{
      const view = {VIEW};
      const layer = view.levels.layer;
      const rect = layer.maps.rects[0];
      const side = rect.width / rect.cols;
      const marks = layer.withPadding(view.marksOf(view.active)).filter(({{ style }}) => style === "read");
      const around = rect.around?.map((n) => Math.round(n / side)) ?? null;
      return [around, marks.map(({{ box }}) => [box.top, box.left])];
    }}""")
    taps = [[row, col] for row in (-2, 0, 2) for col in (-2, 0, 2)]
    assert around == ([2, 2, 2, 2] if padding == "same" else None)
    assert boxes == (taps if padding == "same" else [[0, 0]])
    value = float(net.run(x)["conv"][0, 0, 0][player(page, "channel")])
    words = page.locator(".cv-sliding").inner_text()
    assert ("(5 on padding)" in words) == (padding == "same")
    assert sums(words)[2] == pytest.approx(value, abs=0.051)


def test_what_is_played_is_saved_as_a_gif(live, tmp_path):
    page = live("#play=conv2d_1~3~200")
    expect(page.locator(".cv-play")).to_be_visible()
    page.locator(".cv-play .speed").click()
    with page.expect_download() as download:
        page.locator("[data-do=gif]").click()
    assert download.value.suggested_filename == "cnnviz-conv2d_1-channel-3.gif"
    download.value.save_as(tmp_path / "played.gif")
    assert player(page, "named") == ["conv2d_1", 3, 200]
    expect(page.locator("[data-do=gif]")).to_have_text("GIF")
    with Image.open(tmp_path / "played.gif") as gif:
        assert 50 <= gif.n_frames <= 60
        pictures = [np.asarray(frame.convert("RGB"), int) for frame in ImageSequence.Iterator(gif)]
        assert gif.info["duration"] == 2000
        gif.seek(3)
        assert gif.info["duration"] == 60
    # The last frame is what the page shows at its last step, within the five bits of a colour: every map that
    # goes in, the kernels, every map that comes out. The frames before have not filled the map yet.
    page.locator(".cv-play .place").press("End")
    canvas = page.evaluate(f"""() => {{
      const layer = {VIEW}.levels.layer;
      const {{ width, height }} = layer.extent();
      const canvas = Object.assign(document.createElement("canvas"), {{ width, height }});
      const pen = canvas.getContext("2d");
      pen.fillStyle = {VIEW}.colours.around.background;
      pen.fillRect(0, 0, width, height);
      layer.copyTo(pen, {VIEW}.colours.around.muted);
      return canvas.toDataURL();
    }}""")
    with Image.open(io.BytesIO(base64.b64decode(canvas.split(",")[1]))) as png:
        shown = np.asarray(png.convert("RGB"), int)
    height, width, _ = shown.shape
    # Letters have more colours than a palette; below them everything is cells.
    saved = pictures[-1][16 : 16 + height, 16 : 16 + width]
    assert (np.abs(saved - shown).max(axis=-1) > 8).mean() < 0.01
    differ = [np.any(one != pictures[-1], axis=-1).sum() for one in pictures[:-1]]
    assert min(differ) > 0
    assert differ[0] > differ[-1]


def test_a_film_is_called_off_by_another_click(live):
    page = live("#play=conv2d_1~3~200")
    expect(page.locator(".cv-play")).to_be_visible()
    page.locator("[data-pick=most]").select_option("576")
    gif = page.locator("[data-do=gif]")
    gif.click()
    expect(gif).to_have_text(re.compile("stop$"))
    gif.click()
    expect(gif).to_have_text("GIF")
    assert player(page, "named") == ["conv2d_1", 3, 200]


def test_a_change_is_seen_while_it_is_played(live):
    page = live("#play=conv2d_3~7~45")
    expect(page.locator(".cv-sliding")).to_contain_text("sum")
    was = page.locator(".cv-sliding").inner_text()
    page.evaluate(f"{VIEW}.change([{{ kind: 'channel', stage: 'max_pooling2d', channel: 9 }}])")
    expect(page.locator(".cv-sliding")).not_to_have_text(was)
    expect(page.locator(".cv-play .count")).to_have_text("window 46 of 100")
    page.evaluate(f"{VIEW}.change([])")
    expect(page.locator(".cv-sliding")).to_have_text(was)


@pytest.mark.parametrize("dark", [False, True])
def test_it_plays_in_the_explorer(open_page, explorer, dark):
    page = open_page(f"{explorer}/?digit=0&view=path%3Dconv2d_2~9~12~3", dark=dark)
    page.wait_for_selector(".cv-barrow, .cv-strip:not([hidden])")
    until_settled(page)
    page.locator(".cv-openplay").click()
    expect(page.locator(".cv-sliding")).to_contain_text("16 maps × 1 cell = 16 products")
    count = page.locator(".cv-play .count")
    was = count.inner_text()
    page.mouse.move(2, 2)
    expect(count).not_to_have_text(was)
    page.locator(".cv-play .play").click()
    assert violations(page, ".st-key-live", moderate=True) == []
    page.keyboard.press("Escape")
    expect(page.locator(".cv-play")).to_be_hidden()
