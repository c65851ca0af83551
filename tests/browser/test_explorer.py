"""The live view in the explorer: drawing, changing numbers, another digit, TensorFlow's number."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnviz
from browser.stage_page import expect_zoom, of_view, saved_files, until
from browser.waiting import expect, standing, until_settled


@pytest.fixture
def overview(open_page, explorer):
    def visit(query: str = "?digit=0", **options):
        page = open_page(f"{explorer}/{query}", **options)
        page.wait_for_selector(".cv-barrow")
        page.get_by_text("Show the code").wait_for()
        until_settled(page)
        return page

    return visit


def expect_title(page, words: str) -> None:
    """The view says at its head that it shows that, and what is predicted."""
    expect(page.locator(".cv-title")).to_have_text(re.compile(f"^{words}"))


def draw_seven(page) -> None:
    box = standing(page.locator(".cv-pad"))

    def to(x: float, y: float) -> None:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])

    to(0.3, 0.25)
    page.mouse.down()
    for i in range(8):
        to(0.3 + 0.4 * i / 7, 0.25)
    for i in range(10):
        to(0.7 - 0.25 * i / 9, 0.25 + 0.55 * i / 9)


def test_a_drawing_is_answered_while_it_is_made_and_stays(overview):
    page = overview()
    page.locator(".cv-opendraw").click()
    draw_seven(page)
    expect_title(page, "your drawing predicted 7")
    expect(page.locator(".cv-engine")).to_contain_text("Predicted 7 with")
    page.mouse.up()
    # The page around has it too.
    expect_title(page, "Your digit predicted 7")
    # Without a stroke it is the digit from before, on the page around too.
    page.locator(".cv-panel [data-do=undo]").click()
    page.locator(".cv-engine", has_text="Draw a digit").wait_for()
    expect_title(page, "Test digit 0 predicted 7")
    expect(page.get_by_alt_text("Test digit 0, a 7")).to_be_visible()
    page.locator(".cv-edits [data-redo]").click()
    expect_title(page, "Your digit predicted 7")
    page.locator(".cv-panel [data-do=keep]").click()
    # Once it is done, the drawing is one step of the history of all changes.
    page.locator(".cv-edits [data-undo]").click()
    expect_title(page, "Test digit 0 predicted 7")
    expect(page.get_by_alt_text("Test digit 0, a 7")).to_be_visible()
    page.locator(".cv-edits [data-redo]").click()
    expect_title(page, "Your digit predicted 7")
    expect(page.get_by_alt_text("Your digit")).to_be_visible()


REMOUNT = """async (root) => {
  const { data, ask } = root.liveView;
  const parentElement = root.getRootNode();
  root.parentElement.innerHTML = '<div class="live-view"></div>';
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  (await cnnvizLiveView.ready)({ data, parentElement, setStateValue: ask });
}"""
"""What Streamlit does when it builds a component's element anew, and takes its time."""


