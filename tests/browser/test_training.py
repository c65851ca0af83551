"""A network that trains before the learner's eyes, in a real browser: played, looked back at, explained."""

from __future__ import annotations

import pytest

from browser.axe import violations
from browser.waiting import expect

QUERY = "?network=small&images=100&batch=20&rate=0.003"


@pytest.fixture
def training(open_page, explorer):
    def visit(query: str = QUERY, **options):
        page = open_page(f"{explorer}/training{query}", **options)
        page.locator(".training .said").wait_for()
        page.locator(".cv-verdict").first.wait_for()
        return page

    return visit


def test_it_trains_while_it_is_watched_and_is_looked_back_at(training):
    page = training()
    said, slider = page.locator(".training .said"), page.locator(".training input")
    expect(said).to_contain_text("Before the first step")
    verdict = page.locator(".cv-verdict").first
    untrained = verdict.text_content()
    page.locator(".training").get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    expect(said).to_contain_text("It trains: step ")
    # The stage has the run's weights: what it says of the digit follows.
    expect(verdict).not_to_have_text(untrained)
    page.locator(".training").get_by_role("button", name="Pause").click()
    expect(said).to_contain_text("Paused: step ")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("Looking back at step ")
    page.keyboard.press("Home")
    expect(said).to_contain_text("Looking back at step 0 of ")
    expect(verdict).to_have_text(untrained)
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("Looking back at step 1 of ")
    weight = page.locator(".training .kernel button").first
    weight.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    receipt = page.locator(".training dialog")
    expect(receipt).to_contain_text("step 1, conv2d/kernel[0, 1, 0, 0]")
    page.keyboard.press("Escape")
    expect(receipt).to_be_hidden()
    with page.expect_download() as kept:
        page.get_by_role("button", name="network as .keras").click()
    assert kept.value.suggested_filename == "trained-1.keras"
    page.get_by_role("button", name="to the newest").click()
    expect(said).to_contain_text("Paused: step ")
    assert violations(page) == []
    # The run is still there on the way back from another page.
    page.get_by_role("link", name="Glossary").click()
    expect(page.locator("h1")).to_have_text("Glossary")
    page.get_by_role("link", name="Training").click()
    expect(said).to_contain_text("Paused: step ")
    # The next one who comes need not wait until this session is found to be gone.
    page.get_by_role("button", name="End the run").click()
    expect(said).to_contain_text("Before the first step")


def test_one_step_at_a_time_on_a_small_screen(training):
    page = training(width=360, height=640, has_touch=True)
    said = page.locator(".training .said")
    for number in (1, 2):
        page.get_by_role("button", name="One step").tap()
        expect(said).to_contain_text(f"Paused: step {number}, ")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
