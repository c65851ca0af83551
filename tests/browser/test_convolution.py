"""The playground in a browser: cells typed, refused and pasted; the walk played, paused and pointed at."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageSequence

import cnnviz
from browser.axe import violations
from browser.waiting import expect, until_address, until_fits, until_settled
from cnnviz import kernels, ops
from cnnviz.concepts import playground as patches


@pytest.fixture
def playground(open_page, explorer):
    def visit(query: str = "", corner: str = "top=0&left=0", **options):
        page = open_page(f"{explorer}/convolution?digit=0&{corner}&{query}", **options)
        until_drawn(page)
        return page

    return visit


def opens_at(size: int) -> int:
    """The step with the largest result in the liveliest patch of digit 0."""
    image = cnnviz.load_mnist()[1][0][0]
    x = patches.patch(image, *patches.liveliest(image, size), size)
    response = ops.conv2d(x, kernels.named("sobel x").kernel[:, :, None, None], padding="same")
    return int(np.abs(response).argmax())


def until_drawn(page) -> None:
    """The whole page is there, and its players too: a component's script comes after the words below it."""
    page.get_by_text("Show the code").wait_for()
    until_settled(page)
    page.wait_for_function(
        """() => {
          const found = (root) => [...root.querySelectorAll("*")].flatMap((e) =>
            [...(e.matches(".tools .count") ? [e] : []), ...(e.shadowRoot ? found(e.shadowRoot) : [])]);
          const counts = found(document);
          return counts.length > 0 && counts.every((count) => count.textContent.startsWith("step"));
        }"""
    )


def test_weights_are_typed_refused_pasted_and_reset(playground):
    page = playground("source=cells&cells_a_side=3&padding=valid&typed=1,2,3;4,5,6;7,8,9")
    kernel = page.get_by_role("group", name="Drag a weight, or type one")
    weight = kernel.locator("input")
    weight.nth(0).click()
    page.keyboard.type("5")
    page.keyboard.press("ArrowDown")
    until_address(page, "kernel", "5,0,1;-2,0,2;-1,0,1")
    expect(weight.nth(3)).to_be_focused()
    # 8, and 6 times the 1 above the first weight.
    page.locator(".result", has_text="= 14").first.wait_for()
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    page.get_by_text("“two” is not a number. The cell keeps −2.").wait_for()
    page.keyboard.press("Escape")
    expect(weight.nth(3)).to_have_value("−2")
    page.keyboard.type("1e9")
    page.keyboard.press("Enter")
    page.get_by_text("1e9 is above 99, the largest allowed.").wait_for()
    page.keyboard.press("Escape")
    weight.nth(3).evaluate(
        """cell => {
          const board = new DataTransfer();
          board.setData("text", "1\\t2\\n3\\t4");
          cell.dispatchEvent(new ClipboardEvent("paste", { clipboardData: board, bubbles: true }));
        }"""
    )
    until_address(page, "kernel", "5,0,1;1,2,2;3,4,1")
    page.go_back()
    until_address(page, "kernel", "5,0,1;-2,0,2;-1,0,1")
    # At once: nobody waits for the answer to Back.
    page.locator(".root", has=kernel).get_by_role("button", name="Reset").click()
    until_address(page, "kernel", None)
    page.locator(".result", has_text="= 8").first.wait_for()


def test_the_walk_plays_waits_under_the_pointer_and_keeps_a_step(playground):
    page = playground("cells_a_side=4&closer=slide", corner="")
    player = page.get_by_role("group", name="The convolution, step by step")
    count, play = player.locator(".count"), player.locator(".play")
    expect(count).to_have_text(f"step {opens_at(4) + 1} of 16")
    player.locator(".speed").click()
    expect(player.locator(".speed")).to_have_text("8 a second")
    player.locator("canvas").hover(position={"x": 5, "y": 60})
    play.press("Enter")
    expect(play).to_have_text("Pause")
    page.wait_for_timeout(600)
    expect(count).to_have_text("step 1 of 16")
    page.mouse.move(2, 2)
    expect(count).not_to_have_text("step 1 of 16")
    player.locator("canvas").hover(position={"x": 5, "y": 60})
    held = count.inner_text()
    page.wait_for_timeout(600)
    assert count.inner_text() == held
    page.mouse.move(2, 2)
    expect(count).to_have_text("step 16 of 16")
    expect(play).to_have_text("Play")
    play.focus()
    page.keyboard.press("ArrowUp")
    until_address(page, "step", "11")
    page.keyboard.press("ArrowLeft")
    until_address(page, "step", "10")
    words = re.compile("Step 11 of 16. Output row 2, column 2")
    expect(player.locator("canvas")).to_have_attribute("aria-label", words)
    page.reload()
    expect(count).to_have_text("step 11 of 16")
    until_settled(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as GIF").first.click()
    assert saved.value.suggested_filename == "cnnviz-conv2d.gif"
    with Image.open(saved.value.path()) as gif:
        assert gif.n_frames == 16
        pictures = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
    # The map that comes out is filled more and more.
    assert all(np.any(one != other) for one, other in pairwise(pictures))
    assert (
        np.any(pictures[0] != pictures[-1], axis=-1).sum()
        > np.any(pictures[-2] != pictures[-1], axis=-1).sum()
    )


def test_nothing_moves_where_motion_is_not_wanted(playground):
    page = playground("cells_a_side=3", corner="", reduced_motion="reduce", width=360)
    player = page.get_by_role("group", name="The convolution, step by step")
    expect(player.locator(".play")).to_be_disabled()
    player.locator(".back").click()
    until_address(page, "step", str(opens_at(3) - 1))
    until_fits(page)
    until_drawn(page)
    assert violations(page) == []


def test_no_serious_violation_while_pooling(open_page, explorer):
    page = open_page(f"{explorer}/pooling?closer=all", dark=True)
    until_drawn(page)
    assert violations(page) == []


def test_a_film_of_many_steps_has_all_of_them_where_that_is_asked_for(playground):
    player = playground("cells_a_side=8").get_by_role("group", name="The convolution, step by step")
    expect(player.locator(".count")).to_have_text(re.compile("of 64$"))
    with player.page.expect_download() as saved:
        player.get_by_role("button", name="all 64 steps").click()
    with Image.open(saved.value.path()) as gif:
        assert gif.n_frames == 64
