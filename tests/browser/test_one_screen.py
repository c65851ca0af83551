"""The whole network stands on one screen, from near and from far, with a receipt and without."""

from __future__ import annotations

from typing import Any

import pytest

from browser.stage_page import marks, of_view, place, show, unseen, until
from browser.waiting import expect, until_settled
from cnnviz.stage.export import export

MODELS = ["mnist_14k", "mnist_maxpool"]
STAGES = """({ scene, network }, every) => scene.stages
  .filter((stage) => scene.shows(stage) && (every || network.seenAs.get(stage.index) === stage.index))
  .map(({ name, shape }) => [name, ...shape.map((size) => size >> 1)])"""
WHOLE = """({ network, scene }) => ({
  stages: scene.stages.filter((stage) => scene.shows(stage)).every(({ index }) => network.seenAs.has(index)),
  maps: network.columns.every(({ shown }) =>
    network.maps.byStage.get(shown).filter(Boolean).length >= scene.stages[shown].shape[2]),
  bars: network.bars.rows.length })"""


WIDEST = """(view, states) => Math.max(...states.map((state) => {
  view.restore(state);
  view.show();
  return document.documentElement.scrollWidth;
}))"""


@pytest.fixture(scope="session")
def model_file(tmp_path_factory, digits_file):
    """model_file(name): three digits and that network as one file."""
    files = {"mnist_14k": digits_file}

    def of(model: str):
        if model not in files:
            files[model] = export(
                tmp_path_factory.mktemp("live") / f"{model}.html", digits=[0, 7, 42], model=model
            )
        return files[model]

    return of


def states_of(page, *, every: bool) -> list[dict[str, Any]]:
    """The network alone; a receipt of each column, or of every step in it, from afar and from near."""
    paths = [[cell] for cell in of_view(page, STAGES, every)]
    zooms = ("network", "layer", "cell")
    return [{}, *({"path": path, "zoom": zoom} for path in paths for zoom in zooms)]


def expect_all_on_the_screen(page, *, every: bool = False) -> None:
    """Every map, every bar and every word, whatever is open."""
    assert of_view(page, WHOLE) == {"stages": True, "maps": True, "bars": 10}
    assert unseen(page, states_of(page, every=every)) == []
    show(page, {})


@pytest.mark.parametrize("model", MODELS)
def test_all_of_a_file_stands_on_the_screen_in_every_state(open_page, model_file, model):
    page = open_page(model_file(model).as_uri(), width=1280, height=720, offline=True)
    page.wait_for_selector(".cv-barrow")
    expect_all_on_the_screen(page, every=True)
    page.set_viewport_size({"width": 1920, "height": 1080})
    until(page, "({ root }) => root.clientHeight > 1000 && root.clientHeight <= innerHeight")
    expect_all_on_the_screen(page)


@pytest.mark.parametrize("model", MODELS)
def test_all_of_the_explorer_s_stage_stands_on_the_screen_beside_its_sidebar(open_page, explorer, model):
    page = open_page(f"{explorer}/?digit=0&model={model}", width=1280, height=720)
    page.wait_for_selector(".cv-barrow")
    until_settled(page)
    assert page.get_by_test_id("stSidebar").bounding_box()["x"] >= 0, "the sidebar is open"
    for width, height in ((1280, 720), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        until(page, "(view, width) => innerWidth === width && view.root.clientWidth < width - 200", width)
        until_settled(page)
        expect_all_on_the_screen(page, every=width == 1280)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 640)])
@pytest.mark.parametrize("model", MODELS)
def test_on_a_phone_nothing_is_wider_and_a_tap_shows_the_receipt(open_page, model_file, model, width, height):
    options = {"width": width, "height": height, "has_touch": True, "is_mobile": True, "offline": True}
    page = open_page(model_file(model).as_uri(), **options)
    page.wait_for_selector(".cv-barrow")
    wide = of_view(page, WIDEST, states_of(page, every=False))
    assert wide <= width
    show(page, {})
    page.touchscreen.tap(*place(page, 1, 5, 6, 2))
    expect(page.locator(".cv-rvalue")).to_be_in_viewport(ratio=1)
    expect(page.locator(".cv-receipt h2")).to_be_in_viewport(ratio=1)
    # What a pointer shows by resting there.
    assert {"cell", "read", "fed"} <= {mark["style"] for mark in marks(page)}
