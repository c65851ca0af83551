"""The course as files: which lessons play, what they share, how large it is."""

import json
import re
from copy import copy
from itertools import pairwise

import pytest

import cnnviz
from cnnviz.teaching.course import course, walk_of
from cnnviz.teaching.lessons import LESSONS
from cnnviz.teaching.walks.epochs import epoch_steps, recorded_runs, run_titles
from cnnviz.training.learning_curves import learning_curves

WITHOUT_STAGE = {"epochs"}
"""What needs many networks: it plays recorded runs."""


@pytest.fixture(scope="module")
def files():
    return course(cnnviz.load_model("mnist_14k"))


def test_every_lesson_but_one_has_a_walk(files):
    assert {name for name, lesson in LESSONS.items() if walk_of(lesson) is None} == WITHOUT_STAGE
    assert set(files) == {"index.html", "stage.js", *(f"{name}.html" for name in LESSONS)}


def test_epochs_plays_the_runs_that_its_steps_speak_of(files):
    (text,) = re.findall(
        r'<script type="application/json"[^>]*>(.*?)</script>', files["epochs.html"], re.DOTALL
    )
    held = json.loads(text)
    steps = epoch_steps("mnist_14k")
    assert [step["say"] for step in held["steps"]] == [step.say for step in steps]
    for told, step in zip(held["steps"], steps, strict=True):
        run = held["runs"][told["run"]]
        assert run["title"] == run_titles()[step.run]
        data = run["measures"][told["measure"]]
        assert told["epoch"] <= data["epochs"]
        assert len(data["curves"]) == len(learning_curves(recorded_runs("mnist_14k")[step.run], step.measure))
    # The digit whose answer changed most often, as on the explorer's page.
    assert data["shares"]["title"] == "What it says of test digit 1114, a 3"


def test_it_is_small(files):
    assert sum(len(text.encode()) for text in files.values()) < 5e6


def test_links_lead_to_files_in_order(files):
    order = re.findall(r'<a href="(\w+\.html)"', files["index.html"])
    assert order == [f"{name}.html" for name in LESSONS]
    for here, following in pairwise(order):
        assert f'rel="next" href="{following}"' in files[here]
        assert f'rel="prev" href="{here}"' in files[following]
    assert 'rel="prev"' not in files[order[0]]
    assert 'rel="next"' not in files[order[-1]]


def test_pages_fetch_nothing_from_elsewhere(files):
    for name, text in files.items():
        if name.endswith(".html"):
            assert set(re.findall(r'(?:src|href)="([^"]*)"', text)) <= {*files, "data:,"}, name


def test_what_a_network_has_no_subject_for_is_in_the_index_only():
    files = course(cnnviz.load_model("mnist_maxpool"), [0])
    assert "one_by_one.html" not in files
    assert "<span>1×1</span> <small>not in this network" in files["index.html"]
    assert "epochs.html" in files


def test_a_network_whose_training_was_not_recorded_has_no_epochs():
    net = copy(cnnviz.load_model("mnist_14k"))  # Others have the same one.
    net.source = None
    files = course(net, [0])
    assert "epochs.html" not in files
    assert "<span>Epochs</span> <small>needs Python" in files["index.html"]
    assert "recorded runs" not in files["index.html"]


def test_without_digits_there_is_no_course():
    net = cnnviz.load_model("mnist_14k")
    with pytest.raises(ValueError, match="digits must be at least one"):
        course(net, [])
    with pytest.raises(ValueError, match="digits must be 0 to 9999, got 10000"):
        course(net, [10_000])
