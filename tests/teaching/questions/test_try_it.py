"""Questions about digits of one's own: against preparing them by hand, and against all predictions."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import cnnviz
from cnnviz.images.digit_preparation import prepare_digit
from cnnviz.network.mistakes import Mistake, mistakes
from cnnviz.teaching.questions.try_it import how_sure_it_was, what_makes_no_difference
from harness.questions import one_is_right, whys

IMAGES, LABELS = cnnviz.load_mnist()[1]


def test_only_the_place_makes_no_difference():
    for image in IMAGES[:4]:
        asked = what_makes_no_difference(image)
        one_is_right(asked)
        assert asked.answer.text.startswith("In a corner")
        assert "not one number is different" in asked.answer.why
        # Another size and another way to enlarge: still the same for two places.
        large = np.asarray(Image.fromarray(image).resize((280, 280), Image.Resampling.BILINEAR))
        pads = np.zeros((2, 600, 600), np.uint8)
        pads[0, 150:430, 150:430] = pads[1, 20:300, 10:290] = large
        assert (prepare_digit(pads[0]) == prepare_digit(pads[1])).all()
        # And what is said of another way is what preparing it by hand gives.
        pad = np.zeros((448, 448), np.uint8)
        pad[20:188, 100:436] = np.kron(image, np.ones((6, 12), np.uint8))
        middle = np.zeros((448, 448), np.uint8)
        middle[140:308, 140:308] = np.kron(image, np.ones((6, 6), np.uint8))
        changed = (prepare_digit(pad, ink="drawn") != prepare_digit(middle, ink="drawn")).sum()
        assert (
            f"{changed} of the 784 numbers" in whys(asked)["that the preparation takes all differences away"]
        )


def test_what_looks_the_same_in_every_way_is_not_asked_about():
    with pytest.raises(ValueError, match="no digit was found"):
        what_makes_no_difference(np.zeros((28, 28), np.uint8))


@pytest.mark.parametrize("model", ["mnist_14k", "mnist_maxpool"])
def test_how_sure_it_was_is_counted_from_all_probabilities(model):
    net, count = cnnviz.load_model(model), 2500
    question = how_sure_it_was(mistakes(net, IMAGES[:count], LABELS[:count]), count)
    shares = net.predict(IMAGES[:count])
    wrong = shares.argmax(axis=1) != LABELS[:count]
    assert question.answer.text == str((shares[wrong].max(axis=1) >= 0.9).sum())
    assert sum(choice.right for choice in question.choices) == 1


@pytest.mark.parametrize("sure", [0, 1, 2])
def test_one_choice_is_right_even_where_numbers_meet(sure):
    found = [Mistake(k, 1, ((2, 0.95 if k < sure else 0.5), (1, 0.05))) for k in range(2)]
    question = how_sure_it_was(found, 10)
    assert question.answer.text == str(sure)
    assert len({choice.text for choice in question.choices}) == len(question.choices) > 1
