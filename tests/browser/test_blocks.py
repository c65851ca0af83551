"""Large networks on one screen: blocks that open and close, several outputs, and no map without ink."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import cnnviz
from browser.axe import violations
from browser.conftest import streamlit_page
from browser.stage_page import expect_zoom, link, of_view, show, unseen, until
from browser.waiting import expect
from cnnviz import Network
from cnnviz.stage.bundle import script, style
from cnnviz.stage.scene import build_scene
from harness.authority import keras
from harness.keras_models import write
from harness.networks import conv, image, layer, normal

THOROUGH = settings.get_current_profile_name() == "thorough"
COLUMNS = "({ network }) => network.columns.map(({ shown, block, slim }) => [shown, block?.name ?? '', slim])"
OPEN = "(view) => view.open"
IDLE = "({ asking }) => !asking || (!asking.waiting && !asking.next && !asking.wanted.size)"
INKLESS = """(view) => {
  const { maps } = view.level;
  const pen = maps.base.getContext("2d");
  const ratio = maps.ratio;
  const blank = [];
  const extent = (numbers) =>
    numbers.reduce(([low, high], n) => [Math.min(low, n), Math.max(high, n)], [Infinity, -Infinity]);
  for (const { stage, channel, x, y, width, height, colours, thumbnail } of maps.rects) {
    // A thumbnail's corners are round.
    const corner = thumbnail ? Math.min(7, width / 4) : 0;
    const box = [x, y].map((n) => Math.max(0, Math.floor((n + corner) * ratio)));
    const size = [width, height].map((n) => Math.max(1, Math.floor((n - 2 * corner) * ratio)));
    const pixels = new Uint32Array(pen.getImageData(...box, ...size).data.buffer);
    const values = view.values[stage];
    const channels = view.scene.stages[stage].shape[2];
    const [low, high] = extent(values.filter((_, n) => n % channels === channel));
    const limit = view.scales.of(stage, colours ? 0 : channel, view.range).limit;
    // Numbers that are apart by a twentieth of the scale have colours that are apart.
    const flat = !colours && high - low < limit / 20;
    const plain = pixels.every((each) => each === pixels[0]);
    if (pixels.some((each) => each >>> 24 === 0)) blank.push(`${stage} ${channel} is not drawn`);
    else if (!flat && width * height > 9 && plain) blank.push(`${stage} ${channel} is of one colour`);
  }
  return [maps.rects.length, blank];
}"""


def residual_network() -> Network:
    """Twelve residual blocks of two sizes, and a row of classes that have names."""
    layers = [image(24, 24, 1), conv("stem", "image", 1, 8, padding="same", activation="relu")]
    last = "stem"
    for size in "ab":
        if size == "b":
            layers.append(layer("pool", "MaxPooling2D", last))
            last = "pool"
        for n in range(6):
            name = f"stage_{size}{n}"
            layers += [
                conv(f"{name}_1", last, 8, 8, padding="same", activation="relu"),
                conv(f"{name}_2", f"{name}_1", 8, 8, padding="same"),
                layer(f"{name}_scale", "Rescaling", f"{name}_2", scale=0.05),
                layer(f"{name}_out", "Add", last, f"{name}_scale"),
            ]
            last = f"{name}_out"
    weights = {"kernel": normal(8, 40) * 1e-6, "bias": normal(40)}
    layers.append(layer("mean", "GlobalAveragePooling2D", last))
    layers.append(layer("classes", "Dense", "mean", weights=weights, units=40, activation="softmax"))
    return Network(layers, name="residual")


@pytest.fixture(scope="session")
def residual_file(tmp_path_factory):
    names = [f"animal {i}" for i in range(40)]
    given = np.random.default_rng(1).uniform(size=(1, 24, 24, 1)).astype(np.float32)
    return cnnviz.view(residual_network(), given, classes=names).save(
        tmp_path_factory.mktemp("blocks") / "x.html"
    )


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (1004, 540)])
def test_a_large_network_stands_on_one_screen_closed_and_open(open_page, residual_file, width, height):
    page = open_page(residual_file.as_uri(), width=width, height=height)
    names = of_view(page, "({ scene }) => scene.blocks.map(({ name }) => name)")
    outer, inner = names[0], names[1]
    assert unseen(page) == []
    assert unseen(page, [{"open": [outer]}, {"open": [outer, inner]}, {"open": names}]) == []
    show(page, {"open": [outer, inner]})
    assert len([slim for *_, slim in of_view(page, COLUMNS) if not slim]) >= 3


def test_blocks_open_by_click_and_key_and_close_level_by_level(open_page, residual_file):
    page = open_page(residual_file.as_uri(), height=720)
    outer, inner = of_view(page, "({ scene }) => scene.blocks.slice(0, 2).map(({ name }) => name)")
    closed = of_view(page, COLUMNS)
    page.locator(".cv-block").first.click()
    expect(page.locator(".cv-frame")).to_have_count(1)
    assert of_view(page, OPEN) == [outer]
    assert of_view(page, "({ root }) => root.getRootNode().activeElement.className") == "cv-frame"
    block = page.locator(f'.cv-block[data-block="{inner}"]')
    expect(block).to_have_attribute("aria-expanded", "false")
    block.press("Enter")
    expect(page.locator(".cv-frame")).to_have_count(2)
    assert of_view(page, OPEN) == [outer, inner]
    there = link(page)
    page.keyboard.press("Escape")
    assert of_view(page, OPEN) == [outer]
    page.keyboard.press("Escape")
    assert of_view(page, COLUMNS) == closed
    other = open_page(there, height=720)
    assert of_view(other, OPEN) == [outer, inner]
    expect(other.locator(".cv-frame")).to_have_count(2)
    other.locator(".cv-frame").first.click()
    assert of_view(other, OPEN) == []


def test_what_is_inside_of_a_closed_block_is_marked_on_it(open_page, residual_file):
    page = open_page(residual_file.as_uri(), height=720)
    show(page, {"path": [["stage_a2_1", 3, 4, 5]]})
    marked = page.locator('.cv-head[data-mark="path"], .cv-head[data-mark="cell"]')
    expect(marked).to_have_count(1)
    of_view(page, "(view) => view.zoomTo('layer')")
    expect_zoom(page, "layer")
    expect(page.locator(".cv-places [aria-current]")).to_have_count(1)
    assert of_view(page, "({ strip, network }) => strip.maps.rects.length - network.columns.length") == 0
    of_view(page, "(view) => view.back() && view.back()")
    expect(page.locator('.cv-head[data-mark="path"]')).to_have_count(0)


def test_many_classes_are_the_likeliest_ten_with_names_and_the_rest_in_a_line(open_page, residual_file):
    page = open_page(residual_file.as_uri(), height=720)
    values = np.array(of_view(page, "({ values, scene }) => [...values[scene.output.index]]"))
    order = np.argsort(-values, kind="stable")
    expect(page.locator(".cv-class")).to_have_text([f"animal {k}" for k in order[:10]])
    rest = f"{100 * values[order[10:]].sum():.2f}"
    expect(page.locator(".cv-few")).to_have_text(f"30 others: {rest} % together")


def test_axe_finds_nothing_in_open_blocks(open_page, residual_file):
    for dark in (False, True):
        page = open_page(residual_file.as_uri(), height=720, dark=dark)
        outer, inner = of_view(page, "({ scene }) => scene.blocks.slice(0, 2).map(({ name }) => name)")
        for names in ([], [outer], [outer, inner]):
            show(page, {"open": names})
            assert violations(page, moderate=True) == []


def test_on_a_phone_blocks_are_bands_and_nothing_is_wider(open_page, residual_file):
    page = open_page(residual_file.as_uri(), width=360, height=640, has_touch=True, is_mobile=True)
    closed = len(of_view(page, COLUMNS))
    assert of_view(page, "({ network }) => network.layout.width") <= 360
    page.locator(".cv-block").first.tap()
    expect(page.locator(".cv-frame")).to_have_count(1)
    assert len(of_view(page, COLUMNS)) > closed
    assert of_view(page, "({ network }) => network.maps.width") <= 360
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_two_outputs_have_two_sets_of_bars_and_two_inputs_two_rows(open_page, tmp_path):
    given = keras.Input((12, 12, 1), name="left"), keras.Input((12, 12, 1), name="right")
    shared = [keras.layers.Conv2D(3, 3, activation="relu"), keras.layers.GlobalAveragePooling2D()]
    towers = []
    for x in given:
        for each in shared:
            x = each(x)
        towers.append(x)
    both = keras.layers.Subtract()(towers)
    outputs = [
        keras.layers.Dense(n, activation="softmax", name=name)(both)
        for n, name in ((4, "kind"), (3, "colour"))
    ]
    net = cnnviz.load_model(write(keras.Model(given, outputs), tmp_path / "two.keras"))
    run = {name: np.random.default_rng(i).uniform(size=(1, 12, 12, 1)) for i, name in enumerate(net.inputs)}
    page = open_page(cnnviz.view(net, run).save(tmp_path / "two.html").as_uri(), height=720)
    expect(page.locator(".cv-barhead b")).to_have_text(["kind", "colour"])
    expect(page.locator(".cv-barrow")).to_have_count(7)
    rows = of_view(page, "({ network }) => network.columns.map(({ slot, row }) => [slot, row])")
    assert rows == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1], [3, 0]]
    assert unseen(page) == []
    for n, count in enumerate((4, 3)):
        page.locator(".cv-outs").nth(n).locator(".cv-barrow").last.click()
        until(
            page,
            "({ pinned, scene }, [n, k]) => pinned?.stage === scene.outputs[n].index && pinned.channel === k",
            [n, count - 1],
        )


def living_model(application: str, folder: Path, **options) -> tuple[Path, np.ndarray]:
    """A network of keras.applications, alive: its numbers neither die nor grow; and an image for it."""
    keras.utils.set_random_seed(3)
    model = getattr(keras.applications, application)(weights=None, **options)
    rng = np.random.default_rng(3)
    for each in model.layers:
        for weight in each.weights if isinstance(each, keras.layers.BatchNormalization) else []:
            if weight.name.endswith(("mean", "beta")):
                weight.assign(rng.normal(0, 0.2, weight.shape))
            else:
                weight.assign(rng.uniform(0.6, 1.4, weight.shape))
    _, height, width, channels = model.input_shape
    rows, cols = np.mgrid[:height, :width] / height
    waves = [np.sin(9 * cols + 3 * c) * np.cos(7 * rows - c) for c in range(channels)]
    pixels = np.stack(waves, -1) * 127 + 128
    return write(model, folder / "model.keras"), pixels.astype(np.float32)


def walk_all_layers(page, every: int = 1) -> None:
    """Every so many stages, large: all maps on the screen have ink; and outer blocks open on one screen."""
    until(page, IDLE)
    assert unseen(page) == []
    count = of_view(page, "({ scene }) => scene.stages.length")
    seen, blank = 0, {}
    for s in range(0, count, every):
        of_view(page, "(view, s) => view.zoomTo('layer', s)", s)
        until(page, IDLE)
        maps, found = of_view(page, INKLESS)
        seen += maps
        if found:
            blank[s] = found
    assert blank == {}
    assert seen > count / every
    names = of_view(page, "({ scene }) => scene.blocks.map(({ name }) => name)")
    outer = of_view(
        page, "({ scene }) => scene.blocks.filter(({ within }) => within === null).map(({ name }) => name)"
    )
    assert outer == [name for name in names if name in outer]
    assert unseen(page, [{"open": [name]} for name in outer]) == []


def test_no_map_that_is_shown_is_blank(chromium, open_page, tmp_path):
    path, pixels = living_model("MobileNetV2", tmp_path, input_shape=(96, 96, 3), alpha=0.35)
    scene = bytes(build_scene(cnnviz.load_model(path).run(pixels)))
    code = script("standalone").replace("</script", "<\\/script")
    start = """async () => {
      const root = document.querySelector(".cv");
      const scene = scene_module.sceneOf(new Uint8Array(await (await fetch("/scene")).arrayBuffer()));
      root.liveView = { view: new view_module.View(root, scene, { height: () => innerHeight }) };
    }"""
    head = f"<title>x</title><style>body {{ margin: 0 }} {style()}</style>"
    body = f'<div class="cv"></div><script>{code}\nwindow.start = {start};</script>'
    html = f'<!doctype html><html lang="en">{head}{body}'
    page = open_page("about:blank", height=720)
    page.route(
        "**/*",
        lambda route: route.fulfill(
            body=scene if route.request.url.endswith("/scene") else html, content_type="text/html"
        ),
    )
    page.goto("http://stage.test/")
    page.evaluate("start()")
    walk_all_layers(page, every=16)


PAGE = """
import numpy as np, streamlit as st, cnnviz
from cnnviz.stage.component import live_view
net = st.cache_resource(cnnviz.load_model)({path!r})
st.set_page_config(layout="wide")
live_view(net, np.load({pixels!r}), title="waves")
"""


@pytest.mark.skipif(not THOROUGH, reason="some minutes for each network")
@pytest.mark.parametrize("application", ["ResNet50", "EfficientNetB0"])
def test_every_layer_of_a_large_network_shows_its_maps(open_page, tmp_path, application):
    """At its own size, its maps asked for as they are shown."""
    path, pixels = living_model(application, tmp_path)
    np.save(tmp_path / "pixels.npy", pixels)
    page_script = tmp_path / "page.py"
    page_script.write_text(PAGE.format(path=str(path), pixels=str(tmp_path / "pixels.npy")))
    with streamlit_page(page_script, tmp_path) as url:
        page = open_page(url, height=900, reduced_motion="reduce")
        page.set_default_timeout(120_000)
        page.wait_for_selector(".cv-col")
        walk_all_layers(page)
        # It would miss the server.
        page.close()
