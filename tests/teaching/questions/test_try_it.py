"""Questions about digits of one's own: against preparing them by hand, and against all predictions."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import cnnviz
from cnnviz.images.digit_preparation import prepare_digit
from cnnviz.network.mistakes import Mistake, mistakes
from cnnviz.teaching.questions.try_it import how_sure_it_was, where_it_is_drawn

IMAGES, LABELS = cnnviz.load_mnist()[1]


def test_where_it_is_drawn_changes_nothing():
    for image in IMAGES[:40]:
        question = where_it_is_drawn(image)
        # Another size and another way to enlarge: still the same two preparations.
        large = np.asarray(Image.fromarray(image).resize((280, 280), Image.Resampling.BILINEAR))
        pads = np.zeros((2, 600, 600), np.uint8)
        pads[0, 150:430, 150:430] = pads[1, 20:300, 10:290] = large
        changed = (prepare_digit(pads[0]) != prepare_digit(pads[1])).sum()
        assert question.answer.text == str(changed) == "0"
        assert sum(choice.right for choice in question.choices) == 1
        assert len(question.choices) == 4


def test_the_wrong_choices_are_what_the_mistakes_would_give():
    digit = IMAGES[0]
    texts = {choice.text for choice in where_it_is_drawn(digit).choices}
    moved = np.pad(digit, 4)[8:, 8:][:28, :28]
    assert texts == {"0", str((moved != digit).sum()), str((digit > 0).sum()), "784"}


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
