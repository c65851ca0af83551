"""The recorded run in a browser: it plays by itself, follows pointer and keys, and keeps what is chosen."""

from __future__ import annotations

import re

from browser.axe import violations
from browser.waiting import expect, standing, until_address, until_settled


def said(page, words: str) -> None:
    expect(page.locator(".now")).to_have_text(re.compile(words))


def test_it_plays_from_before_training_to_its_end_unless_the_address_has_an_epoch(open_page, explorer):
    page = open_page(f"{explorer}/epochs", height=720)
    said(page, r"^(Before training|After epoch [1-5] of 40)")
    said(page, r"^After epoch 40 of 40, 18,760 steps\. Right: training images 99\.82 % ± 0\.04")
    expect(page.locator(".play")).to_have_text("Play")
    until_settled(page)
    box = standing(page.locator(".curves svg"))
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 100)
    said(page, r"^After epoch \d of 40|^After epoch 1\d of 40")
    assert page.evaluate("new URLSearchParams(location.search).get('epoch')") is None, (
        "pointing chooses nothing"
    )
    page.mouse.move(box["x"] - 20, box["y"] - 20)
    said(page, "^After epoch 40 of 40")
    assert violations(page, ".st-key-player", moderate=True) == []
    slider = page.get_by_role("slider", name="After epoch").first
    slider.focus()
    page.keyboard.press("ArrowLeft")
    until_address(page, "epoch", "39")
    said(page, "^After epoch 39 of 40")
    page.reload()
    said(page, "^After epoch 39 of 40")
    expect(page.locator(".play")).to_have_text("Play")


def test_where_motion_is_not_wanted_it_stands_at_its_end(open_page, explorer):
    page = open_page(f"{explorer}/epochs", reduced_motion="reduce", width=390, height=844, has_touch=True)
    said(page, "^After epoch 40 of 40")
    until_settled(page)
    expect(page.locator(".play")).to_have_text("Play")
    box = standing(page.locator(".curves svg"))
    assert box["y"] + box["height"] <= 844, "the curves are in sight"
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 100)
    said(page, r"^After epoch (1\d|2\d) of 40")
    page.wait_for_function("/epoch=[12]\\d/.test(location.search)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_walk_leads_by_keys_and_buttons_through_the_runs_and_waits_for_who_strays(open_page, explorer):
    page = open_page(f"{explorer}/epochs?walk=1", height=720, reduced_motion="reduce")
    title, resume = page.locator(".steps h2"), page.get_by_role("button", name="Resume")
    expect(title).to_have_text("Before training")
    said(page, "^Before training")
    until_settled(page)
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("The biggest jump of all")
    said(page, "^After epoch 1 of 40")
    until_address(page, "walk", "2")
    expect(resume).to_be_hidden()
    slider = page.get_by_role("slider", name="After epoch").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    said(page, "^After epoch 2 of 40")
    expect(title).to_have_text("The biggest jump of all")
    resume.click()
    said(page, "^After epoch 1 of 40")
    expect(resume).to_be_hidden()
    for _ in range(2):
        page.get_by_role("button", name="Next", exact=True).click()
    expect(title).to_have_text("500 images by heart")
    said(page, "^After epoch 60 of 60")
    until_address(page, "run", "by_heart")
    assert violations(page, ".st-key-player", moderate=True) == []
    page.reload()
    expect(title).to_have_text("500 images by heart")
    page.get_by_role("button", name="Back", exact=True).click()
    expect(title).to_have_text("The curves part")
    said(page, "^After epoch 40 of 40")
