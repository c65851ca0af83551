"""The stage as a slide: one key, nothing beside it, arrows go on, and the same key leads back."""

import pytest
from playwright.sync_api import expect

import cnnviz
from cnnviz.stage.export import export_images, mnist_digits
from cnnviz.teaching.walks.receptive_field import RECEPTIVE_FIELD


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    net = cnnviz.load_model("mnist_14k")
    path = tmp_path_factory.mktemp("slide") / "x.html"
    return export_images(path, net, mnist_digits([247]), walk=RECEPTIVE_FIELD)


INSIDE = """() => {
  const { shadowRoot } = document.querySelector("[data-key]");
  return [...shadowRoot.querySelectorAll(".cv-walk, .cv-receipt, .cv-room")].every((part) => {
    const { right, bottom } = part.getBoundingClientRect();
    return right <= innerWidth && bottom <= innerHeight;
  });
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_one_key_makes_the_stage_a_slide(open_page, lesson, width, height):
    page = open_page(f"file://{lesson}", width=width, height=height)
    stage, place = page.locator(".cv"), page.locator(".cv-walkplace")
    expect(place).to_have_text("1 of 6")
    expect(page.locator(".cv-present")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("s")
    expect(stage).to_have_attribute("data-slide", "")
    expect(page.locator(".cv-leave")).to_be_focused()
    expect(page.locator(".cv-controls")).to_be_hidden()
    box = stage.bounding_box()
    assert (box["x"], box["y"], box["width"]) == (0, 0, page.evaluate("innerWidth"))
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text("2 of 6")
    if width == 1280:
        assert page.evaluate(INSIDE)
    page.keyboard.press("s")
    expect(stage).not_to_have_attribute("data-slide", "")
    expect(page.locator(".cv-present")).to_be_focused()
    expect(place).to_have_text("2 of 6")
