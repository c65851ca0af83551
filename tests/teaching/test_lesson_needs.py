"""What a lesson needs, and that networks of others have it for most of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cnnviz
from cnnviz import Layer, Network
from cnnviz.stage.guided_walk import told
from cnnviz.teaching.course import walk_of
from cnnviz.teaching.lesson_needs import NEEDS, WALK_NEEDS, lack_for, lack_of, parts_of, passes
from cnnviz.teaching.lessons import LESSONS
from harness.generated_networks import image
from harness.opened_models import KINDS, bottleneck, colour

IN_GREY_ALONE = {"overview", "try_it"}
WITHOUT_SUBJECT = {"three_by_three", "one_by_one", "batch_norm_and_dropout", "epochs"}
"""Lessons whose walk a small colour network does not suit; of the last one there is none."""


@pytest.fixture(scope="module")
def run():
    return colour().run(np.random.default_rng(0).random((16, 16, 3), np.float32))


def test_every_lesson_says_what_it_needs():
    assert NEEDS.keys() == LESSONS.keys()
    net = cnnviz.load_model("mnist_14k")
    lacks = {name: lack_of(name, net) for name in LESSONS}
    assert {name for name, lack in lacks.items() if lack} == {"epochs", "verification"}
    assert lack_of("try_it", net, digits=False) != ""
    assert set(lacks.values()) == {"", "the record that was kept of the bundled networks"}


def lessons_on(net) -> set[str]:
    """Those whose whole page shows the network."""
    return {name for name in LESSONS if not lack_of(name, net)}


def test_ten_lessons_run_on_a_small_colour_network_and_six_on_a_residual_one_of_many_classes():
    assert len(lessons_on(colour())) >= 10
    assert len(lessons_on(bottleneck())) >= 6


def test_whatever_a_walk_needs_has_its_words():
    walks = [walk for lesson in LESSONS.values() if (walk := walk_of(lesson))]
    assert {part for walk in walks for part in parts_of(walk)} == WALK_NEEDS.keys()


def test_the_words_of_every_lack_say_what_is_missing_and_not_what_the_lesson_is_called():
    titles = {lesson.title.lower() for lesson in LESSONS.values()}
    for kind in KINDS:
        if isinstance(net := kind(), cnnviz.Network):
            lacks = {lack_of(name, net) for name in LESSONS}
            assert not titles & {lack.lower() for lack in lacks}
            assert not [lack for lack in lacks if "is about" in lack]


def test_a_page_waits_for_as_many_passes_as_are_quick():
    assert passes(colour(), 20) == 20
    assert passes(colour(), 20, work=1) == 1


def test_a_colour_network_has_what_nine_walks_are_about(run):
    suited = {name for name in LESSONS if (walk := walk_of(LESSONS[name])) and not lack_for(walk, run)}
    assert suited == LESSONS.keys() - IN_GREY_ALONE - WITHOUT_SUBJECT
    assert len(suited) == 9


def test_no_walk_speaks_of_ink_or_digits_to_a_colour_network(run):
    for name in LESSONS.keys() - IN_GREY_ALONE - WITHOUT_SUBJECT:
        for step in told(walk_of(LESSONS[name]), run):
            words = " ".join((step.title, *step.say, step.ask))
            assert not re.search(r"\b(ink|inked|paper|(?<!last )digit|blank)\b", words, re.IGNORECASE), words


def test_what_is_lacking_is_named():
    lacks = {
        kind.__name__: lack_of("pooling", net) for kind in KINDS if isinstance(net := kind(), cnnviz.Network)
    }
    assert lacks["colour"] == lacks["residual"] == ""
    assert lacks["any_size"] == lacks["one_axis"] == "a convolution over one image, of a size that is known"
    layers = [image(224, 224, 3)]
    for number in range(2):
        config = {"filters": 16, "kernel_size": 3}
        layers.append(Layer.from_config(f"c{number}", "Conv2D", config, inputs=(layers[-1].name,)))
    layers.append(Layer.from_config("m", "GlobalMaxPooling2D", {}, inputs=("c1",)))
    config = {"units": 2, "activation": "softmax"}
    heavy = Network([*layers, Layer.from_config("d", "Dense", config, inputs=("m",))], seed=0)
    assert lack_of("why_convolution", heavy).startswith("speed")
    walk = walk_of(LESSONS["batch_norm_and_dropout"])
    assert lack_for(walk, colour().run(np.zeros((16, 16, 3)))) == "a batch normalisation"
