"""Pictures of pages: the cell that is pointed at or touched says its number; a click chooses a map."""

from __future__ import annotations

import pytest

import cnnviz
from browser.waiting import expect, until_address, until_settled


@pytest.mark.parametrize("touch", [False, True])
def test_a_cell_says_its_number(open_page, explorer, touch):
    options = {"width": 390, "height": 844, "has_touch": True} if touch else {}
    page = open_page(f"{explorer}/feature_maps?digit=18&layer=conv2d_3&channel=7", **options)
    page.get_by_text("Show the code").wait_for()
    enlarged = page.locator("figure", has=page.get_by_text("Channel 7. The strongest cell"))
    enlarged.wait_for()
    until_settled(page)
    image = enlarged.locator("svg image").first
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    maps = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][18])["conv2d_3"][0]
    for row, col in ((2, 3), (9, 0)):
        x, y = box["x"] + (col + 0.5) * box["width"] / 10, box["y"] + (row + 0.5) * box["height"] / 10
        if touch:
            page.touchscreen.tap(x, y)
        else:
            page.mouse.move(x, y)
        said = enlarged.locator(".tip")
        expect(said).to_contain_text(f"row {row}, column {col}: ")
        number = float(said.inner_text().split(": ")[1].replace("−", "-"))
        assert number == pytest.approx(float(maps[row, col, 7]), rel=5e-4, abs=1e-9)
    if not touch:
        page.mouse.move(2, 2)
        expect(enlarged.locator(".tip")).to_be_hidden()
    page.get_by_role("button", name="Channel 3", exact=True).click()
    until_address(page, "channel", "3")
