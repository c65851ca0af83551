"""A network too large to be sent whole, in the explorer and as a file: numbers come as they are seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from browser.conftest import streamlit_page
from browser.large_network import large_network, picture
from browser.stage_page import of_view, until
from browser.waiting import expect
from cnnviz.stage.intervention import intervene
from cnnviz.stage.live_view import view as live

PAGE = Path(__file__).parent / "large_network.py"
IDLE = "({ asking }) => !asking.waiting && !asking.next && !asking.wanted.size"
INK = """({ level, scene, plain }, s) => {
  // Of each map of a stage on the screen: whether it is drawn as more than one colour.
  const canvas = level.maps.base;
  const { ratio } = level.maps;
  const pen = canvas.getContext("2d");
  const maps = level.maps.rects.filter(({ stage, width }) => stage === s && width > 4);
  return maps.map(({ x, y, width, height }) => {
    const box = [x, y, width, height].map((n) => Math.round(n * ratio));
    const dots = new Uint32Array(pen.getImageData(...box).data.buffer);
    return new Set(dots).size;
  });
}"""
PAGE_HERE = """({ values, scene, levels }, s) => {
  const channels = scene.stages[s].shape[2];
  const missing = (k) => values[s].some((x, n) => n % channels === k && !Number.isFinite(x));
  return !levels.layer.page.channels.some(missing);
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with streamlit_page(PAGE, tmp_path_factory.mktemp("large")) as url:
        yield url


@pytest.fixture(scope="module")
def shown(contexts, served):
    """The page, once its first maps are there; its errors fail the tests at their end."""
    from browser.conftest import new_page

    troubles: list[str] = []
    page = new_page(contexts, troubles, reduced_motion="reduce")
    page.goto(served)
    page.wait_for_selector(".cv-col")
    until(page, IDLE)
    yield page
    page.close()
    assert not troubles


@pytest.fixture(scope="module")
def run():
    return large_network().run(picture())


@pytest.fixture
def stage(shown):
    """stage(name): its number; the view is as it opens."""
    of_view(shown, "(view) => { view.walk([]); view.zoomTo('network'); view.change([]); }")
    until(shown, IDLE)
    return lambda name: of_view(
        shown, "({ scene }, name) => scene.stages.find((stage) => stage.name === name).index", name
    )


def test_only_what_is_seen_has_come_and_every_map_has_ink(shown, stage):
    s = stage("conv_2 relu")
    whole = "({ values }, s) => [...values[s]].filter(Number.isFinite).length"
    assert of_view(shown, "({ plain }) => plain.header.far")
    assert min(of_view(shown, INK, s)) > 2
    assert of_view(shown, whole, s) < 16 * 16 * 512 / 4
    assert not of_view(shown, "({ plain }) => Boolean(plain.arrays.get('conv_3/kernel').array)")


def test_a_layer_that_is_looked_at_comes_page_by_page(shown, stage, run):
    s = stage("conv_2 relu")
    of_view(shown, "(view, s) => view.zoomTo('layer', s)", s)
    seen: list[int] = []
    for _ in range(2):
        until(shown, f"(view) => ({IDLE})(view) && ({PAGE_HERE})(view, {s})")
        page, values = of_view(
            shown, "({ values, levels }, s) => [levels.layer.page.channels, [...values[s]]]", s
        )
        assert min(of_view(shown, INK, s)) >= 1
        maps = np.array([np.nan if x is None else x for x in values], np.float32).reshape(
            run["conv_2"][0].shape
        )
        np.testing.assert_array_equal(maps[..., page], run["conv_2"][0][..., page])
        assert not set(page) & set(seen)
        seen += page
        shown.get_by_role("button", name="Next channels").click()
    activity = np.abs(run["conv_2"][0]).max(axis=(0, 1))
    assert activity[seen].min() >= np.delete(activity, seen).max()


def test_the_largest_cell_of_a_map_that_is_not_here_is_a_few_keys_away(shown, stage, run):
    assert stage("conv_3 relu")
    number = of_view(shown, "({ scene }) => [...new Set(scene.stages.map((s) => s.layer))].indexOf('conv_3')")
    for key in ("g", *str(number), "Enter", "4", "1", "0", "l"):
        shown.keyboard.press(key)
    row, col = np.unravel_index(run["conv_3"][0, ..., 410].argmax(), run["conv_3"].shape[1:3])
    until(
        shown,
        "({ hover }, at) => hover && `${[hover.row, hover.col, hover.channel]}` === `${at}`",
        [int(row), int(col), 410],
    )


def test_a_receipt_asks_for_its_patch_and_its_kernel(shown, stage, run):
    s = stage("conv_3 relu")
    of_view(shown, "(view, s) => view.pin({ stage: s, row: 4, col: 5, channel: 409 })", s)
    expect(shown.locator(".cv-rvalue")).to_be_visible()
    value, total = of_view(shown, "({ receipt }) => [receipt.steps.at(-1).value, receipt.steps.at(-1).total]")
    assert np.float32(value) == run["conv_3"][0, 4, 5, 409]
    assert abs(value - total) < 1e-3 * max(1, abs(value))
    kernel = large_network()["conv_3"].weights["kernel"]
    given = of_view(
        shown, "({ plain }) => [...plain.arrays.get('conv_3/kernel').data].filter(Number.isFinite).length"
    )
    assert given == kernel[..., 409].size


def test_python_computes_what_the_page_would_be_slow_at_and_it_is_said(shown, stage, run):
    s = stage("conv_2 relu")
    changes = [{"kind": "channel", "stage": "conv_1 relu", "channel": 3}]
    # Meanwhile Streamlit builds the element anew, which drops what was asked.
    of_view(shown, "(view, changes) => { view.change(changes); view.seated = true; }", changes)
    until(shown, f"(view) => view.computedBy === 'python' && view.before && ({IDLE})(view)")
    expect(shown.locator(".cv-by")).to_have_text("computed by Python")
    changed, _ = intervene(large_network(), picture(), changes)
    probabilities = np.float32(of_view(shown, "({ values, scene }) => [...values[scene.output.index]]"))
    np.testing.assert_array_equal(probabilities, changed.output[0])
    assert not of_view(shown, "({ changed }, s) => changed.has(s)", stage("conv_0 relu"))
    assert s


def test_what_is_too_much_for_a_link_is_said(shown, stage):
    assert stage("conv_2 relu")
    rest = of_view(
        shown,
        """(view) => {
      const at = [...view.plain.valuesOf(0)[0].keys()];
      const values = at.map((n) => 1 / (n + 3));
      view.change([{ kind: "values", stage: view.scene.stages[0].name, at, values }]);
      return view.state().changes[0].at.length;
    }""",
    )
    assert rest == picture().size
    shown.get_by_role("button", name="Copy link").click()
    expect(shown.locator(".cv-said")).to_contain_text("Save keeps it in a file")
    shown.locator(".cv-said").get_by_role("button", name="Close").click()


def test_the_way_to_the_pixels_is_walked_a_receipt_at_a_time(shown, stage):
    of_view(shown, "(view) => view.pin({ stage: view.scene.output.index, row: 0, col: 0, channel: 2 })")
    shown.get_by_role("button", name="To the pixels").click()
    until(shown, "({ trail, scene }) => scene.stages[trail.at(-1).stage].op.type === 'input'")
    numbers = of_view(shown, "(view) => view.trail.map((cell) => view.valueOf(cell))")
    assert all(np.isfinite(numbers))


@pytest.mark.parametrize(("chosen", "here"), [({"last": 2}, False), ({"layers": ["conv_1"]}, True)])
def test_a_file_shows_what_it_holds_and_says_what_not(open_page, tmp_path, chosen, here):
    path = live(large_network(), picture()).save(tmp_path / "part.html", **chosen)
    page = open_page(path.as_uri())
    page.wait_for_selector(".cv-col")
    expect(page.locator(".cv-said")).to_contain_text("Left out are those of")
    s = of_view(page, "({ scene }) => scene.stages.find(({ name }) => name === 'conv_1 relu').index")
    of_view(page, "(view, s) => view.pin({ stage: s, row: 4, col: 5, channel: 6 })", s)
    if here:
        expect(page.locator(".cv-rvalue")).to_be_visible()
        assert min(of_view(page, INK, s)) > 2
    else:
        expect(page.locator("[data-left-out]")).to_contain_text("left out of this file")
