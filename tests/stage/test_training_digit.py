"""The learner's digit while a network trains: its field is the effective one, and what is said is so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cnnviz import effective_receptive_field, load_mnist, load_model
from cnnviz.stage.parts import Part
from cnnviz.stage.training_digit import digit_header, field_header, field_layers, field_of
from cnnviz.training.watched_training import small_network


@pytest.fixture(scope="module")
def digit():
    return load_mnist()[1][0][0]


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_the_middle_of_every_layer_that_is_offered_has_a_field(model, digit):
    net = load_model(model)
    run = net.run(digit)
    assert field_layers(net)
    for layer in field_layers(net):
        shown = field_of(run, layer, 3, 5)
        assert np.array_equal(shown.field.map, effective_receptive_field(net, layer, digit[None]).map)
        # So few pixels hold half of it, and one fewer does not.
        masses = np.sort(shown.field.map, axis=None)[::-1].cumsum()
        assert masses[shown.half - 1] >= masses[-1] * (0.5 - 1e-9)
        assert shown.half == 1 or masses[shown.half - 2] < masses[-1] * 0.5
        assert f"half of what counts lies in {shown.half} pixel" in shown.words
        assert shown.words.endswith("before training it was in 5.")
        json.dumps(field_header(Part(), shown, field_layers(net), run.input), allow_nan=False)


def test_a_unit_that_answers_to_nothing_is_said_to(digit):
    net = small_network(0)
    dead = net.with_weights({"conv2d/bias": np.full(4, -1e3, np.float32)})
    shown = field_of(dead.run(digit), "conv2d_1", 1)
    assert shown.half is None
    assert "none counts" in shown.words
    json.dumps(field_header(Part(), shown, ["conv2d_1"], digit[None, ..., None]), allow_nan=False)


def test_the_digits_answer_and_maps_are_the_runs(digit):
    net, part = load_model("mnist_maxpool"), Part()
    run = net.run(digit)
    header = digit_header(part, run, "conv2d", "test digit 0", 7)
    assert header["words"].startswith("test digit 0: 7 with ")
    assert header["words"].endswith(" ✓")
    assert digit_header(Part(), run, "conv2d", "it", 3)["words"].endswith(" ✗")
    offset, count, _ = header["maps"]["array"]
    assert np.array_equal(np.frombuffer(part.body, "<f4", count, offset), run["conv2d"].ravel())
