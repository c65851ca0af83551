"""The kernels page in a browser: a cell typed in changes the answer, and a link brings it back."""

from __future__ import annotations

import re

from browser.waiting import expect, standing, until_address


def wait_for_alt(page, words: str) -> None:
    page.locator(f'svg[aria-label*="{words}"]').first.wait_for()


def test_a_cell_that_is_typed_in_is_in_the_address_and_in_the_answer(open_page, explorer):
    page = open_page(f"{explorer}/kernels?digit=3&on=digit")
    wait_for_alt(page, "The kernel, −1.00 0.00 +1.00; −2.00")
    cells = page.get_by_role("group", name="Drag a weight").get_by_role("textbox")
    expect(cells).to_have_count(9)
    cells.nth(4).fill("0.5")
    cells.nth(4).press("Enter")
    wait_for_alt(page, "The kernel, −1.00 0.00 +1.00; −2.00 +0.50 +2.00")
    page.get_by_text("Your kernel, made from sobel x").wait_for()
    page.wait_for_url(re.compile("cells="))
    again = open_page(page.url)
    wait_for_alt(again, "The kernel, −1.00 0.00 +1.00; −2.00 +0.50 +2.00")


def test_a_kernel_is_picked_from_the_gallery(open_page, explorer):
    page = open_page(f"{explorer}/kernels?cells=0,0,0;0,1,0;0,0,2&all=5")
    page.get_by_role("button", name="outline", exact=True).click()
    page.get_by_text("outline: compares a pixel with all around it.").wait_for()
    until_address(page, "kernel", "outline")
    until_address(page, "size", "5")
    until_address(page, "cells", None)


def test_a_weight_is_dragged_and_the_response_follows(open_page, explorer):
    page = open_page(f"{explorer}/kernels?digit=3")
    wait_for_alt(page, "The kernel, −1.00 0.00 +1.00; −2.00 0.00 +2.00")
    cell = page.get_by_role("group", name="Drag a weight").get_by_role("textbox").nth(4)
    box = standing(cell)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 13, y, steps=3)
    expect(cell).to_have_value("1")
    page.mouse.up()
    wait_for_alt(page, "The kernel, −1.00 0.00 +1.00; −2.00 +1.00 +2.00")
    until_address(page, "cells", "-1,0,1;-2,1,2;-1,0,1")
    # A press without a drag begins to type.
    page.mouse.click(x, y)
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    wait_for_alt(page, "The kernel, −1.00 0.00 +1.00; −2.00 +7.00 +2.00")
