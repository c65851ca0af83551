"""The course from the disk: every lesson plays its walk to the end, by keys alone."""

import pytest
from playwright.sync_api import expect

import cnnviz
from cnnviz.teaching.course import course, walk_of
from cnnviz.teaching.lessons import LESSONS
from cnnviz.teaching.walks.epochs import epoch_steps, run_titles

PLAYED = [name for name, lesson in LESSONS.items() if walk_of(lesson) is not None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("course")
    for name, text in course(cnnviz.load_model("mnist_14k"), [247, 0]).items():
        (where / name).write_text(text, encoding="utf-8")
    return where


def test_every_lesson_plays_to_its_end(open_page, folder):
    page = open_page(f"file://{folder}/index.html", width=1280, height=720)
    for name in PLAYED:
        page.goto(f"file://{folder}/{name}.html")
        place = page.locator(".cv-walkplace")
        expect(place).to_contain_text("1 of")
        steps = int(place.inner_text().split()[-1])
        for step in range(2, steps + 1):
            page.keyboard.press("ArrowRight")
            expect(place).to_have_text(f"{step} of {steps}")
            assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), (name, step)
        assert page.locator(".cv-next").is_disabled()


def test_epochs_plays_its_runs_to_the_end_of_its_walk(open_page, folder):
    page = open_page(f"file://{folder}/epochs.html", width=1280, height=720)
    steps = epoch_steps("mnist_14k")
    run, measure = page.locator("select").all()
    for count, step in enumerate(steps, 1):
        expect(page.locator(".steps h2")).to_have_text(step.title)
        expect(page.locator(".steps .place")).to_have_text(f"{count} of {len(steps)}")
        expect(run.locator("option:checked")).to_have_text(run_titles()[step.run])
        expect(measure.locator("option:checked")).to_have_text(step.measure)
        if not step.plays:
            when = f"After epoch {step.epoch} of" if step.epoch else "Before training"
            expect(page.locator(".now")).to_contain_text(when)
        page.keyboard.press("ArrowRight")
    # Another run begins with its first step.
    run.select_option("All images")
    expect(page.locator(".steps .place")).to_have_text(f"1 of {len(steps)}")


def test_a_lesson_leads_to_the_next(open_page, folder):
    page = open_page(f"file://{folder}/three_by_three.html", width=390, height=844)
    page.get_by_role("link", name="1×1 →").click()
    expect(page.locator("h1")).to_have_text("1×1")
    expect(page.locator(".cv-walkhead h2")).to_have_text("One place, through all maps")


def test_a_long_question_leaves_the_way_on_in_sight_on_a_phone(open_page, folder):
    page = open_page(f"file://{folder}/activation_functions.html", width=390, height=844, has_touch=True)
    place, on = page.locator(".cv-walkplace"), page.locator(".cv-next")
    for step in (2, 3):
        on.tap()
        expect(place).to_contain_text(f"{step} of")
    page.locator(".cv-choices button").first.tap()
    expect(page.locator(".cv-reply")).to_contain_text("Right")
    on.tap(timeout=5_000)
    expect(place).to_contain_text("4 of")
