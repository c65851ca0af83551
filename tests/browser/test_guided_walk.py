"""The guided walk in a page: keys and buttons, questions, what the learner does in between, small screens."""

from __future__ import annotations

import pytest

import cnnviz
from browser.axe import violations
from browser.stage_page import expect_zoom, of_view, unseen, until
from browser.waiting import expect
from cnnviz.stage.guided_walk import told, walk_named

cnnviz.view  # The package's door brings the walks.  # noqa: B018
NAME = "from-pixel-to-answer"
STEPS = 16
LEFT = """(card) => {
  const ends = [card, card.querySelector(".cv-walknav")].map((each) => each.getBoundingClientRect().bottom);
  return ends[0] - ends[1];
}"""


def until_step(page, step: int) -> None:
    expect(page.locator(".cv-walkplace")).to_have_text(f"{step} of {STEPS}")


def card(page) -> str:
    return page.locator(".cv-walktext").inner_text()


def test_each_step_says_what_python_says_and_shows_its_state(walk_file, open_page):
    page = open_page(walk_file.as_uri(), height=720)
    digit = cnnviz.load_mnist()[1][0][0]
    for count, step in enumerate(told(walk_named(NAME), cnnviz.load_model("mnist_14k").run(digit)), 1):
        until_step(page, count)
        expect(page.locator(".cv-walkhead h2")).to_have_text(step.title)
        assert len(page.locator(".cv-walktext p").all()) == len(step.say)
        state = of_view(page, "(view) => view.state()")
        assert state["walk"] == [NAME, step.number]
        assert state["zoom"] == step.state.get("zoom", "network")
        assert state["path"] == step.state.get("path", [])
        assert of_view(page, "(view) => view.changes") == step.state.get("changes", [])
        assert state["changes"] == [], "what a step lends is not the learner's"
        # Where a kernel is played it moves on.
        assert (state["play"] or [None])[:2] == (step.state.get("play") or [None])[:2]
        if count < STEPS:
            page.keyboard.press("Space" if count % 2 else "ArrowRight")
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    until_step(page, STEPS - 1)
    # The step's change is there while its step is.
    expect(page.locator(".cv-verdict")).to_contain_text("now 2 with 83.87 %")
    page.get_by_role("button", name="Back", exact=True).first.click()
    expect(page.locator(".cv-verdict")).to_contain_text("still 7")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_every_step_is_seen_without_scrolling(walk_file, open_page, width, height):
    page = open_page(walk_file.as_uri(), width=width, height=height, has_touch=width < 500)
    for step in range(1, STEPS + 1):
        until_step(page, step)
        if page.locator(".cv-choices button").count() and page.locator(".cv-ask").is_visible():
            page.locator(".cv-choices button").last.click()
        said = [line for line in unseen(page) if "cv-walk" in line or "cv-ask" in line or "scroll" in line]
        assert said == [], step
        assert page.locator(".cv-walk").evaluate(LEFT) >= 0, step
        if step < STEPS:
            page.locator(".cv-next").click()


def test_a_question_is_answered(walk_file, open_page):
    page = open_page(f"{walk_file.as_uri()}#walk={NAME}~2")
    until_step(page, 3)
    page.get_by_role("button", name="0", exact=True).click()
    expect(page.locator(".cv-reply")).to_contain_text("the bias is still added")
    page.get_by_role("button", name="0.0206", exact=True).click()
    expect(page.locator(".cv-reply")).to_contain_text("Right")
    expect(page.locator('.cv-choices [data-right="true"]')).to_have_count(1)
    # Where the explorer's address hides what is right.
    of_view(page, "(view) => { view.scene.header.host.noted = true; }")
    page.get_by_role("button", name="0", exact=True).click()
    expect(page.locator(".cv-reply")).to_have_text("Noted. What is right, you will hear later.")
    expect(page.locator('.cv-choices [aria-pressed="true"]')).to_have_text("0")
    expect(page.locator('.cv-choices :is([data-right="true"], [data-right="false"])')).to_have_count(0)


def test_one_may_go_off_and_resume(walk_file, open_page):
    page = open_page(f"{walk_file.as_uri()}#walk={NAME}~9")
    until_step(page, 9)
    resume = page.get_by_role("button", name="Resume")
    expect(resume).to_be_hidden()
    shown = of_view(page, "(view) => view.state().path")
    page.get_by_role("button", name="Zoom out").click()
    expect(resume).to_be_visible()
    until_step(page, 9)
    resume.click()
    expect(resume).to_be_hidden()
    assert of_view(page, "(view) => view.state().path") == shown


def test_what_the_learner_changes_stays_and_the_sentences_follow(walk_file, open_page):
    page = open_page(f"{walk_file.as_uri()}#walk={NAME}~15")
    until_step(page, 15)
    first = card(page)
    wiped = {"kind": "values", "stage": "input", "at": list(range(784)), "values": [0] * 784}
    of_view(page, "(view, change) => view.change([...view.changes, change])", wiped)
    expect(page.locator(".cv-walktext")).to_contain_text("it said 1")
    assert card(page) != first
    # On blank paper there is no ink to be taken away: that step is left out.
    page.keyboard.press("ArrowRight")
    expect(page.locator(".cv-walkplace")).to_have_text("15 of 15")
    expect(page.locator(".cv-walkhead h2")).to_have_text("Now you")
    assert of_view(page, "(view) => view.state().changes") == [wiped]
    page.get_by_role("button", name="End the walk").click()
    expect(page.locator(".cv-walk")).to_be_hidden()
    assert of_view(page, "(view) => [view.state().walk, view.state().changes.length]") == [None, 1]


