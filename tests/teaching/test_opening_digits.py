"""The digit that a lesson opens on is the one that its rule describes, for each bundled network."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import cnnviz
from cnnviz.layers.layer import Layer
from cnnviz.network import Network
from cnnviz.teaching.lessons import LESSONS
from cnnviz.teaching.opening_digits import FEW, OPENING_RULES, opening_digit
from cnnviz.training.epoch_predictions import read_predictions

IMAGES, LABELS = cnnviz.load_mnist()[1]


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_a_rule_picks_what_it_says(model):
    net = cnnviz.load_model(model)
    # In other batches than the rule's, so that its equality is not that of a copy.
    shares = np.concatenate([net.predict(IMAGES[k : k + 100]) for k in range(0, FEW, 100)])
    right = shares.argmax(axis=1) == LABELS[:FEW]
    found = {rule: opening_digit(rule, net) for rule in OPENING_RULES}
    assert right[found["doubtful"]]
    assert shares[found["doubtful"]].max() <= shares[right].max(axis=1).min() + 1e-6
    assert not right[found["mistake"]]
    assert right[: found["mistake"]].all()
    ink = IMAGES[:FEW].astype(int).sum(axis=(1, 2))
    assert ink[found["inky"]] == ink.max()
    said = read_predictions(model).predictions
    changes = [sum(a != b for a, b in pairwise(one)) for one in said.T.tolist()]
    assert changes[found["wavering"]] == max(changes)


def test_every_lesson_has_a_rule():
    assert {lesson.opens_on for lesson in LESSONS.values()} == OPENING_RULES.keys()


def test_without_a_rule_or_with_another_kind_of_network_there_is_none():
    wide = Network([Layer.from_config("in", "InputLayer", {"batch_shape": [None, 8, 8, 3]})])
    assert opening_digit("", cnnviz.load_model("mnist_maxpool")) is None
    assert {opening_digit(rule, wide) for rule in ("doubtful", "mistake", "wavering")} == {None}


def answering(labels_of_digits, name="another") -> Network:
    """A network that says one class for all digits, as sure of it as of another: ties everywhere."""
    net = cnnviz.load_model("mnist_maxpool")
    last = next(layer for layer in reversed(net.layers) if "bias" in layer.weights)
    weights = {f"{last.name}/kernel": np.zeros_like(last.weights["kernel"])}
    weights[f"{last.name}/bias"] = np.array(labels_of_digits, np.float32)
    return Network(net.with_weights(weights).layers, name=name)


def test_words_are_said_only_where_a_digit_fits_them_and_hold_where_many_do():
    always_seven = answering(9.0 * np.eye(10)[7])
    sevens = np.flatnonzero(LABELS[:FEW] == 7)
    # All answers are as sure: each right one is the least sure one, and the first 7 is a right one.
    assert opening_digit("doubtful", always_seven) == sevens[0]
    assert opening_digit("mistake", always_seven) == np.flatnonzero(LABELS[:FEW] != 7)[0]
    # No answer was recorded while it was trained, so none changed most.
    assert opening_digit("wavering", always_seven) is None
    assert str(FEW) in OPENING_RULES["doubtful"].words
    assert str(FEW) in OPENING_RULES["inky"].words
