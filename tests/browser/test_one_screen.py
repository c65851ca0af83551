"""The whole network on one screen, from near and from far, with a receipt and without; nothing moves unasked."""

from __future__ import annotations

import re

import pytest

from browser.stage_page import click, expect_zoom, of_view, place, show, unseen, until
from browser.waiting import expect, until_settled
from cnnviz.stage.export import export

SCREENS = [(1280, 720), (1366, 768), (1920, 1080)]
MODELS = ["mnist_14k", "mnist_maxpool"]
STAGES = """({ network, scene }) => scene.stages.filter((stage) => scene.shows(stage)).map((stage) => ({
  name: stage.name, column: network.seenAs.get(stage.index), index: stage.index,
  middle: stage.shape.map((size) => size >> 1) }))"""
WHOLE = """({ network, scene }) => ({
  columns: network.columns.length,
  named: network.columns.every(({ stages }) => stages.length),
  seen: scene.stages.filter((stage) => scene.shows(stage)).every(({ index }) => network.seenAs.has(index)),
  maps: network.columns.every(({ shown }) => network.maps.byStage.get(shown).filter(Boolean).length >= scene.stages[shown].shape[2]),
  bars: network.bars.rows.length })"""


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


def check_every_state(page, where: str) -> None:
    """The network alone, each of its cells' receipts, each layer large, a cell of each."""
    whole = of_view(page, WHOLE)
    assert (whole["named"], whole["seen"], whole["maps"], whole["bars"]) == (True, True, True, 10), where
    assert unseen(page) == [], where
    for stage in of_view(page, STAGES):
        path = [[stage["name"], *stage["middle"]]]
        for state in (
            {"path": path},
            {"zoom": "layer", "layer": stage["name"]},
            {"path": path, "zoom": "layer"},
            {"path": path, "zoom": "cell"},
        ):
            show(page, state)
            assert unseen(page) == [], (where, state)
    show(page, {})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_all_of_a_file_stands_on_the_screen_in_every_state(open_page, model_file, model, width, height):
    page = open_page(model_file(model).as_uri(), width=width, height=height, offline=True)
    page.wait_for_selector(".cv-barrow")
    check_every_state(page, f"{model} at {width}x{height}")


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
        page.locator(".cv").scroll_into_view_if_needed()
        check_every_state(page, f"{model} at {width}x{height} in the explorer")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 640)])
@pytest.mark.parametrize("model", MODELS)
def test_on_a_phone_nothing_is_wider_and_a_tap_shows_the_receipt(open_page, model_file, model, width, height):
    options = {"width": width, "height": height, "has_touch": True, "is_mobile": True, "offline": True}
    page = open_page(model_file(model).as_uri(), **options)
    page.wait_for_selector(".cv-barrow")
    for stage in of_view(page, STAGES):
        path = [[stage["name"], *stage["middle"]]]
        for state in ({}, {"path": path}, {"path": path, "zoom": "layer"}, {"path": path, "zoom": "cell"}):
            show(page, state)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, state
    show(page, {})
    page.touchscreen.tap(*place(page, 1, 5, 6, 2))
    expect(page.locator(".cv-rvalue")).to_be_in_viewport(ratio=1)
    expect(page.locator(".cv-receipt h2")).to_be_in_viewport(ratio=1)
    # What a pointer shows by resting there.
    marked = of_view(page, "(view) => view.marksOf(view.active).map(({ stage, style }) => [stage, style])")
    assert {"cell", "read", "fed"} <= {style for _, style in marked}