def test_another_image_goes_on_at_the_same_step(walk_file, open_page):
    page = open_page(f"{walk_file.as_uri()}#walk={NAME}~11")
    until_step(page, 11)
    expect(page.locator(".cv-walktext")).to_contain_text("for 7")
    page.locator(".cv-items select").select_option(index=1)
    expect(page.locator(".cv-walktext")).to_contain_text("for 9")
    until_step(page, 11)


def test_undo_takes_back_what_the_learner_did_and_leaves_what_the_step_lends(walk_file, open_page):
    page = open_page(f"{walk_file.as_uri()}#walk={NAME}~15")
    until_step(page, 15)
    until(page, "(view) => view.changes.length === 1 && view.lent.length === 1")
    mine = {"kind": "channel", "stage": "conv2d relu", "channel": 3}
    of_view(page, "(view, change) => view.history.commit([...view.changes, change], '')", mine)
    page.get_by_role("button", name="Back", exact=True).first.click()
    until_step(page, 14)
    assert of_view(page, "(view) => view.own") == [mine]
    page.locator(".cv-edits [data-undo]").click()
    until(page, "(view) => !view.own.length")
    # The step here lends what it shows, once and no more.
    lent = "(view) => JSON.stringify(view.changes) === JSON.stringify(view.lent)"
    until(page, lent)
    page.locator(".cv-next").click()
    until_step(page, 15)
    until(page, lent)
    page.locator(".cv-edits [data-redo]").click()
    until(page, "(view) => view.own.length === 1 && view.changes.length === 1 + view.lent.length")


def test_escape_goes_back_a_level_at_a_time_and_ends_the_walk_last(walk_file, open_page):
    page = open_page(f"{walk_file.as_uri()}#walk={NAME}~2")
    until_step(page, 3)
    for level in ("layer", "network"):
        page.keyboard.press("Escape")
        expect_zoom(page, level)
    page.keyboard.press("Escape")
    until(page, "(view) => !view.pinned")
    expect(page.locator(".cv-walk")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".cv-walk")).to_be_hidden()


def test_keys_stay_with_what_takes_them(walk_file, open_page):
    page = open_page(walk_file.as_uri())
    page.locator(".cv-items select").focus()
    page.keyboard.press("ArrowRight")
    until_step(page, 1)
    page.locator(".cv-next").focus()
    page.keyboard.press("Space")
    until_step(page, 2)


@pytest.mark.parametrize("dark", [False, True])
def test_it_can_be_heard(walk_file, open_page, dark):
    page = open_page(f"{walk_file.as_uri()}#walk={NAME}~8", dark=dark)
    until_step(page, 8)
    assert page.locator(".cv-walktext").get_attribute("aria-live") == "polite"
    assert violations(page) == []


def test_the_explorer_offers_it_and_its_link_reopens_the_step(open_page, explorer):
    page = open_page(f"{explorer}/?digit=0")
    page.locator(".cv-guide").click()
    until_step(page, 1)
    for step in range(2, 10):
        page.keyboard.press("ArrowRight")
        until_step(page, step)
    link = of_view(page, "(view) => view.host.link(view.state())")
    again = open_page(link)
    until_step(again, 9)
    assert of_view(again, "(view) => view.state().zoom") == "cell"
    # Another digit, from Python: the walk goes on with its numbers.
    page.get_by_label("Test digit").first.fill("1")
    page.keyboard.press("Enter")
    page.locator(".cv-what", has_text="Test digit 1").wait_for()
    until_step(page, 9)


def test_an_answer_stays_while_the_page_around_says_something_new(walk_file, open_page):
    page = open_page(f"{walk_file.as_uri()}#walk={NAME}~2")
    choice = page.locator(".cv-choices button").first
    choice.click()
    reply = page.locator(".cv-reply").inner_text()
    assert reply
    of_view(page, "(view) => view.update(view.scene)")
    expect(choice).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".cv-reply")).to_have_text(reply)


ANOTHER_PAGE = """(view) => {
  const { scene } = view;
  const host = { ...scene.header.host, walks: [] };
  const header = { ...scene.header, start: { path: [], play: false }, host };
  view.update(Object.assign(Object.create(Object.getPrototypeOf(scene)), scene, { header }));
}"""


def test_a_page_without_the_walk_ends_it_and_shows_the_network(walk_file, open_page):
    page = open_page(f"{walk_file.as_uri()}#walk={NAME}~2")
    page.locator('[data-level="cell"]').wait_for()
    of_view(page, ANOTHER_PAGE)
    expect(page.locator(".cv-walk")).to_be_hidden()
    expect(page.locator('[data-level="network"]')).to_be_visible()
    expect(page.locator('[data-level="cell"]')).to_be_hidden()
    assert of_view(page, "(view) => [view.state().walk, view.zoom]") == [None, "network"]
