"""A network that trains before the learner's eyes, in a real browser: played, looked back at, explained."""

from __future__ import annotations

import pytest

from browser.axe import violations
from browser.waiting import expect
from cnnviz import load_mnist
from cnnviz.stage.recorded_runs import RecordedRuns

COLOURS = """(canvas) =>
  new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size"""
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
    said, slider = page.locator(".training .said"), page.locator(".training input[type=range]")
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


def test_the_walk_leads_through_runs_that_are_started_and_watched(training):
    page = training("?trial=no_norm")
    card = page.locator(".training .walk")
    expect(card.locator("h3")).to_have_text("No batch norm")
    expect(card).to_contain_text("3 of 6")
    card.get_by_role("button", name="Next").click()
    expect(card.locator("h3")).to_have_text("A ReLU that dies")
    page.wait_for_url("**trial=dead**")
    page.keyboard.press("ArrowLeft")
    expect(card.locator("h3")).to_have_text("No batch norm")
    page.keyboard.press("ArrowRight")
    expect(card.locator("h3")).to_have_text("A ReLU that dies")
    expect(card).to_contain_text("Watch the silent channels")
    for start, words in (
        ("SGD at 0.5: 100", "8 of 8 channels"),
        ("SGD at 0.05: 100", "What gets no gradient"),
    ):
        card.get_by_role("button", name=start).click()
        # It stops by itself where the runs are compared.
        expect(page.locator(".training .said")).to_contain_text("Paused: step 100")
        expect(card).to_contain_text(words)
    assert violations(page) == []
    card.get_by_role("button", name="End the walk").click()
    expect(card).to_be_hidden()
    expect(page.get_by_role("button", name="Things to find out")).to_be_visible()
    page.get_by_role("button", name="End the run").click()
    expect(page.locator(".training .said")).to_contain_text("Before the first step")


def test_any_weight_is_pointed_at_and_the_field_is_drawn(training):
    page = training()
    page.get_by_role("button", name="One step").click()
    expect(page.locator(".training .said")).to_contain_text("Paused: step 1, ")
    choose = page.locator(".training select[data-choose=weights]")
    choose.select_option("conv2d_1/kernel")
    channel = page.locator(".training input[type=number]")
    expect(channel).to_have_attribute("max", "3")
    channel.fill("2")
    channel.press("Enter")
    weight = page.locator(".training .kernel button").first
    expect(weight).to_have_attribute("data-at", "[0,0,2,0]")
    weight.click()
    receipt = page.locator(".training dialog")
    expect(receipt).to_contain_text("step 1, conv2d_1/kernel[0, 0, 2, 0]")
    # The receipt is closed while something else is chosen: neither question takes the other's place.
    choose.evaluate(
        """select => {
          select.closest(".training").querySelector("dialog").close();
          select.value = "dense/bias";
          select.dispatchEvent(new Event("change", { bubbles: true }));
        }"""
    )
    expect(receipt).to_be_hidden()
    expect(weight).to_have_attribute("data-at", "[0]")
    weight.click()
    expect(receipt).to_contain_text("step 1, dense/bias[0]")
    page.keyboard.press("Escape")
    field = page.locator(".training .field")
    expect(field).to_contain_text("The middle of conv2d_1 can see")
    field.locator("select").select_option("conv2d")
    expect(field).to_contain_text("The middle of conv2d can see")
    assert field.locator("canvas").evaluate(COLOURS) > 3
    page.get_by_role("button", name="End the run").click()
    expect(page.locator(".training .said")).to_contain_text("Before the first step")


def test_recorded_runs_are_scrubbed_in_a_file(chromium, tmp_path):
    path = RecordedRuns(["mnist_maxpool.short", "mnist_maxpool.by_heart"], load_mnist()[1][0][0]).save(
        tmp_path / "runs.html"
    )
    context = chromium.new_context(viewport={"width": 1000, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    thrown = []
    page.on("pageerror", lambda error: thrown.append(error.message))
    page.goto(path.as_uri())
    now, slider = page.locator(".now"), page.locator("input[type=range]")
    expect(now).to_contain_text("After epoch")
    kernel = page.locator(".tiles canvas").first
    last = kernel.evaluate("(canvas) => canvas.toDataURL()")
    slider.focus()
    page.keyboard.press("Home")
    expect(now).to_contain_text("Before training")
    assert kernel.evaluate("(canvas) => canvas.toDataURL()") != last
    page.get_by_label("Measure").select_option("loss")
    page.keyboard.press("Tab")
    expect(page.locator("figcaption").first).to_contain_text("in nats")
    page.get_by_label("Run").select_option(label="mnist_maxpool: 500 images by heart")
    slider.focus()
    page.keyboard.press("End")
    expect(now).to_contain_text("Mean loss")
    assert violations(page) == []
    assert thrown == []
    context.close()
