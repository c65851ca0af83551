"""The kernels page in a browser: a cell typed in changes the answer, and a link brings it back."""

from __future__ import annotations

import re


def wait_for_alt(page, words: str) -> None:
    page.locator(f'svg[aria-label*="{words}"]').first.wait_for(timeout=60_000)


def test_a_cell_that_is_typed_in_is_in_the_address_and_in_the_answer(open_page, explorer):
    page = open_page(f"{explorer}/kernels?digit=3")
    page.set_default_timeout(60_000)
    wait_for_alt(page, "The kernel, −1.00 0.00 +1.00; −2.00")
    cells = page.get_by_role("group", name="Weights").get_by_role("textbox")
    assert cells.count() == 9
    cells.nth(4).fill("0.5")
    cells.nth(4).press("Enter")
    wait_for_alt(page, "The kernel, −1.00 0.00 +1.00; −2.00 +0.50 +2.00")
    page.wait_for_url(re.compile("cells="))
    page.get_by_text("Your kernel, made from sobel x").wait_for()
    again = open_page(page.url)
    wait_for_alt(again, "The kernel, −1.00 0.00 +1.00; −2.00 +0.50 +2.00")


def test_a_kernel_is_picked_from_the_gallery(open_page, explorer):
    page = open_page(f"{explorer}/kernels?cells=0,0,0;0,1,0;0,0,2&all=5")
    page.set_default_timeout(60_000)
    page.get_by_role("button", name="outline", exact=True).click()
    page.wait_for_url(re.compile("kernel=outline"))
    page.get_by_text("outline: compares a pixel with all around it.").wait_for()
    assert "size=5" in page.url
    assert "cells=" not in page.url
