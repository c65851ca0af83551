"""Questions about receptive fields: the answers are those of networks in which pixels are changed."""

from __future__ import annotations

import pytest

import cnnviz
from cnnviz.receptive_fields import Conv, Pool, receptive_field
from cnnviz.teaching.questions import receptive_field as questions

MODELS = ("mnist_14k", "mnist_maxpool")


def number(text: str) -> int:
    return int(text.split()[0])


def maps(model: str) -> list:
    fields = cnnviz.receptive_field(cnnviz.load_model(model))
    return [field for field in fields.values() if len(field.shape) == 3]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_one_more_layer_is_what_the_table_of_a_larger_stack_says(model, kernel):
    for field in (field for field in maps(model) if field.shape[1] >= kernel):
        asked = questions.one_more_layer(field, kernel)
        # The new layer's units see those of the outermost of `kernel` neighbours, and all between.
        first, last = field.interval(1, 0, clip=False)[0], field.interval(1, kernel - 1, clip=False)[1]
        assert number(asked.answer.text) == last - first + 1
        assert sum(choice.right for choice in asked.choices) == 1
        assert len({choice.text for choice in asked.choices}) == len(asked.choices) >= 2


@pytest.mark.parametrize("model", MODELS)
def test_shared_pixels_are_those_that_both_masks_hold(model):
    for field in maps(model):
        if field.shape[1] < 2:
            continue
        asked = questions.shared_pixels(field)
        middle = field.shape[1] // 2 - 1
        one, other = (field.mask(0, col).any(axis=0) for col in (middle, middle + 1))
        assert number(asked.answer.text) == (one & other).sum()
        texts = [choice.text for choice in asked.choices]
        assert len(set(texts)) == len(texts) >= 2


def test_fields_that_do_not_touch():
    fields = receptive_field([Conv(2, strides=3)], 12)
    asked = questions.shared_pixels(fields["conv"])
    assert asked.answer.text == "0 columns"
    assert "nothing is shared" in asked.answer.why


def test_layers_that_cannot_be_asked_about_are_refused():
    fields = cnnviz.receptive_field(cnnviz.load_model("mnist_14k"))
    with pytest.raises(ValueError, match=r"conv2d_7 has no two neighbours in a row"):
        questions.shared_pixels(fields["conv2d_7"])
    with pytest.raises(ValueError, match="no size and step along columns"):
        questions.one_more_layer(cnnviz.receptive_field(cnnviz.load_model("mnist_maxpool"))["dense"])
    with pytest.raises(ValueError, match="kernel must be at least 2"):
        questions.one_more_layer(receptive_field([Pool(2)])["pool"], 1)