def test_what_is_in_hand_goes_into_an_element_built_anew_and_is_there_after_another_page(overview):
    page = overview(width=360, height=780)
    page.locator(".cv-opendraw").click()
    page.locator(".cv-pad").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.locator(".cv").evaluate(REMOUNT)
    expect(page.locator(".cv-pad")).to_be_focused()
    for key in ("ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    expect_title(page, "Your digit predicted")
    page.set_viewport_size({"width": 1280, "height": 780})
    page.get_by_test_id("stSidebar").get_by_role("link", name="Kernels").click()
    page.locator(".cv").wait_for(state="detached")
    page.get_by_test_id("stSidebar").get_by_role("link", name="Overview").click()
    page.locator("[data-do=undo]").click()
    page.locator(".cv-engine", has_text="Draw a digit").wait_for()


def test_a_pad_stays_open_while_the_page_answers_to_an_earlier_stroke(overview):
    page = overview()
    page.locator(".cv-opendraw").click()
    page.locator(".cv-pad").focus()
    for key in ("Space", "Shift+ArrowDown", "Space", "ArrowRight", "Space", "Shift+ArrowDown", "Space"):
        page.keyboard.press(key)
    until(page, "({ scene }) => scene.header.host.drawn === 2")
    expect_title(page, "Your digit predicted")
    expect(page.locator(".cv-pad")).to_be_focused()


def test_a_changed_weight_is_computed_again_marked_and_taken_back(overview):
    page = overview()
    page.locator(".cv-start").click()
    page.locator(".cv-row.cv-won").click()
    before = page.locator(".cv-rvalue").inner_text()
    page.keyboard.press("+")
    page.keyboard.press("+")
    expect_zoom(page, "cell")
    page.locator('.cv-card [data-term="0.3.5"][data-role="w"]').click()
    page.locator(".cv-form:not(.cv-goto) input").fill("-30")
    page.keyboard.press("Enter")
    expect(page.locator(".cv-edits")).to_contain_text("1 change")
    expect(page.locator(".cv-verdict")).to_have_text(
        re.compile("^now [0-68-9] with .*; before 7 with > 99.99 %$")
    )
    net = cnnviz.load_model("mnist_14k")
    kernel = np.array(net["conv2d_7"].weights["kernel"])
    kernel[1, 1, 3, 7] = -30
    expected = net.with_weights({"conv2d_7/kernel": kernel}).run(cnnviz.load_mnist()[1][0][0])
    shown = float(page.locator(".cv-rvalue").inner_text().replace("−", "-"))
    assert shown == pytest.approx(float(expected["conv2d_7"][0, 0, 0, 7]), rel=1e-3)
    changed = of_view(page, "({ changed, scene }) => [...changed].map((s) => scene.stages[s].layer)")
    assert set(changed) == {"conv2d_7", "softmax"}, "nothing before it is computed again"
    page.locator(".cv-edits [data-reset]").click()
    expect(page.locator(".cv-edits")).to_contain_text("no change")
    expect(page.locator(".cv-rvalue")).to_have_text(before)
    page.locator(".cv-edits [data-undo]").click()
    expect(page.locator(".cv-edits")).to_contain_text("1 change")


def test_changed_weights_go_to_the_other_pages_and_come_back(overview):
    page = overview()
    change = {"kind": "weights", "array": "conv2d_7/bias", "at": [3], "values": [40]}
    of_view(page, "(view, change) => view.history.commit([change], '')", change)
    line = page.locator(".st-key-changed")
    expect(line).to_contain_text("1 weight is changed in conv2d_7.")
    page.get_by_role("link", name="From scores to loss").click()
    page.get_by_role("heading", name="From scores to loss").wait_for()
    expect(line).to_contain_text("This page computes with that")
    expect(page.locator(".card")).to_contain_text("mnist_14k, changed, says3 with")
    page.get_by_role("link", name="Overview").click()
    expect_title(page, "Test digit 0 now 3 with .*; before 7 with")
    line.get_by_role("button", name="Take all back").click()
    expect_title(page, "Test digit 0 predicted 7 with")
    expect(line).to_have_count(0)
    page.locator(".cv-edits [data-undo]").click()
    expect(line).to_contain_text("1 weight is changed in conv2d_7.")


def test_a_silenced_channel_says_what_was_computed_and_comes_back(overview):
    page = overview("?digit=0&view=trail%3Dconv2d_3~4~5~7%21max_pooling2d~4~5~2")
    expect(page.locator(".cv-crumbs li")).to_have_count(2)
    page.get_by_role("button", name="Switch channel 2 off").click()
    page.locator(".cv-proof", has_text="set to 0 by hand").wait_for()
    expect(page.locator(".cv-rvalue")).to_have_text("0")
    expect(page.locator(".cv-receipt .cv-line")).to_contain_text("set to 0 by hand")
    page.locator("[data-list]").click()
    expect(page.locator(".cv-changes li")).to_contain_text(["max_pooling2d: channel 2 off"])
    page.locator("[data-drop]").click()
    expect(page.locator(".cv-rvalue")).not_to_have_text("0")
    expect(page.locator(".cv-byhand")).to_have_count(0)


def test_another_digit_is_repainted_and_what_was_painted_stays_with_the_one_before(overview):
    page = overview()
    painted = {"kind": "values", "stage": "input", "at": [30, 31], "values": [1, 1]}
    off = {"kind": "channel", "stage": "conv2d relu", "channel": 3}
    of_view(page, "(view, changes) => view.history.commit(changes, '')", [painted, off])
    page.get_by_role("button", name="Next mistake").click()
    expect_title(page, r"Test digit [1-9]\d* ")
    until(page, "({ changes }) => changes.length === 1 && changes[0].kind === 'channel'")
    page.locator(".cv-edits [data-undo]").click()
    expect_title(page, "Test digit 0 still 7")
    expect(page.get_by_alt_text("Test digit 0, a 7")).to_be_visible()
    until(page, "({ changes }) => changes.length === 2")
    page.locator(".cv-edits [data-undo]").click()
    page.get_by_role("button", name="Next mistake").click()
    expect_title(page, r"Test digit [1-9]\d* predicted \d .*✗ \(it is an? \d\)")


def test_a_saved_state_holds_the_digit_which_the_page_around_may_have_changed(overview, tmp_path):
    page = overview("?digit=42")
    expect_title(page, "Test digit 42 predicted 4")
    saved_files(page, tmp_path)
    state = tmp_path / "cnnviz-mnist_14k.json"
    page.locator("input[type=file]").set_input_files(state)
    expect_title(page, "Test digit 42 predicted 4 with .*✓")
    page.get_by_role("button", name="Next mistake").click()
    expect_title(page, r"Test digit (?!42)\d+ ")
    page.locator("input[type=file]").set_input_files(state)
    expect_title(page, "Your digit predicted 4")


def test_tensorflow_s_number_stands_beside_the_receipt(overview):
    page = overview("?digit=0&view=trail%3Dconv2d_3~4~5~7")
    # Nobody is asked about a receipt that nobody looks at.
    page.locator(".cv-rhead").scroll_into_view_if_needed()
    line = page.locator(".cv-authority", has_text=re.compile("TensorFlow .* difference"))
    line.wait_for(timeout=180_000)
    theirs = float(re.search(r"TensorFlow ([−\d.e]+)", line.inner_text())[1].replace("−", "-"))
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])
    assert theirs == pytest.approx(float(run.pre_activation("conv2d_3")[0, 4, 5, 7]), abs=1e-4)


def test_dark_and_narrow(overview):
    page = overview(width=360, height=780, dark=True)
    view = page.locator(".cv")
    expect(view).to_have_attribute("data-theme", "dark")
    page.wait_for_function("e => e.scrollWidth <= e.clientWidth", arg=view.element_handle())


@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 640)])
def test_on_a_phone_what_a_tap_opens_is_in_sight(open_page, explorer, width, height):
    page = open_page(explorer, width=width, height=height, has_touch=True)
    page.locator(".cv-start").tap()
    factors = page.locator(".cv-ranked button.cv-row")
    factors.first.wait_for()
    page.locator(".cv-opendraw").tap()
    for part in (".cv-pad", ".cv-panel [data-do=undo]", ".cv-panel [data-do=keep]"):
        box = standing(page.locator(part))
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= height, part
    page.locator(".cv-panel [data-do=keep]").tap()
    for part in (factors.first, page.locator(".cv-rvalue"), page.locator(".cv-ranked .cv-rest")):
        box = standing(part)
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
