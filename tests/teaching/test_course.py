"""The course as files: which lessons play, what they share, how large it is."""

import re
from itertools import pairwise

import pytest

import cnnviz
from cnnviz.teaching.course import course, walk_of
from cnnviz.teaching.lessons import LESSONS

WITHOUT_WALK = {"epochs"}
"""What needs many networks, which only Python has."""


@pytest.fixture(scope="module")
def files():
    return course(cnnviz.load_model("mnist_14k"))


def test_every_lesson_but_one_has_a_walk(files):
    assert {name for name, lesson in LESSONS.items() if walk_of(lesson) is None} == WITHOUT_WALK
    assert set(files) == {
        "index.html",
        "stage.js",
        *(f"{name}.html" for name in LESSONS.keys() - WITHOUT_WALK),
    }


def test_it_is_small(files):
    assert sum(len(text.encode()) for text in files.values()) < 5e6


def test_links_lead_to_files_in_order(files):
    order = re.findall(r'<a href="(\w+\.html)"', files["index.html"])
    assert order == [f"{name}.html" for name in LESSONS if name not in WITHOUT_WALK]
    for here, following in pairwise(order):
        assert f'rel="next" href="{following}"' in files[here]
        assert f'rel="prev" href="{here}"' in files[following]
    assert 'rel="prev"' not in files[order[0]]
    assert 'rel="next"' not in files[order[-1]]
    assert "<span>Epochs</span> <small>needs Python" in files["index.html"]


def test_pages_fetch_nothing_from_elsewhere(files):
    for name, text in files.items():
        if name.endswith(".html"):
            assert set(re.findall(r'(?:src|href)="([^"]*)"', text)) <= {*files, "data:,"}, name


def test_what_a_network_has_no_subject_for_is_in_the_index_only():
    files = course(cnnviz.load_model("mnist_maxpool"), [0])
    assert "one_by_one.html" not in files
    assert "<span>1×1</span> <small>not in this network" in files["index.html"]


def test_without_digits_there_is_no_course():
    net = cnnviz.load_model("mnist_14k")
    with pytest.raises(ValueError, match="digits must be at least one"):
        course(net, [])
    with pytest.raises(ValueError, match="digits must be 0 to 9999, got 10000"):
        course(net, [10_000])
